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
    columns = (
        "task",
        "optimizer",
        "by",
        "forward",
        "backward",
        "update",
        "of the step",
        "step",
        "update alone",
        "sum / step",
    )
    rendering.table(columns, [_cells(entry) for entry in measured])
    rendering.paragraph(
        "From medians of graphs that were timed in turns: backward is what the gradient takes beyond the loss, update "
        "what the step takes beyond the gradient. The first holds what a call of a graph costs, and so does the update "
        "alone. The sum is that of gradient and update, each measured by itself, less one call: 100 % where the parts "
        "account for the step."
    )


def _cells(entry: SplitEntry) -> tuple[str, ...]:
    found = entry.medians
    times = [duration(found[name]) for name in ("forward", "backward", "update")]
    total = entry.sum_of_parts
    share = f"{entry.share_of_update or 0.0:.0%}"
    whole = (duration(found["step"]), duration(found["alone"]), "-" if total is None else f"{total:.0%}")
    return (entry.task, entry.optimizer, entry.implementation, *times, share, *whole)
