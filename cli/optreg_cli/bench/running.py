"""``optreg bench``: train the optimizers, time their update step, and show what came out."""

from __future__ import annotations

import contextlib
import json as json_text
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optreg_cli import exit_codes
from optreg_cli.completion import complete_name

if TYPE_CHECKING:
    from optreg.bench import Options, Results

_DASH = "-"

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names, patterns, or names with hyperparameters: 'sgd\\[momentum=0.9]'. By default all that are ready.",
        autocompletion=complete_name,
    ),
]
Against = Annotated[
    list[str] | None,
    typer.Option(help="Measure the same optimizer of this library too: tf_keras, keras. Repeatable."),
]
Layouts = Annotated[
    list[str] | None,
    typer.Option("--layout", help="Parameters to step: one-big, resnet50, many-small (these by default), embedding."),
]
Modes = Annotated[
    list[str] | None,
    typer.Option(
        "--mode", help="speed, training, landscapes (test functions) or properties; the first two by default."
    ),
]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", help="Learning task, such as digits or cancer; those of the suite by default. Repeatable."),
]
Suite = Annotated[str, typer.Option(help="Which tasks and functions: smoke, quick or standard.")]
Functions = Annotated[
    list[str] | None, typer.Option("--function", help="Test function of --mode landscapes, such as rosenbrock.")
]
Trials = Annotated[int, typer.Option(min=0, help="Learning rates to try for each optimizer and task; none by default.")]
Rates = Annotated[str, typer.Option("--lr-grid", metavar="RATES", help="Try exactly these: 0.001,0.01,0.1.")]
Executions = Annotated[
    list[str] | None, typer.Option("--execution", help="eager, graph or xla; the first two by default.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option("--device", help="cpu, gpu, gpu:0, tpu; the first of each kind by default."),
]
Seeds = Annotated[int, typer.Option(min=1, help="Training runs of each optimizer, paired: same start, same batches.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the training data; as each task plans by default.")
]
Budget = Annotated[
    float, typer.Option(min=1, help="Seconds for everything; what does not fit is shown as not measured.")
]
Hooks = Annotated[
    bool,
    typer.Option("--hooks", help="Time ours also without the joints for plugins and with one plugin: what they cost."),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write every raw sample as JSON (optreg.bench/1); - for stdout."),
]


# Brackets in help texts are escaped: the command line reads them as markup.
def bench(  # noqa: PLR0913 - one argument for each option of the command
    names: Names = None,
    *,
    against: Against = None,
    layout: Layouts = None,
    mode: Modes = None,
    execution: Executions = None,
    device: Devices = None,
    task: Tasks = None,
    suite: Suite = "smoke",
    function: Functions = None,
    seeds: Seeds = 5,
    epochs: Epochs = None,
    trials: Trials = 0,
    lr_grid: Rates = "",
    budget: Budget = 100.0,
    hooks: Hooks = False,
    json: Json = None,
) -> None:
    r"""Train optimizers on real data and time their update step, side by side.

    Trains small models on real data that comes inside wheels, and measures the step alone on layouts of parameters.
    Takes under two minutes by default; Ctrl-C leaves what was measured. Needs the extra optreg\[bench].
    """
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    given = {"layouts": layout, "modes": mode, "executions": execution, "devices": device, "against": against}
    given |= {"tasks": task, "landscapes": function}
    numbers = {"seeds": seeds, "epochs": epochs, "trials": trials, "rates": _rates(lr_grid), "suite": suite}
    options = _options(given, budget=budget, hooks=hooks, **numbers)
    _check_writable(json)
    results = _measure(names or [], options)
    _deliver(results, json)
    if results.interrupted:
        raise typer.Exit(exit_codes.INTERRUPTED)
    if results.unusable:
        raise typer.Exit(exit_codes.PLUGIN_UNUSABLE)


def _options(given: dict[str, list[str] | None], **numbers: Any) -> Options:
    """Return the options; words may be repeated or separated by commas."""
    from optreg.bench import Options

    words: dict[str, Any] = {
        key: [word for item in items for word in item.split(",")] for key, items in given.items() if items
    }
    return Options(**words, **numbers)


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError as error:
        message = f"learning rates are numbers separated by commas, received {text!r}"
        raise typer.BadParameter(message, param_hint="--lr-grid") from error


def _measure(names: Sequence[str], options: Options) -> Results:
    import optreg.bench

    with _progress() as observer:
        return optreg.bench.run(names, options, observer=observer, argv=sys.argv[1:])


def _deliver(results: Results, json: str | None) -> None:
    """Show tables unless stdout is to hold the JSON, and write the file."""
    from optreg.bench import document
    from optreg_cli.bench.tables import show

    if json != _DASH:
        show(results)
    if json is not None:
        text = json_text.dumps(document(results), indent=1, allow_nan=False) + "\n"
        if json == _DASH:
            typer.echo(text, nl=False)
        else:
            Path(json).write_text(text, encoding="utf-8")
            typer.echo(f"raw samples: {json}", err=True)


def _check_writable(json: str | None) -> None:
    """Find out before two minutes of measuring that the file cannot be written."""
    if json in (None, _DASH):
        return
    try:
        Path(str(json)).open("a", encoding="utf-8").close()
    except OSError as error:
        raise typer.BadParameter(f"cannot write {json}: {error.strerror}", param_hint="--json") from error


@contextlib.contextmanager
def _progress() -> Iterator[Any]:
    """Yield an observer: a bar with the remaining time on a terminal, else a line for every new thing that is done."""
    if not sys.stderr.isatty():
        yield _line_for_each_stage()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.fields[left]} left"), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting TensorFlow", total=1.0, left="")

        def observe(progress: Any) -> None:
            total = progress.elapsed + progress.remaining
            bar.update(
                task,
                completed=progress.elapsed / total if total else 0.0,
                description=progress.doing,
                left=f"{progress.remaining:.0f} s",
            )

        yield observe


def _line_for_each_stage() -> Any:
    from optreg_cli.rendering import one_line

    shown: list[str] = []

    def observe(progress: Any) -> None:
        # "training adam (optreg), seed 2 of 5" is one stage for all seeds and implementations of all optimizers.
        stage = "training" if progress.doing.startswith("training ") else progress.doing
        if stage not in shown:
            shown.append(stage)
            typer.echo(one_line(f"[{progress.elapsed:.0f} s, {progress.remaining:.0f} s left] {stage}"), err=True)

    return observe
