"""Exhibits of training: curves, time to target, and whether peers train alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optreg.bench.report.again import again
from optreg.bench.report.canvas import INK, colour, drawing, logarithmic, marker
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.palette import Palette
from optreg.bench.report.ranking import ours_only
from optreg.bench.report.sensitivity import sensitivity
from optreg.bench.report.text import clean, number, seconds, series_name

Record = Mapping[str, Any]
_POINTS = 12  # of a curve's data table
_THIN = 25  # points of a band, and of the line of a single seed


def training_exhibits(document: Record, *, singles: bool = True) -> Iterator[Exhibit]:
    """Yield for each task that was run its curves, times to target and, where there was a search, its sensitivity.

    ``singles`` asks for a thin line for every seed.
    """
    for place, task in enumerate(document.get("tasks", [])):
        runs = ours_only([run for run in document["training"] if run["task"] == task["name"] and run["evaluations"]])
        if runs:
            yield _curves(document, task, runs, name=f"curves-{place}", singles=singles)
            rows = ours_only([row for row in document["summary"]["training"] if row["task"] == task["name"]])
            if task["target"] is not None and rows:
                yield _times(document, task, rows, name=f"times-{place}")
            searches = [it for it in document.get("searches", []) if it["task"] == task["name"] and it["attempts"]]
            if searches:
                yield sensitivity(document, task, searches, name=f"rates-{place}")


def agreement_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield how far the losses of other libraries are from ours, where they were trained too."""
    rows = [row for row in document["summary"].get("training", []) if row["difference"] is not None]
    if not rows:
        return
    cells = [
        (
            series_name(row["optimizer"], row["implementation"]),
            clean(row["task"]),
            "identical" if row["difference"] == 0 else number(row["difference"]),
            number(row["metric"]["median"], 4) if row["metric"] else "–",
        )
        for row in rows
    ]
    yield Exhibit(
        "agreement",
        "Do other libraries train alike?",
        "Greatest difference between their loss and ours at any step of any seed, from the same start on the same "
        "batches. "
        "Differences of rounding grow with the steps; large ones are another rule or another default.",
        Table(("peer", "task", "greatest difference", "their median metric"), cells),
        again(document, "training"),
    )


def _curves(document: Record, task: Record, runs: Sequence[Record], *, name: str, singles: bool) -> Exhibit:
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for run in runs:
        groups.setdefault((run["optimizer"], run["implementation"], run["setting"]), []).append(run)
    by_decades = task["metric"] == "gap"
    with drawing(name, height=3.8) as it:
        left, middle, right = it.axes(1, 3)
        middle.sharey(left)
        palette = Palette(groups)
        for of in groups.values():
            _curve(left, of, palette, ("step", "metric"), single=singles)
            _curve(middle, of, palette, ("seconds", "metric"), single=singles)
            _curve(right, of, palette, ("step", "loss"), single=singles)
        for axes in (left, middle):
            if by_decades:
                logarithmic(axes.yaxis)
            if task["target"] is not None:
                axes.axhline(task["target"], color=INK, linewidth=1, linestyle=(0, (1, 2)))
        if all(look["loss"] is None or look["loss"] > 0 for run in runs for look in run["evaluations"]):
            logarithmic(right.yaxis)
        left.set_ylabel(f"{clean(task['metric'])} ({'more' if task['higher_is_better'] else 'less'} is better)")
        right.set_ylabel("loss (less is better)")
        left.set_xlabel("steps")
        middle.set_xlabel("seconds of training")
        right.set_xlabel("steps")
        it.figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    warnings = _curve_warnings(task, runs)
    best = "highest" if task["higher_is_better"] else "lowest"
    alt = (
        f"Curves of {clean(task['metric'])} and of the loss on {clean(task['name'])} over steps and over seconds for "
        f"{', '.join(series_name(*key) for key in groups)}. {_leader(groups, task, best)}"
    )
    return Exhibit(
        name,
        f"{clean(task['name'])}: {clean(task['summary'])}",
        f"Median over the seeds with the band between the quartiles, of {clean(task['metric'])} and, on the right, of "
        f"the loss; {'thin lines are single seeds, ' if singles else ''}a cross is where a run broke off. The dotted "
        f"line is the target. Time spent on looking at the metric is not counted.{_schedule_sentence(runs[0])}",
        _curve_data(groups, task),
        again(document, "training", tasks=[task["name"]]),
        it.svg,
        alt,
        warnings,
    )


