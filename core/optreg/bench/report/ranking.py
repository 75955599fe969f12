"""Exhibits over all tasks: standings as a forest plot, performance profiles, and quality against memory and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optreg.bench.contenders import OURS
from optreg.bench.report.again import again
from optreg.bench.report.canvas import FAINT, INK, colour, drawing, logarithmic, marker
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.palette import Palette
from optreg.bench.report.text import interval, number, seconds, series_name

Record = Mapping[str, Any]

_BAND = (
    " The bands, and the brackets in the table, are the 95 % intervals of a stratified bootstrap over seeds, at each "
    "factor by itself; what other tasks would say is not in them."
)


def ranking_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield the exhibits of the standings, where there is more than one to compare."""
    standings = ours_only(document["summary"].get("standings", []))
    if len(standings) > 1:
        yield _forest(document, standings)
        if standings[0]["tasks"] > 1:
            yield _profiles(document, standings)
        pareto = _pareto(document, standings)
        if pareto:
            yield pareto


def ours_only(rows: Sequence[Record]) -> list[Record]:
    """Return the rows of this registry's optimizers; peers with equal hyperparameters train alike and would crowd."""
    return [row for row in rows if row["implementation"] == OURS] or list(rows)


def _name(standing: Record) -> str:
    return series_name(standing["optimizer"], standing["implementation"], standing["setting"])


def _key(standing: Record) -> tuple[str, str, str]:
    return standing["optimizer"], standing["implementation"], standing["setting"]


def anchor_name(standings: Sequence[Record]) -> str:
    """Return the optimizer that has no interval because it is compared with itself."""
    own = [it for it in standings if it["speed_up_low"] is None and it["speed_up"] == 1]
    return _name(own[0]) if own else "the first optimizer"


def _forest(document: Record, standings: Sequence[Record]) -> Exhibit:
    anchor = anchor_name(standings)
    with drawing("standings", height=1.0 + 0.34 * len(standings)) as it:
        (axes,) = it.axes()
        palette = Palette([_key(standing) for standing in standings])
        for place, standing in enumerate(standings):
            resolved = _resolved(standing)
            shade = colour(palette.place(_key(standing))) if resolved else FAINT
            low, high = standing["speed_up_low"], standing["speed_up_high"]
            if low is not None:
                axes.plot([low, high], [place, place], color=shade, linewidth=2)
            axes.plot([standing["speed_up"]], [place], marker="o" if resolved else "s", color=shade, markersize=6)
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.set_yticks(range(len(standings)), [_name(standing) for standing in standings])
        axes.invert_yaxis()
        logarithmic(axes.xaxis)
        axes.set_xlabel(f"speed-up over {anchor}, in steps to the target (right is better)")
    leader = standings[0]
    return Exhibit(
        "standings",
        f"Who trains fastest over {leader['tasks']} task{'s' if leader['tasks'] > 1 else ''}",
        f"Geometric mean over the tasks of the steps that {anchor} needs to the target, divided by its own; a miss "
        f"counts as "
        "twice the budget. The line is the 95 % interval of a stratified bootstrap over seeds; grey squares are "
        "those whose "
        "interval holds 1: no difference seen. Adding another optimizer changes nothing here. Score: interquartile "
        "mean of "
        "the final metrics, 0 at the start and 1 at the target.",
        Table(
            ("optimizer", "speed-up", "95 %", "score", "95 %", "better than anchor", "95 %", "profile", "reached"),
            [_standing_cells(standing) for standing in standings],
        ),
        again(document, "training"),
        it.svg,
        f"{_name(leader)} leads with a speed-up of {number(leader['speed_up'])} over {anchor}.",
        ["small tasks do not predict the order on large models"],
    )


def _resolved(standing: Record) -> bool:
    low, high = standing["speed_up_low"], standing["speed_up_high"]
    return low is not None and high is not None and not low <= 1 <= high


def _standing_cells(it: Record) -> tuple[str, ...]:
    score, better = it["score"], it["beats_anchor"]
    return (
        _name(it),
        number(it["speed_up"]),
        interval(it["speed_up_low"], it["speed_up_high"]),
        number(score["value"]),
        interval(score["low"], score["high"]),
        number(better["value"], 2),
        interval(better["low"], better["high"], 2),
        number(it["profile"]["score"], 2),
        f"{it['reached']} of {it['runs']} runs",
    )


