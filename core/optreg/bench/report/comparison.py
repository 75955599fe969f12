"""Two results files side by side: which optimizer became faster or slower, and what is only noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optreg.bench.report.canvas import FAINT, INK, colour, drawing
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, command, interval, number, seconds, series_name, unique
from optreg.bench.speed.ceiling import AIDS
from optreg.bench.statistics.comparison import ALPHA, THRESHOLD, Change, Pair, compare_all

Record = Mapping[str, Any]
Key = tuple[str, str, str, str, str]

_KEYS = ("optimizer", "implementation", "execution", "layout", "device")
_CLEAR = ("slower", "faster")
_WORDS = {"same": "no change", "unclear": "too noisy to tell"}


def comparison(document: Record, baseline: Record, *, files: tuple[str, str]) -> Exhibit | None:
    """Return the forest plot of all entries that both files measured, with what broke since; None of no entries."""
    old, new = _samples(baseline), _samples(document)
    common = [key for key in new if key in old]
    broken = _broken(document, old)
    if not common and not broken:
        return None
    changes = compare_all([Pair([list(old[key])], [list(new[key])]) for key in common])
    rows = sorted(zip(common, changes, strict=True), key=lambda row: row[1].ratio)
    directions = [change.direction for change in changes]
    return Exhibit(
        "comparison",
        f"{clean(files[0])} against the baseline {clean(files[1])}",
        f"Ratio of the medians with its 95 % bootstrap interval, sorted. Coloured: changed by more than "
        f"{THRESHOLD:.0%}, with a "
        f"chance below {ALPHA:g} by the test of Mann and Whitney, corrected over all entries (Holm). Grey: no "
        f"change, or too "
        "noisy to tell. Two files were not measured at the same time: a difference may be the machine's.",
        Table(
            ("entry", "baseline", "now", "ratio", "95 %", "chance", "verdict"),
            [
                *((_label(key), seconds(float(np.median(old[key]))), *["–"] * 4, why) for key, why in broken.items()),
                *(_cells(key, change, old[key], new[key]) for key, change in rows),
            ],
        ),
        command("bench", "report", files[0], "--baseline", files[1]),
        _forest(rows) if rows else "",
        ", ".join(f"{directions.count(word)} {_WORDS.get(word, word)}" for word in unique(directions)),
        [f"{_label(key)} finished in the baseline, and {why}" for key, why in broken.items()],
    )


def _forest(rows: Sequence[tuple[Key, Change]]) -> str:
    with drawing("comparison", height=0.9 + 0.27 * len(rows)) as it:
        (axes,) = it.axes()
        for place, (_, change) in enumerate(rows):
            clear = change.direction in _CLEAR
            shade = colour(int(change.direction == "slower")) if clear else FAINT
            axes.plot([change.interval.low, change.interval.high], [place] * 2, color=shade, linewidth=2)
            axes.plot([change.ratio], [place], "o" if clear else "s", color=shade, markersize=5)
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.set_yticks(range(len(rows)), [_label(key) for key, _ in rows], fontsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("step time as a multiple of the baseline (left is better)")
    return it.svg


def _broken(document: Record, old: Mapping[Key, Sequence[float]]) -> dict[Key, str]:
    """Return what the baseline measured and the document tells the failure of."""
    states = {_key(entry): entry["state"] for entry in document.get("speed", [])}
    lost = {key: states[key] for key in old if key in states and states[key]["name"] in ("failed", "diverged")}
    return {key: clean(f"{state['name']}: {state['reason']}") for key, state in lost.items()}


def _cells(key: Key, change: Change, old: Sequence[float], new: Sequence[float]) -> tuple[str, ...]:
    return (
        _label(key),
        seconds(float(np.median(old))),
        seconds(float(np.median(new))),
        number(change.ratio),
        interval(change.interval.low, change.interval.high),
        number(change.chance, 2),
        _WORDS.get(change.direction, change.direction),
    )


def _samples(document: Record) -> dict[Key, list[float]]:
    found = {}
    for entry in document.get("speed", []):
        taken = [float(sample["seconds"]) for sample in entry["samples"] if sample["seconds"] is not None]
        finished = entry["state"]["name"] == "finished"
        if taken and finished and entry["implementation"] not in AIDS:
            found[_key(entry)] = taken
    return found


def _key(entry: Record) -> Key:
    optimizer, implementation, execution, layout, device = (str(entry[key]) for key in _KEYS)
    return optimizer, implementation, execution, layout, device


def _label(key: Key) -> str:
    optimizer, implementation, execution, layout, device = key
    return f"{series_name(optimizer, implementation)}, {clean(execution)}, {clean(layout)}, {clean(device)}"
