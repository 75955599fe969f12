"""Exhibits of replicas: whether they stay equal, and how the step grows with their number."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.canvas import FAINT, colour, drawing, marker
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, number, seconds, unique

Record = Mapping[str, Any]

_WORDS = {True: "yes", False: "NO", None: "–"}
_VIRTUAL = "Correctness only: the replicas are parts of one machine, and their times say nothing about several."


def replica_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield the table of all numbers of replicas, with the efficiency drawn where there is more than one number."""
    entries = [it for it in document.get("replicas", []) if it["samples"]]
    if not entries:
        return
    key = ("optimizer", "strategy", "replicas", "layout", "device")
    derived = {tuple(it[name] for name in key): it for it in document["summary"].get("replicas", [])}
    rows = [(it, derived.get(tuple(it[name] for name in key), {})) for it in entries]
    names = unique([it["optimizer"] for it in entries])
    warnings = [f"replicas of {clean(it['optimizer'])} do not stay equal" for it in entries if it["equal"] is False]
    virtual = [_VIRTUAL] if any(it["virtual"] for it in entries) else []
    columns = ("optimizer", "strategy", "replicas", "layout", "equal", "from one replica", "state bytes each")
    yield Exhibit(
        "replicas-table",
        f"{len(names)} optimizer{'s' if len(names) > 1 else ''} on several replicas",
        "Equal: weights and slots of all replicas are the same to the bit. From one replica: the greatest difference "
        "from one that is given the summed gradient, as part of the greatest weight. Efficiency: the step of one "
        "replica divided by this one.",
        Table((*columns, "step", "efficiency", "reduction", "GB/s on the bus"), [_cells(*row) for row in rows]),
        again(document, "replicas"),
        svg=_efficiency(rows) if any(more.get("efficiency") and it["replicas"] > 1 for it, more in rows) else "",
        alt="Efficiency of the update step against the number of replicas, one line for each optimizer and strategy.",
        warnings=[*unique(warnings), *virtual],
    )


def _cells(entry: Record, derived: Record) -> tuple[str, ...]:
    share, bus = derived.get("share_of_reduction"), derived.get("bus_bytes_per_second")
    efficiency = derived.get("efficiency")
    return (
        clean(entry["optimizer"]),
        clean(entry["strategy"]),
        str(entry["replicas"]),
        clean(entry["layout"]),
        _WORDS[entry["equal"]],
        number(entry["deviation"], 1),
        " / ".join(f"{size:,}" for size in sorted(set(entry["bytes_each"]))),
        seconds(statistics.median(entry["samples"])),
        "–" if efficiency is None else f"{efficiency:.0%}",
        "–" if share is None or entry["replicas"] == 1 else f"{share:.0%}",
        "–" if bus is None else number(bus / 1e9),
    )


def _efficiency(rows: Sequence[tuple[Record, Record]]) -> str:
    lines: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for entry, derived in rows:
        if derived.get("efficiency"):
            key = (entry["optimizer"], entry["strategy"], entry["layout"])
            lines.setdefault(key, []).append((entry["replicas"], derived["efficiency"]))
    with drawing("replicas-efficiency", height=2.8) as it:
        (axes,) = it.axes()
        for place, (key, points) in enumerate(lines.items()):
            counts, values = zip(*sorted(points), strict=True)
            label = clean(", ".join(key))
            axes.plot(counts, values, marker=marker(place), color=colour(place), label=label, markersize=5)
        axes.axhline(1.0, color=FAINT, linewidth=1, linestyle=":")
        axes.set_xticks(sorted({entry["replicas"] for entry, _ in rows}))
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlabel("replicas")
        axes.set_ylabel("efficiency")
        axes.legend(fontsize=8)
    return it.svg
