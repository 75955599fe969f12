"""Exhibits of speed: step times, the roofline with the measured ceiling, and what peers take beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.canvas import FAINT, INK, colour, drawing, logarithmic, marker
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, interval, number, seconds, series_name, unique
from optreg.bench.speed.ceiling import AIDS, CEILING, FLAGGED

Record = Mapping[str, Any]

_SETUP = ("build", "trace", "compile", "first")
_NEEDED = ("parameters", "tensors", "traffic", *_SETUP, "state")
"""What is measured beside the optimizers, and is none."""


def speed_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield step times for each layout and device, the roofline, and peers against ours."""
    rows = [
        {**row, "operations": entry.get("operations"), **{key: entry.get(key) for key in _NEEDED}}
        for row, entry in zip(document["summary"].get("speed", []), document.get("speed", []), strict=True)
    ]
    measured = [row for row in rows if row["spread"]]
    for place, key in enumerate(unique([(row["layout"], row["device"]) for row in measured])):
        yield _steps(document, [row for row in measured if (row["layout"], row["device"]) == key], f"steps-{place}")
    if any(row["bytes_per_second"] and row["implementation"] not in AIDS for row in measured):
        yield _roofline(document, [row for row in measured if row["bytes_per_second"]])
    peers = [row for row in measured if row["ratio_interval"]]
    if peers:
        yield _peers(document, peers)


def _label(row: Record) -> str:
    if row["implementation"] == CEILING:
        return f"limit of the machine for {clean(row['optimizer'])}"
    harness = row["implementation"] == "harness"
    name = "a call that does nothing" if harness else series_name(row["optimizer"], row["implementation"])
    return f"{name}, {clean(row['execution'])}"


def _steps(document: Record, rows: Sequence[Record], name: str) -> Exhibit:
    rows = sorted(rows, key=lambda row: row["spread"]["median"])
    optimizers = unique([row["optimizer"] for row in rows])
    layout, device = rows[0]["layout"], rows[0]["device"]
    with drawing(name, height=0.9 + 0.27 * len(rows)) as it:
        (axes,) = it.axes()
        for place, row in enumerate(rows):
            shade = FAINT if row["implementation"] in AIDS else colour(optimizers.index(row["optimizer"]))
            spread = row["spread"]
            axes.plot(
                [spread["lower_quartile"], spread["upper_quartile"]], [place] * 2, color=shade, linewidth=5, alpha=0.35
            )
            if row["interval"]:
                axes.plot([row["interval"]["low"], row["interval"]["high"]], [place] * 2, color=shade, linewidth=1.5)
            axes.plot(
                [spread["median"]], [place], marker(optimizers.index(row["optimizer"])), color=shade, markersize=5
            )
        logarithmic(axes.xaxis)
        axes.xaxis.set_major_formatter(lambda value, _: seconds(value, 1))
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("time of one update step (left is better)")
    fastest = next((row for row in rows if row["implementation"] not in AIDS), rows[0])
    return Exhibit(
        name,
        f"Update step on {clean(layout)}, {clean(device)}",
        f"{rows[0]['tensors']:,} tensors, {rows[0]['parameters']:,} parameters. Mark: median; line: 95 % interval of "
        f"the median; "
        "band: quartiles. The axis is logarithmic. Build makes all state, trace the graph, compile is what XLA takes; "
        "the first step is without them.",
        Table(
            (
                "optimizer",
                "median",
                "95 %",
                "GB/s",
                "state bytes a parameter",
                "build",
                "trace",
                "compile",
                "first step",
                "operations",
                "n",
            ),
            [_step_cells(row) for row in rows],
        ),
        again(document, "speed", layouts=[layout]),
        it.svg,
        f"Fastest: {_label(fastest)}, {seconds(fastest['spread']['median'])}.",
    )


def _step_cells(row: Record) -> tuple[str, ...]:
    between = row["interval"]
    rate = row["bytes_per_second"]
    return (
        _label(row),
        seconds(row["spread"]["median"]),
        f"{seconds(between['low'])} … {seconds(between['high'])}" if between else "–",
        number(rate / 1e9) if rate else "–",
        number(row["state_bytes_per_parameter"]),
        *(seconds(row[part]) for part in _SETUP),
        str(row["operations"] or "–"),
        str(row["spread"]["count"]),
    )


