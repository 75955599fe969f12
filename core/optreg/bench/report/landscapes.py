"""Exhibits of the test functions: how far everybody came down, and by which way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optreg.bench.report.again import again
from optreg.bench.report.canvas import FAINT, INK, colour, drawing, logarithmic
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.palette import Palette
from optreg.bench.report.text import clean, number, series_name, unique

Record = Mapping[str, Any]

_LEVELS = 7
_GRID = 56
_COLUMNS = 4
_TARGETS = (1e1, 1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def landscape_exhibits(document: Record, *, drawn_starts: int = 16) -> Iterator[Exhibit]:
    """Yield the share of targets reached, and for each function of two coordinates the ways of all optimizers."""
    descents = document.get("descents", [])
    if not descents:
        return
    yield _ladder(document, descents)
    for place, name in enumerate(unique([it["landscape"] for it in descents])):
        drawn = [it for it in descents if it["landscape"] == name and it["paths"]]
        # Where a search was made, its paths say what the optimizer can do; the defaults stand in the table.
        tuned = [it for it in drawn if it["setting"] == "tuned"] or drawn
        if tuned:
            yield _ways(document, name, tuned, identifier=f"ways-{place}", starts=drawn_starts)


def _solved(descent: Record) -> float:
    pairs = [step for target in descent["steps_to"] for step in target]
    return sum(step is not None for step in pairs) / len(pairs) if pairs else 0.0


def _expected(descent: Record, target: float) -> float | None:
    """Return the expected running time to a target: all steps spent divided by the successes."""
    if not descent["steps_to"]:
        return None
    steps = descent["steps_to"][_TARGETS.index(target)]
    hits = [step for step in steps if step is not None]
    return (sum(hits) + (len(steps) - len(hits)) * descent["steps"]) / len(hits) if hits else None


def _ladder(document: Record, descents: Sequence[Record]) -> Exhibit:
    groups: dict[tuple[str, str], list[Record]] = {}
    for it in descents:
        groups.setdefault((it["optimizer"], it["setting"]), []).append(it)
    names = [series_name(optimizer, setting=setting) for optimizer, setting in groups]
    with drawing("ladder", height=3.4) as figure:
        (axes,) = figure.axes()
        palette = Palette([(optimizer, "optreg", setting) for optimizer, setting in groups])
        for (optimizer, setting), of, name in zip(groups, groups.values(), names, strict=True):
            key = (optimizer, "optreg", setting)
            steps = np.sort([step for it in of for target in it["steps_to"] for step in target if step is not None])
            pairs = sum(it["starts"] * len(_TARGETS) for it in of)
            heights = np.arange(1, len(steps) + 1) / pairs
            style = {"color": colour(palette.place(key)), "label": name}
            axes.step(np.maximum(steps, 1), heights, palette.dash(key), **style)
        logarithmic(axes.xaxis)
        axes.set_ylim(0, 1)
        axes.set_xlabel("steps")
        axes.set_ylabel("share of targets reached")
        axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    rows = [
        (
            clean(it["landscape"]),
            series_name(it["optimizer"], setting=it["setting"]),
            "default" if it["learning_rate"] is None else number(it["learning_rate"]),
            f"{_solved(it):.0%}" if it["state"]["name"] == "finished" else clean(it["state"]["reason"]),
            *(number(_expected(it, target)) for target in (1e1, 1e-1, 1e-3, 1e-6)),
            str(it["rates_tried"]),
        )
        for it in descents
    ]
    columns = (
        "function",
        "optimizer",
        "learning rate",
        "solved",
        "to 10",
        "to 0.1",
        "to 0.001",
        "to 1e-6",
        "rates tried",
    )
    starts = descents[0]["starts"]
    best = max(groups, key=lambda key: np.mean([_solved(it) for it in groups[key]]))
    return Exhibit(
        "ladder",
        "Test functions: targets reached",
        f"Share of all combinations of function, start ({starts} each) and target (10 … 1e-8 above the minimum) "
        f"reached within "
        "so many steps. Table: expected steps to a target (ERT), everything spent divided by the starts that got "
        "there.",
        Table(columns, rows),
        again(document, "landscapes"),
        figure.svg,
        f"{series_name(best[0], setting=best[1])} reaches the largest share.",
    )


def _ways(document: Record, name: str, descents: Sequence[Record], *, identifier: str, starts: int) -> Exhibit:
    columns = min(_COLUMNS, len(descents))
    rows = -(-len(descents) // columns)
    with drawing(identifier, width=8.0, height=0.3 + 2.2 * rows) as figure:
        panels = figure.axes(rows, columns, sharex=True, sharey=True)
        ground = _ground(name, descents)
        for place, (axes, descent) in enumerate(zip(panels, descents, strict=False)):
            _panel(axes, descent, ground, place=place, starts=starts)
        for axes in panels[len(descents) :]:
            axes.set_visible(False)
    rows_ = [
        (
            series_name(it["optimizer"], setting=it["setting"]),
            "default" if it["learning_rate"] is None else number(it["learning_rate"]),
            f"{_solved(it):.0%}",
            number(float(np.median([value for value in it["final"] if value is not None] or [np.nan]))),
            str(sum(value is not None and value <= 1e-2 for value in it["final"])),  # noqa: PLR2004 - named in the column
        )
        for it in descents
    ]
    solved = ", ".join(f"{cells[0]} {cells[2]}" for cells in rows_)
    return Exhibit(
        identifier,
        f"Ways down {clean(name)}",
        f"From {min(starts, descents[0]['starts'])} fixed starts (dots) over lines of equal height, which are spaced "
        f"by equal factors; "
        "a star is the minimum. The panels share their axes; points outside are not drawn.",
        Table(
            ("optimizer", "learning rate", "solved", "median height at the end", "starts that end within 0.01"), rows_
        ),
        again(document, "landscapes", landscapes=[name]),
        figure.svg,
        f"Paths of the optimizers on {clean(name)}; solved: {solved}.",
    )


def _ground(name: str, descents: Sequence[Record]) -> Any:
    """Return (x, y, heights, minimiser) of a function of ours, or None for one that this version does not know."""
    from optreg.bench.landscapes.functions import LANDSCAPES  # noqa: PLC0415 - TensorFlow, only when it is needed

    landscape = next((it for it in LANDSCAPES if it.name == name), None)
    first = np.array([path[0] for it in descents for path in it["paths"]], float)
    low, high = first.min(axis=0), first.max(axis=0)
    margin = 0.15 * (high - low) + 1e-6
    x = np.linspace(low[0] - margin[0], high[0] + margin[0], _GRID)
    y = np.linspace(low[1] - margin[1], high[1] + margin[1], _GRID)
    if landscape is None:
        return x, y, None, None
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = np.asarray(landscape.value(points)).reshape(_GRID, _GRID) - landscape.minimum
    return x, y, np.maximum(heights, 1e-12), landscape.minimiser


def _panel(axes: Any, descent: Record, ground: Any, *, place: int, starts: int) -> None:
    x, y, heights, minimiser = ground
    if heights is not None:
        low, high = np.quantile(heights, [0.01, 0.99])
        levels = np.geomspace(max(low, high * 1e-5), high, _LEVELS)
        axes.contour(x, y, heights, levels=levels, colors=[FAINT], linewidths=0.5, alpha=0.7)
        axes.plot(*minimiser, "*", color=INK, markersize=9, zorder=5)
    for path in descent["paths"][:starts]:
        points = np.array([[np.nan if value is None else value for value in point] for point in path], float)
        axes.plot(points[:, 0], points[:, 1], color=colour(place), linewidth=0.7, alpha=0.65)
        axes.plot(points[:1, 0], points[:1, 1], "o", color=colour(place), markersize=2.5)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    axes.grid(visible=False)
    rate = "default" if descent["learning_rate"] is None else f"rate {number(descent['learning_rate'], 2)}"
    axes.set_title(f"{clean(descent['optimizer'])}\n{rate}, {_solved(descent):.0%}", fontsize=9)
    axes.tick_params(labelsize=8)