def _schedule_sentence(run: Record) -> str:
    """Say which schedule the learning rate of the runs has followed; results of older versions name none."""
    schedule = run.get("schedule") or {"name": "constant", "warmup": 0.0}
    if schedule["name"] == "constant" and not schedule["warmup"]:
        return ""
    words = f" Learning rate: {clean(schedule['name'])}, with a warm-up over {number(schedule['warmup'])} of the steps"
    if schedule["name"] == "constant":
        return f"{words}."
    return f"{words}, and down to zero at the end of the run; what stands before that is provisional."


def _curve_warnings(task: Record, runs: Sequence[Record]) -> list[str]:
    warnings = []
    unfinished = [run for run in runs if run["state"]["name"] != "finished"]
    if unfinished:
        warnings.append(
            f"{len(unfinished)} of {len(runs)} runs did not get to the planned end: provisional, no verdict"
        )
    if task["shortened"]:
        warnings.append("shorter than the task plans: the order at the planned end may be another")
    return warnings


def _leader(groups: Mapping[tuple[str, str, str], Sequence[Record]], task: Record, best: str) -> str:
    ends = {
        key: float(np.median([run["evaluations"][-1]["metric"] for run in of]))
        for key, of in groups.items()
        if all(run["state"]["name"] == "finished" for run in of)
    }
    if not ends:
        return ""
    key = (max if task["higher_is_better"] else min)(ends, key=lambda it: ends[it])
    return f"At the end {series_name(*key)} is {best}, {number(ends[key])}."


