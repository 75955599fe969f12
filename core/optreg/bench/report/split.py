"""The exhibit of where a training step spends its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.canvas import colour, drawing
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, seconds, series_name, unique

Record = Mapping[str, Any]

_PARTS = ("forward", "backward", "update")


def split_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield bars of forward, backward and update for each optimizer and task whose parts were timed."""
    rows = [row for row in document["summary"].get("splits", []) if "step" in row]
    if not rows:
        return
    tasks = unique([row["task"] for row in rows])
    yield Exhibit(
        "split",
        "Where a training step spends its time",
        "From medians of graphs that were timed in turns: backward is what the gradient takes beyond the loss, update "
        "what the step takes beyond the gradient. How much of it is the update tells how much a faster optimizer can "
        "gain. The first part holds what a call of a graph costs, and so does the update alone. The sum is that of "
        "gradient and update, each measured by itself, less one call: 100 % where the parts account for the step.",
        Table(
            ("optimizer", "task", *_PARTS, "update of the step", "step", "update alone", "sum / step"),
            [
                (
                    series_name(row["optimizer"], row["implementation"]),
                    clean(row["task"]),
                    *(seconds(row[part]) for part in _PARTS),
                    f"{row['share_of_update']:.0%}",
                    seconds(row["step"]),
                    seconds(row["alone"]),
                    "-" if row.get("sum_of_parts") is None else f"{row['sum_of_parts']:.0%}",
                )
                for row in rows
            ],
        ),
        again(document, "training", tasks=tasks),
        svg=_bars(rows),
        alt="Stacked bars of the time of forward, backward and update in a training step, for each task and optimizer.",
    )


def _bars(rows: Sequence[Record]) -> str:
    with drawing("split", height=0.9 + 0.27 * len(rows)) as it:
        (axes,) = it.axes()
        for place, part in enumerate(_PARTS):
            starts = [sum(row[earlier] for earlier in _PARTS[:place]) * 1e3 for row in rows]
            widths = [row[part] * 1e3 for row in rows]
            axes.barh(range(len(rows)), widths, left=starts, height=0.7, color=colour(place), label=part, alpha=0.8)
        labels = [f"{clean(row['task'])}, {series_name(row['optimizer'], row['implementation'])}" for row in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("milliseconds")
        axes.legend(fontsize=8)
    return it.svg
