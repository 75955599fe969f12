"""``optreg bench run``: train the optimizers, time their update step, and show what came out."""

from __future__ import annotations

import json as json_text
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optreg_cli import exit_codes
from optreg_cli.bench import baselines, codes
from optreg_cli.bench.comparing import Csv, FailOn, Junit, Markdown, Strict, code_of, confront, write_reports
from optreg_cli.bench.durations import parse_seconds
from optreg_cli.bench.measuring import Way, journal_of, measured, started_ahead
from optreg_cli.bench.planning import show_plan
from optreg_cli.bench.regime import Epochs, Rates, Schedule, Seeds, Split, Tasks, Trials, Warmup
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
    typer.Option(help="Measure the same optimizer of this library too: tf_keras, keras, torch, optax. Repeatable."),
]
Layouts = Annotated[
    list[str] | None,
    typer.Option(
        "--layout",
        help="Parameters to step: one-big, resnet50, many-small (these by default), embedding, bert-base, gpt2, dozen; "
        "a JSON file with shapes, or a saved Keras model.",
    ),
]
Modes = Annotated[
    list[str] | None,
    typer.Option(
        "--mode",
        help="speed, training, memory, landscapes (test functions), properties or replicas; the first two by default.",
    ),
]
Suite = Annotated[
    str | None,
    typer.Option(
        help="How much: smoke (20 s in all), quick (2 min for each optimizer), standard (15 min) or full (2 h). "
        "It sets layouts, modes, tasks, seeds, trials and budget where you do not; optreg bench list shows what."
    ),
]
Functions = Annotated[
    list[str] | None, typer.Option("--function", help="Test function of --mode landscapes, such as rosenbrock.")
]
Executions = Annotated[
    list[str] | None, typer.Option("--execution", help="eager, graph or xla; the first two by default.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option("--device", help="cpu, gpu, gpu:0, tpu; the first of each kind by default."),
]
Budget = Annotated[
    float | None,
    typer.Option(
        parser=parse_seconds,
        metavar="TIME",
        show_default="100",
        help="For everything, such as 120, 120s or 2m; what does not fit is shown as not measured.",
    ),
]
Hooks = Annotated[
    bool,
    typer.Option("--hooks", help="Time ours also without the joints for plugins and with one plugin: what they cost."),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write every raw sample as JSON (optreg.bench/1); - for stdout."),
]


Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on where a killed run with the same --json FILE was, repeating nothing."),
]
Isolate = Annotated[
    int,
    typer.Option(
        min=0,
        help="Child processes to measure in. One survives crashes and hangs; several show what differs between "
        "processes; 0 measures in this one.",
    ),
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds without a sign of life after which a step has hung.")]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", help="Measure replicas under this strategy: mirrored or multi-worker. Repeatable."),
]
Replicas = Annotated[
    str,
    typer.Option(metavar="NUMBERS", show_default="1,2", help="Numbers of replicas to measure, such as 1,2,4."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        show_default="1; all of a Ray cluster",
        help="Training runs to make at a time, each in a process of one thread; 0 for as many as there are processors.",
    ),
]
Executor = Annotated[str, typer.Option(help="Where the workers are: pool (this machine) or ray (a Ray cluster).")]
RayAddress = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        show_default="RAY_ADDRESS, or a cluster on this machine for the run",
        help="The Ray cluster to use, such as 10.0.0.1:6379 or auto.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be measured and how long it takes.")]
Baseline = Annotated[
    str | None, typer.Option(metavar="NAME", help="Compare with this baseline or results file; see --fail-on.")
]
SaveBaseline = Annotated[str | None, typer.Option(metavar="NAME", help="Keep the results as a baseline.")]