def _curve(
    axes: Any,
    runs: Sequence[Record],
    palette: Palette,
    of: tuple[str, str],
    *,
    single: bool,
) -> None:
    """Draw the metric or the loss over steps or seconds; ``of`` names both, as an evaluation does."""
    unit, value = of
    key = (runs[0]["optimizer"], runs[0]["implementation"], runs[0]["setting"])
    label = series_name(*key) if of == ("step", "metric") else None  # the legend needs each once
    place = palette.place(key)
    lines = [[(look[unit], look[value]) for look in run["evaluations"] if look[value] is not None] for run in runs]
    lines = [line for line in lines if line]
    for run, line in zip(runs, lines, strict=False):
        x, y = zip(*line, strict=True)
        if len(lines) > 1 and single:
            few = _spaced(len(line), _THIN)
            axes.plot(np.array(x)[few], np.array(y)[few], color=colour(place), linewidth=0.5, alpha=0.35)
        if run["state"]["name"] in ("diverged", "failed"):
            axes.plot(x[-1:], y[-1:], "x", color=colour(place), markersize=8)
    shortest = min((len(line) for line in lines), default=0)
    if shortest:
        x = np.median([[point[0] for point in line[:shortest]] for line in lines], axis=0)
        values = np.array([[point[1] for point in line[:shortest]] for line in lines], float)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
        few = _spaced(shortest, _THIN)
        axes.fill_between(x[few], low[few], high[few], color=colour(place), alpha=0.18, linewidth=0)
        every = max(shortest // 6, 1)
        style = {"marker": marker(place), "markevery": (place % every, every), "markersize": 4}
        axes.plot(x, middle, palette.dash(key), color=colour(place), label=label, **style)


def _spaced(length: int, most: int) -> np.ndarray:
    """Return at most so many places of a sequence, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int))


def _curve_data(groups: Mapping[tuple[str, str, str], Sequence[Record]], task: Record) -> Table:
    rows = []
    for key, of in groups.items():
        looks = of[0]["evaluations"]
        for place in _spaced(len(looks), _POINTS):
            values = [run["evaluations"][place]["metric"] for run in of if len(run["evaluations"]) > place]
            known = [value for value in values if value is not None]
            if known:
                low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
                losses = [run["evaluations"][place]["loss"] for run in of if len(run["evaluations"]) > place]
                known_losses = [loss for loss in losses if loss is not None]
                loss = float(np.median(known_losses)) if known_losses else None
                cells = (number(middle, 4), number(low, 4), number(high, 4), str(len(known)), number(loss, 4))
                rows.append((series_name(*key), str(looks[place]["step"]), *cells))
    return Table(
        (
            "optimizer",
            "step",
            f"median {clean(task['metric'])}",
            "lower quartile",
            "upper quartile",
            "n",
            "median loss",
        ),
        rows,
    )


def _times(document: Record, task: Record, rows: Sequence[Record], *, name: str) -> Exhibit:
    names = [series_name(row["optimizer"], row["implementation"], row["setting"]) for row in rows]
    with drawing(name, height=0.9 + 0.34 * len(rows)) as it:
        (axes,) = it.axes()
        palette = Palette([(row["optimizer"], row["implementation"], row["setting"]) for row in rows])
        for place, row in enumerate(rows):
            shade = colour(palette.place((row["optimizer"], row["implementation"], row["setting"])))
            _time_bar(axes, row["outcome"]["steps"] or {"times": [], "expected": None}, place, task=task, shade=shade)
        axes.set_yticks(range(len(rows)), names)
        axes.invert_yaxis()
        axes.set_xlabel(f"steps until {clean(task['metric'])} is {number(task['target'])}")
        axes.set_xlim(left=0, right=task["steps"] * 1.12)
        axes.axvline(task["steps"], color=INK, linewidth=1, linestyle=(0, (1, 2)))
    reached = [row["outcome"]["steps"] for row in rows]
    alt = "; ".join(
        f"{label}: {len([t for t in found['times'] if t is not None])} of {len(found['times'])} runs"
        for label, found in zip(names, reached, strict=True)
        if found
    )
    source = "calibrated" if task["target_from"] == "calibrated" else "declared with the task, not calibrated"
    return Exhibit(
        name,
        f"{clean(task['name'])}: time to target",
        "Bar: expected steps until a success when failed runs are repeated (ERT), cut off at the edge. Dots: single "
        "runs; "
        f"hollow ones missed the target by the planned end (dotted line) and are kept. The target is {source}.",
        _time_data(rows, names),
        again(document, "training", tasks=[task["name"]]),
        it.svg,
        f"Runs that reached the target: {alt}.",
    )


def _time_bar(axes: Any, found: Record, place: int, *, task: Record, shade: str) -> None:
    if found["expected"] is not None:
        shown = min(found["expected"], task["steps"] * 1.12)
        axes.barh(place, shown, height=0.6, color=shade, alpha=0.35, linewidth=0)
    hits = [time for time in found["times"] if time is not None]
    misses = len(found["times"]) - len(hits)
    axes.plot(hits, [place] * len(hits), "o", color=shade, markersize=5)
    # Misses one beside the other, so that they can be counted.
    beyond = [task["steps"] * (1.02 + 0.02 * number_) for number_ in range(misses)]
    axes.plot(beyond, [place] * misses, "o", markerfacecolor="none", markeredgecolor=shade, markersize=5)


def _time_data(rows: Sequence[Record], names: Sequence[str]) -> Table:
    columns = (
        "optimizer",
        "reached",
        "median steps",
        "expected steps",
        "expected epochs",
        "expected seconds",
        "each run",
    )
    cells = []
    for label, row in zip(names, rows, strict=True):
        outcome = row["outcome"]
        steps = outcome["steps"]
        if steps:
            each = ", ".join("missed" if time is None else number(time) for time in steps["times"])
            hits = sum(time is not None for time in steps["times"])
            epochs, spent = outcome["epochs"]["expected"], outcome["seconds"]["expected"]
            numbers = (number(steps["median"]), number(steps["expected"]), number(epochs), seconds(spent))
            cells.append((label, f"{hits} of {len(steps['times'])}", *numbers, each))
    return Table(columns, cells)
