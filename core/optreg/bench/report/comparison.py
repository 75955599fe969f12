"""Two results files side by side: which optimizer became faster or slower, and what is only noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optreg.bench.comparison import Row, compare_results
from optreg.bench.report.canvas import FAINT, INK, colour, drawing
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, command, interval, number, seconds, unique
from optreg.bench.results.file import results_from
from optreg.bench.statistics.comparison import ALPHA, THRESHOLD

Record = Mapping[str, Any]

_CLEAR = ("slower", "faster")
_WORDS = {"same": "no change", "unclear": "too noisy to tell"}


def comparison(document: Record, baseline: Record, *, files: tuple[str, str]) -> Exhibit | None:
    """Return the forest plot of all step times that both files hold, with what broke since; None of no entries."""
    found = compare_results(results_from(baseline), results_from(document), metrics=["step_time"])
    broken = [it for it in found.broken if it.section == "speed"]
    if not found.rows and not broken:
        return None
    rows = sorted(found.rows, key=lambda row: row.ratio)
    verdicts = [row.verdict for row in rows]
    return Exhibit(
        "comparison",
        f"{clean(files[0])} against the baseline {clean(files[1])}",
        f"Ratio of the medians with its 95 % bootstrap interval, sorted. Coloured: changed by more than "
        f"{THRESHOLD:.0%}, with a "
        f"chance below {ALPHA:g} by the test of Mann and Whitney, corrected over all entries (Holm), and by more than "
        f"the limit of the machine measured beside it. Grey: no change, or too noisy to tell.",
        Table(
            ("entry", "baseline", "now", "ratio", "95 %", "machine", "chance", "verdict"),
            [
                *((clean(it.label), *["–"] * 6, clean(f"{it.state}: {it.reason}")) for it in broken),
                *(_cells(row) for row in rows),
            ],
        ),
        command("bench", "report", files[0], "--baseline", files[1]),
        _forest(rows) if rows else "",
        ", ".join(f"{verdicts.count(word)} {_WORDS.get(word, word)}" for word in unique(verdicts)),
        [*(clean(str(it)) for it in broken), *(f"not alike: {clean(it)}" for it in found.warnings)],
    )


def _forest(rows: Sequence[Row]) -> str:
    with drawing("comparison", height=0.9 + 0.27 * len(rows)) as it:
        (axes,) = it.axes()
        for place, row in enumerate(rows):
            if row.change is None:
                continue
            clear = row.verdict in _CLEAR
            shade = colour(int(row.verdict == "slower")) if clear else FAINT
            axes.plot([row.change.interval.low, row.change.interval.high], [place] * 2, color=shade, linewidth=2)
            axes.plot([row.ratio], [place], "o" if clear else "s", color=shade, markersize=5)
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.set_yticks(range(len(rows)), [clean(row.label) for row in rows], fontsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("step time as a multiple of the baseline (left is better)")
    return it.svg


def _cells(row: Row) -> tuple[str, ...]:
    change = row.change
    return (
        clean(row.label),
        seconds(row.old),
        seconds(row.new),
        number(row.ratio),
        "–" if change is None else interval(change.interval.low, change.interval.high),
        "–" if change is None or change.drift is None else number(change.drift),
        "–" if change is None else number(change.chance, 2),
        _WORDS.get(row.verdict, row.verdict),
    )
