"""The table of where a training step spends its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optreg_cli import rendering
from optreg_cli.bench.units import duration

if TYPE_CHECKING:
    from optreg.bench import Results
    from optreg.bench.quality.split import SplitEntry


def show_splits(results: Results) -> None:
    """Write one row for each optimizer and task whose parts were timed."""
    measured = [entry for entry in results.splits if entry.step]
    if not measured:
        return
    rendering.heading("Where a training step spends its time")
    columns = ("task", "optimizer", "by", "forward", "backward", "update", "of all three", "together", "step")
    rendering.table(columns, [_cells(entry) for entry in measured])
    rendering.paragraph(
        "Medians of graphs of their own, in turns; step is the one graph that does all of it. Each call costs "
        "something, so that on small tasks the three together take longer."
    )


def _cells(entry: SplitEntry) -> tuple[str, ...]:
    found = entry.medians
    times = [duration(found[name]) for name in ("forward", "backward", "update")]
    share = f"{entry.share_of_update or 0.0:.0%}"
    whole = (duration(found["together"]), duration(found["step"]))
    return (entry.task, entry.optimizer, entry.implementation, *times, share, *whole)
