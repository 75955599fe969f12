"""Progress of a benchmark on stderr."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import Any

import typer


@contextlib.contextmanager
def progress() -> Iterator[Any]:
    """Yield an observer: a bar with the remaining time on a terminal, else a line for every new thing that is done."""
    if not sys.stderr.isatty():
        yield line_for_each_stage()
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
                completed=progress.elapsed / total if math.isfinite(total) and total else 0.0,
                description=progress.doing,
                left=f"{progress.remaining:.0f} s" if math.isfinite(progress.remaining) else "some time",
            )

        yield observe


def line_for_each_stage() -> Any:
    """Return an observer that writes a line for every new thing that is done."""
    from optreg_cli.rendering import one_line

    shown: list[str] = []

    def observe(progress: Any) -> None:
        # "training adam (optreg), seed 2 of 5" is one stage for all seeds and implementations of all optimizers.
        stage = "training" if progress.doing.startswith("training ") else progress.doing
        if stage not in shown:
            shown.append(stage)
            left = f", {progress.remaining:.0f} s left" if math.isfinite(progress.remaining) else ""
            typer.echo(one_line(f"[{progress.elapsed:.0f} s{left}] {stage}"), err=True)

    return observe
