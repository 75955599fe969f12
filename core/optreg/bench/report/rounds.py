"""The exhibit of single samples in the order in which they were taken: drift and disturbances of the machine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from optreg.bench.report.again import again
from optreg.bench.report.canvas import FAINT, INK, colour, drawing
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, number, seconds, series_name, unique
from optreg.bench.speed.ceiling import AIDS, CEILING
from optreg.bench.statistics import outlier_classes, outliers

Record = Mapping[str, Any]

_MOST = 3000  # samples drawn; of more, those of whole rounds are left out
_HALF = 0.05  # of a stroke, in rounds
_TOP = 3.0  # times the median, above which a sample stands at the edge


class _Scale(NamedTuple):
    """The axis of rounds, process after process: how many there are, the turns of a round, and which are drawn."""

    processes: int
    rounds: int
    turns: int
    every: int

    @classmethod
    def of(cls, samples: Sequence[Record]) -> _Scale:
        """Return the scale of all samples of an exhibit."""
        most = [1 + max(sample.get(key, 0) for sample in samples) for key in ("process", "round", "position")]
        return cls(most[0], most[1], most[2], math.ceil(len(samples) / _MOST))

    def place(self, sample: Record) -> float:
        """Return where a sample stands: its turns take most of the way to the next round."""
        turn = 0.8 * float(sample["position"]) / self.turns
        return float(sample.get("process", 0) * self.rounds + sample["round"] + turn)


def round_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield the samples of each layout and device over the rounds, where there are several rounds."""
    entries = [it for it in document.get("speed", []) if len(_taken(it)) > 1]
    for place, spot in enumerate(unique([(it["layout"], it["device"]) for it in entries])):
        yield _rounds(document, [it for it in entries if (it["layout"], it["device"]) == spot], f"rounds-{place}")


def _taken(entry: Record) -> list[Record]:
    return [sample for sample in entry["samples"] if sample["seconds"] is not None]


def _label(entry: Record) -> str:
    kinds = {"harness": "a call that does nothing", CEILING: f"limit of the machine for {clean(entry['optimizer'])}"}
    named = kinds.get(entry["implementation"], series_name(entry["optimizer"], entry["implementation"]))
    return named if entry["implementation"] == CEILING else f"{named}, {clean(entry['execution'])}"


def _rounds(document: Record, entries: Sequence[Record], name: str) -> Exhibit:
    scale = _Scale.of([sample for it in entries for sample in _taken(it)])
    optimizers = unique([it["optimizer"] for it in entries])
    with drawing(name, height=3.0) as it:
        (axes,) = it.axes()
        for entry in entries:
            aid = entry["implementation"] in AIDS
            shade = FAINT if aid else colour(optimizers.index(entry["optimizer"]))
            _strokes(axes, _taken(entry), scale, shade)
        axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        for process in range(1, scale.processes):
            axes.axvline(process * scale.rounds - 0.1, color=FAINT, linewidth=1)
        axes.set_xlabel("round" if scale.processes == 1 else "round, process after process")
        axes.set_ylabel("time / median of its own")
    layout, device = clean(entries[0]["layout"]), clean(entries[0]["device"])
    rows = [_cells(entry) for entry in entries]
    thinned = f" Of the rounds every {scale.every}th is drawn." if scale.every > 1 else ""
    return Exhibit(
        name,
        f"Samples in the order of rounds: {layout}, {device}",
        "Each stroke is one sample, divided by the median of its entry; all entries of a round were sampled one after "
        "the other, as drawn, so that what disturbs the machine lifts neighbours, and a drift of it slopes. Rings: "
        f"outside of Tukey's fences, large where outside of the outer ones; above {_TOP:g} drawn at the edge. Nothing "
        f"is left out of the medians.{thinned} Table: the median of the later half of the samples divided by that of "
        "the earlier.",
        Table(("entry", "n", "median", "outliers, mild", "severe", "greatest / median", "later / earlier"), rows),
        again(document, "speed", layouts=[entries[0]["layout"]]),
        it.svg,
        f"Single samples of {len(entries)} entries over {scale.processes * scale.rounds} rounds; "
        f"{sum(int(cells[3]) + int(cells[4]) for cells in rows)} are outliers.",
    )


def _strokes(axes: Any, samples: Sequence[Record], scale: _Scale, shade: str) -> None:
    values = [float(sample["seconds"]) for sample in samples]
    x = np.array([scale.place(sample) for sample in samples])
    y = np.minimum(np.array(values) / np.median(values), _TOP)
    distance = np.abs(outlier_classes(values))
    plain = (distance == 0) & (np.array([sample["round"] % scale.every for sample in samples]) == 0)
    # One path of short strokes: a marker each would take five times the bytes.
    strokes = np.column_stack([x[plain] - _HALF, x[plain] + _HALF, np.full(plain.sum(), np.nan)])
    axes.plot(strokes.ravel(), np.repeat(y[plain], 3), color=shade, linewidth=2.4, alpha=0.7)
    for of, size in ((distance == 1, 4), (distance == 2, 7)):  # noqa: PLR2004 - beyond the inner and the outer fence
        axes.plot(x[of], y[of], "o", markerfacecolor="none", markeredgecolor=shade, markersize=size)


def _cells(entry: Record) -> tuple[str, ...]:
    values = np.array([sample["seconds"] for sample in _taken(entry)], float)
    found, half = outliers(list(values)), len(values) // 2
    middle = float(np.median(values))
    return (
        _label(entry),
        str(len(values)),
        seconds(middle),
        str(found.low_mild + found.high_mild),
        str(found.low_severe + found.high_severe),
        number(float(values.max()) / middle),
        number(float(np.median(values[-half:]) / np.median(values[:half]))),
    )