def _roofline(document: Record, rows: Sequence[Record]) -> Exhibit:
    limits = [row for row in rows if row["implementation"] == CEILING]
    ceilings = sorted((row["traffic"], row["bytes_per_second"]) for row in limits)
    rows = [row for row in rows if row["implementation"] not in AIDS]
    optimizers = unique([row["optimizer"] for row in rows])
    with drawing("roofline", height=4.0) as it:
        (axes,) = it.axes()
        if ceilings:
            x, y = zip(*ceilings, strict=True)
            axes.plot(x, [value / 1e9 for value in y], color=INK, linewidth=1.6, marker=".", label="measured ceiling")
        for place, optimizer in enumerate(optimizers):
            of = [row for row in rows if row["optimizer"] == optimizer]
            style = {"color": colour(place), "markersize": 6, "linestyle": "none", "alpha": 0.8}
            rates = [row["bytes_per_second"] / 1e9 for row in of]
            axes.plot([row["traffic"] for row in of], rates, marker(place), label=clean(optimizer), **style)
        logarithmic(axes.xaxis)
        logarithmic(axes.yaxis)
        axes.set_xlabel("bytes that one step must move")
        axes.set_ylabel("GB/s")
        axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    unbounded = "this run measured no ceiling: the points say how fast, not how near to the machine's limit"
    warnings = [] if ceilings else [unbounded]
    beyond = [f"{_label(row)} on {clean(row['layout'])}" for row in rows if (row.get("ceiling") or 0.0) > FLAGGED]
    if beyond:
        warnings.append(f"above {FLAGGED:.0%} of the limit, so one of the two was disturbed: {', '.join(beyond)}")
    best = max(rows, key=lambda row: row["bytes_per_second"])
    return Exhibit(
        "roofline",
        "Roofline: how near to the memory of the machine",
        "Each point is one optimizer by one implementation on one layout: the bytes that a step must move at least "
        "(gradient, "
        "variable and slots), and how fast it moved them. The line is what kernels of the same read and write mix "
        "reached in "
        "the same run. Left, calls and tensors cost more than bytes; right, only memory counts.",
        Table(
            ("optimizer", "layout", "bytes a step", "GB/s", "of the ceiling"),
            [
                (
                    _label(row),
                    clean(row["layout"]),
                    number(row["traffic"]),
                    number(row["bytes_per_second"] / 1e9),
                    _share(row),
                )
                for row in rows
            ],
        ),
        again(document, "speed"),
        it.svg,
        f"Greatest rate: {_label(best)} on {clean(best['layout'])}, {number(best['bytes_per_second'] / 1e9)} GB/s.",
        warnings,
    )


def _share(row: Record) -> str:
    share = row.get("ceiling")
    return f"{share:.0%}{'!' if share > FLAGGED else ''}" if isinstance(share, float) else "–"


def _peers(document: Record, rows: Sequence[Record]) -> Exhibit:
    rows = sorted(rows, key=lambda row: row["ratio"])
    with drawing("peers", height=0.9 + 0.27 * len(rows)) as it:
        (axes,) = it.axes()
        for place, row in enumerate(rows):
            low, high = row["ratio_interval"]["low"], row["ratio_interval"]["high"]
            shade = FAINT if low <= 1 <= high else colour(0 if row["ratio"] > 1 else 1)
            axes.plot([low, high], [place] * 2, color=shade, linewidth=2)
            axes.plot([row["ratio"]], [place], "s" if low <= 1 <= high else "o", color=shade, markersize=5)
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.set_yticks(range(len(rows)), [f"{_label(row)}, {clean(row['layout'])}" for row in rows], fontsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        logarithmic(axes.xaxis)
        axes.set_xlabel("time as a multiple of ours (right of 1: ours is faster)")
    return Exhibit(
        "peers",
        "Other libraries beside ours",
        "Ratio of the medians of interleaved samples with its 95 % interval; grey squares: no difference seen.",
        Table(
            ("peer", "layout", "time / ours", "95 %", "verdict"),
            [_peer_cells(row) for row in rows],
        ),
        again(document, "speed"),
        it.svg,
        f"{sum(row['ratio_interval']['low'] > 1 for row in rows)} of {len(rows)} are slower than ours beyond noise, "
        f"{sum(row['ratio_interval']['high'] < 1 for row in rows)} faster.",
    )


def _peer_cells(row: Record) -> tuple[str, ...]:
    low, high = row["ratio_interval"]["low"], row["ratio_interval"]["high"]
    verdict = "no difference seen" if low <= 1 <= high else "ours is faster" if low > 1 else "the peer is faster"
    return _label(row), clean(row["layout"]), number(row["ratio"]), interval(low, high), verdict