# Brackets in help texts are escaped: the command line reads them as markup.
def run(  # noqa: PLR0913 - one argument for each option of the command
    context: typer.Context,
    names: Names = None,
    *,
    against: Against = None,
    layout: Layouts = None,
    mode: Modes = None,
    execution: Executions = None,
    device: Devices = None,
    task: Tasks = None,
    suite: Suite = None,
    function: Functions = None,
    seeds: Seeds = None,
    epochs: Epochs = None,
    schedule: Schedule = None,
    warmup: Warmup = None,
    trials: Trials = None,
    lr_grid: Rates = "",
    budget: Budget = None,
    hooks: Hooks = False,
    split: Split = False,
    json: Json = None,
    resume: Resume = False,
    isolate: Isolate = 1,
    timeout: Timeout = 120.0,
    strategy: Strategies = None,
    replicas: Replicas = "",
    workers: Workers = None,
    executor: Executor = "pool",
    ray_address: RayAddress = "",
    dry_run: DryRun = False,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    fail_on: FailOn = None,
    strict: Strict = False,
    md: Markdown = None,
    junit: Junit = None,
    csv: Csv = None,
) -> None:
    r"""Train optimizers on real data and time their update step, side by side.

    Trains small models on real data that comes inside wheels, and measures the step alone on layouts of parameters.
    Takes under two minutes by default; Ctrl-C leaves what was measured. Needs the extra optreg\[bench].
    """
    from optreg_cli.quiet import quiet_environment, quiet_tensorflow

    started = time.perf_counter()  # loading TensorFlow counts: the user waits for it, too
    quiet_environment()
    child = None if dry_run or isolate == 0 else started_ahead(context)
    quiet_tensorflow()
    given = {"layouts": layout, "modes": mode, "executions": execution, "devices": device, "against": against}
    given |= {"tasks": task, "landscapes": function, "strategies": strategy, "replicated_layouts": layout}
    if (strategy or replicas) and not mode and suite is None:
        given["modes"] = ["replicas"]
    numbers: dict[str, Any] = {"seeds": seeds, "epochs": epochs, "trials": trials, "budget": budget}
    numbers |= {"schedule": schedule, "warmup": warmup}
    numbers |= {"rates": _numbers(float, lr_grid, "--lr-grid"), "replicas": _numbers(int, replicas, "--replicas")}
    numbers |= {"workers": workers, "executor": executor, "address": ray_address, "patience": timeout}
    options = _options(suite, names or [], given, hooks=hooks or None, split=split or None, **numbers)
    _check_usage(json, resume=resume, comparing=bool(fail_on or md or junit or csv or strict), baseline=baseline)
    old = None if baseline is None else baselines.load(baseline)
    _check_gates(fail_on)
    if dry_run:
        show_plan(names or [], options)
        return
    results = measured(names or [], options, Way(json, resume, isolate, timeout, started, child))
    _deliver(results, json)
    typer.echo(f"took {time.perf_counter() - started:.1f} s of a budget of {options.budget:g} s", err=True)
    if save_baseline is not None:
        typer.echo(f"baseline: {baselines.save(save_baseline, results)}", err=True)
    findings = [] if old is None else [confront(old, results, fail_on, title=f"Compared with {baseline}")]
    write_reports(findings, md=md, junit=junit, csv=csv)
    raise typer.Exit(_code(results, code_of(findings, strict=strict)))


def _code(results: Results, compared: int) -> int:
    """Return the exit code: an interrupt before a regression, before an optimizer that failed, before noise."""
    if results.interrupted:
        return exit_codes.INTERRUPTED
    if compared == codes.REGRESSION:
        return compared
    return codes.ENTRY_FAILED if results.unusable else compared


def _check_usage(json: str | None, *, resume: bool, comparing: bool, baseline: str | None) -> None:
    if resume and json in (None, _DASH):
        raise typer.BadParameter("the run to resume is found by its --json FILE", param_hint="--resume")
    if comparing and baseline is None:
        raise typer.BadParameter("--fail-on, --strict, --md, --junit and --csv need a --baseline to compare with")
    _check_writable(json)


def _check_gates(gates: Sequence[str] | None) -> None:
    from optreg.bench.comparison import parse_gate

    for gate in gates or ():
        parse_gate(gate)


def _options(suite: str | None, names: Sequence[str], given: dict[str, list[str] | None], **numbers: Any) -> Options:
    """Return the options; words may be repeated or separated by commas, and what was not given is left to the suite."""
    import optreg.bench

    fields: dict[str, Any] = {
        key: [word for item in items for word in item.split(",")] for key, items in given.items() if items
    }
    fields |= {key: value for key, value in numbers.items() if value not in (None, ())}
    return optreg.bench.Options(**fields) if suite is None else optreg.bench.suite_options(suite, names, **fields)


def _numbers(kind: type[int] | type[float], text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(kind(word) for word in text.split(",") if word.strip())
    except ValueError as error:
        what = "numbers of replicas are whole numbers" if kind is int else "learning rates are numbers"
        message = f"{what} separated by commas, received {text!r}"
        raise typer.BadParameter(message, param_hint=option) from error


def _deliver(results: Results, json: str | None) -> None:
    """Show tables unless stdout is to hold the JSON, and write the file."""
    from optreg.bench import document, write_results
    from optreg.bench.processes import remove_journals
    from optreg_cli.bench.tables import show

    if json != _DASH:
        show(results)
    if json is not None:
        if json == _DASH:
            typer.echo(json_text.dumps(document(results), indent=1, allow_nan=False))
        else:
            write_results(Path(json), document(results))
            remove_journals(journal_of(json))
            typer.echo(f"raw samples: {json}", err=True)


def _check_writable(json: str | None) -> None:
    """Find out before two minutes of measuring that the file cannot be written."""
    if json in (None, _DASH):
        return
    try:
        Path(str(json)).open("a", encoding="utf-8").close()
    except OSError as error:
        raise typer.BadParameter(f"cannot write {json}: {error.strerror}", param_hint="--json") from error
