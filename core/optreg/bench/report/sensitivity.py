"""The exhibit of a search: sensitivity to the learning rate, and the best of fewer trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.canvas import FAINT, colour, drawing, logarithmic, marker
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, number, seconds

Record = Mapping[str, Any]

_WIDE = 6  # series whose crosses at the edge stand one above the other


def sensitivity(document: Record, task: Record, searches: Sequence[Record], *, name: str) -> Exhibit:
    """Return where training ends at each learning rate tried, and what fewer trials would have found."""
    with drawing(name, height=3.6) as it:
        left, right = it.axes(1, 2)
        for place, search in enumerate(searches):
            _rates(left, search, place)
            label = clean(search["optimizer"])
            curve = search["expected_best"]
            style = {"color": colour(place), "marker": marker(place), "markersize": 4}
            right.plot(range(1, len(curve) + 1), curve, label=label, **style)
        logarithmic(left.xaxis)
        left.set_xlabel("learning rate")
        left.set_ylabel(f"{clean(task['metric'])} at the end")
        right.set_xlabel("learning rates tried")
        right.set_ylabel("expected best")
        if task["metric"] == "gap":
            logarithmic(left.yaxis)
            logarithmic(right.yaxis)
        right.xaxis.get_major_locator().set_params(integer=True)
        it.figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    edges = [
        f"{clean(search['optimizer'])}: the best learning rate is the {search['edge']} tried; it may lie beyond"
        for search in searches
        if search["edge"]
    ]
    chosen = ", ".join(
        f"{clean(it['optimizer'])} {number(it['chosen'])}" for it in searches if it["chosen"] is not None
    )
    spent = sum(attempt["steps"] for search in searches for attempt in search["attempts"])
    return Exhibit(
        name,
        f"{clean(task['name'])}: sensitivity to the learning rate",
        "Left: where training ends at each learning rate tried, on a seed that no measured run has; a cross at the "
        "edge is "
        f"a run that broke. Right: what a search with fewer trials would find. These searches took {spent:,} steps.",
        _search_data(searches, task),
        again(document, "training", tasks=[task["name"]]),
        it.svg,
        f"Best learning rates found: {chosen or 'none'}.",
        edges,
    )


def _rates(axes: Any, search: Record, place: int) -> None:
    points = sorted((it["learning_rate"], it["metric"]) for it in search["attempts"] if it["metric"] is not None)
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(x, y, marker=marker(place), markersize=4, color=colour(place))
    broken = [it["learning_rate"] for it in search["attempts"] if it["metric"] is None]
    axes.plot(broken, [0.02 + 0.03 * (place % _WIDE)] * len(broken), "x", color=colour(place), transform=_edge(axes))
    best = next((it for it in search["attempts"] if it["learning_rate"] == search["chosen"]), None)
    if best and best["metric"] is not None:
        ring = {"markerfacecolor": "none", "markeredgecolor": FAINT, "markersize": 11}
        axes.plot([best["learning_rate"]], [best["metric"]], "o", **ring)


def _edge(axes: Any) -> Any:
    """Return coordinates of data along the axis and of the frame across it."""
    return axes.get_xaxis_transform()


def _search_data(searches: Sequence[Record], task: Record) -> Table:
    columns = ("optimizer", "learning rate", clean(task["metric"]), "loss", "state", "steps", "time")
    rows = [
        (
            clean(search["optimizer"]) + (" (chosen)" if it["learning_rate"] == search["chosen"] else ""),
            number(it["learning_rate"]),
            number(it["metric"], 4),
            number(it["loss"], 4),
            clean(it["state"]),
            str(it["steps"]),
            seconds(it["seconds"]),
        )
        for search in searches
        for it in sorted(search["attempts"], key=lambda attempt: attempt["learning_rate"])
    ]
    return Table(columns, rows)