def _profiles(document: Record, standings: Sequence[Record]) -> Exhibit:
    with drawing("profiles", height=3.6) as it:
        (axes,) = it.axes()
        palette = Palette([_key(standing) for standing in standings])
        for standing in standings:
            place = palette.place(_key(standing))
            profile = standing["profile"]
            band = profile.get("band")
            if band:
                shade = {"color": colour(place), "alpha": 0.14, "linewidth": 0}
                axes.fill_between(profile["ratios"], band["low"], band["high"], **shade)
            label = f"{_name(standing)}  {number(profile['score'], 2)}"
            style = {"color": colour(place), "marker": marker(place), "markevery": 12, "markersize": 4}
            axes.plot(profile["ratios"], profile["shares"], palette.dash(_key(standing)), label=label, **style)
        axes.set_xlabel("within this factor of the fastest on the task")
        axes.set_ylabel("share of tasks solved")
        axes.set_ylim(-0.03, 1.03)
        axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    points = (1.0, 1.5, 2.0, 3.0, 4.0)
    ratios = np.array(standings[0]["profile"]["ratios"])
    places = [int(np.abs(ratios - point).argmin()) for point in points]
    banded = any(it_["profile"].get("band") for it_ in standings)
    rows = [(_name(it_), *_profile_cells(it_["profile"], places)) for it_ in standings]
    return Exhibit(
        "profiles",
        "Performance profiles",
        "How large a share of the tasks each solves within a factor of the fastest; the number behind the name is "
        "the mean "
        f"from 1 to 4. Unlike the speed-up, this depends on who else takes part.{_BAND if banded else ''}",
        Table(("optimizer", *(f"within {point:g}×" for point in points), "mean"), rows),
        again(document, "training"),
        it.svg,
        "Shares of tasks solved within a factor of the best: "
        + ", ".join(f"{_name(it_)} {number(it_['profile']['score'], 2)}" for it_ in standings),
        [] if banded else ["no band: that takes several seeds"],
    )


def _profile_cells(profile: Record, places: Sequence[int]) -> Iterator[str]:
    """Yield the shares at these places and then the mean, each with its interval where there is one."""
    band = profile.get("band")
    for place in places:
        ends = f" [{interval(band['low'][place], band['high'][place], 2)}]" if band else ""
        yield number(profile["shares"][place], 2) + ends
    ends = f" [{interval(band['score_low'], band['score_high'], 2)}]" if band else ""
    yield number(profile["score"], 2) + ends


def _pareto(document: Record, standings: Sequence[Record]) -> Exhibit | None:
    """Draw quality against bytes of state; the area of a point is the time of its step."""
    bytes_of, time_of = _costs(document)
    points = [it for it in standings if (it["optimizer"], it["implementation"]) in bytes_of]
    if not points:
        return None
    keys = [(it["optimizer"], it["implementation"]) for it in points]
    front = [_undominated(it, points, bytes_of, time_of) for it in points]
    with drawing("pareto", height=3.8) as it:
        (axes,) = it.axes()
        longest = max((time_of[key] for key in keys if key in time_of), default=1.0)
        palette = Palette([_key(standing) for standing in points])
        for number_, (standing, key) in enumerate(zip(points, keys, strict=True)):
            place = palette.place(_key(standing))
            size = 40 + 360 * time_of.get(key, 0.0) / longest
            edge = INK if front[number_] else "none"
            spot = ([bytes_of[key]], [standing["speed_up"]])
            axes.scatter(*spot, s=size, color=colour(place), alpha=0.55, edgecolors=edge, linewidths=1.4)
        names: dict[tuple[float, float], list[str]] = {}
        for standing, key in zip(points, keys, strict=True):
            names.setdefault((bytes_of[key], standing["speed_up"]), []).append(_name(standing))
        for point, together in names.items():
            axes.annotate(", ".join(together), point, (9, 7), textcoords="offset points", fontsize=9)
        logarithmic(axes.yaxis)
        axes.set_xlabel("bytes of optimizer state for each parameter (left is better)")
        axes.set_ylabel("speed-up to the target (up is better)")
        axes.margins(x=0.25, y=0.2)
        limits = axes.get_xlim()
        axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= limits[1]])
        axes.set_xlim(limits)
    best = ", ".join(_name(it_) for it_, on in zip(points, front, strict=True) if on)
    return Exhibit(
        "pareto",
        "Quality, memory and time",
        "Height: speed-up in steps to the target. Across: memory. Area: time of one update step on the largest layout "
        "measured. Ringed: no other is at least as good in all three.",
        Table(
            ("optimizer", "speed-up", "bytes a parameter", "step", "on the front"),
            [
                (
                    _name(it_),
                    number(it_["speed_up"]),
                    number(bytes_of[key]),
                    seconds(time_of.get(key)),
                    "yes" if on else "no",
                )
                for it_, key, on in zip(points, keys, front, strict=True)
            ],
        ),
        again(document, "training", "speed"),
        it.svg,
        f"Speed-up over bytes of state, with the time of a step as area. On the front: {best}.",
    )


def _costs(document: Record) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Return bytes a parameter and the fastest step on the largest layout, by optimizer and implementation."""
    sizes: dict[tuple[str, str], float] = {}
    times: dict[tuple[str, str], float] = {}
    entries = document.get("speed", [])
    largest = max((entry["parameters"] for entry in entries), default=0)
    for row, entry in zip(document["summary"].get("speed", []), entries, strict=False):
        key = (entry["optimizer"], entry["implementation"])
        if row.get("state_bytes_per_parameter") is not None:
            sizes.setdefault(key, row["state_bytes_per_parameter"])
        if entry["parameters"] == largest and row.get("spread"):
            times[key] = min(times.get(key, np.inf), row["spread"]["median"])
    return sizes, times


def _undominated(
    it: Record, others: Sequence[Record], sizes: Mapping[tuple[str, str], float], times: Mapping[tuple[str, str], float]
) -> bool:
    def costs(standing: Record) -> np.ndarray:
        key = (standing["optimizer"], standing["implementation"])
        return np.array([-standing["speed_up"], sizes[key], times.get(key, np.inf)])

    mine = costs(it)
    return not any((costs(other) <= mine).all() and (costs(other) < mine).any() for other in others)
