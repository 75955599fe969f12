"""``optreg bench calibrate``: find the targets of tasks by a procedure that anybody can repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from optreg_cli.completion import complete_name

References = Annotated[
    list[str] | None,
    typer.Argument(
        help="Reference optimizers; those of the targets that optreg ships by default.", autocompletion=complete_name
    ),
]
Tasks = Annotated[list[str] | None, typer.Option("--task", help="Learning task; all by default. Repeatable.")]
Trials = Annotated[int, typer.Option(min=1, help="Learning rates to try for each reference.")]
Seeds = Annotated[int, typer.Option(min=1, help="Repetitions of the best reference; their median is the target.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the targets.")]


def calibrate(
    references: References = None,
    *,
    task: Tasks = None,
    trials: Trials = 9,
    seeds: Seeds = 20,
    output: Output = Path("targets.json"),
) -> None:
    """Tune reference optimizers on each task, repeat the best of them, and write the medians as targets.

    The file says how each target was found, guards it with a digest, and holds what the runs ended with.
    """
    from optreg.bench.machine import describe_machine
    from optreg.bench.progress import Clock
    from optreg.bench.quality.calibration import Calibrator, Procedure
    from optreg.bench.tasks.catalogue import select_tasks
    from optreg_cli import rendering
    from optreg_cli.bench.progress import progress
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    words = [word for item in task or [] for word in item.split(",")]
    with progress() as observer:
        calibrator = Calibrator(Procedure(references or (), trials, seeds), Clock(float("inf"), observer))
        found = calibrator.calibrate(select_tasks(words, "standard"), machine=describe_machine())
    try:
        output.write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {output}: {error.strerror}", param_hint="--output") from error
    rows = [
        (it.task, it.metric, f"{it.value:.4g}", f"{it.low:.4g} .. {it.high:.4g}", it.winner, f"{it.learning_rate:g}")
        for it in found.targets
    ]
    rendering.table(("task", "metric", "target", "95 %", "found with", "rate"), rows)
    rendering.lines(f"{name}: {reason}" for name, reason in calibrator.skipped.items())
    typer.echo(f"targets: {output}", err=True)
