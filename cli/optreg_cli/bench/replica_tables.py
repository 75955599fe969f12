"""The table of ``--mode replicas``."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from optreg_cli import rendering
from optreg_cli.bench.units import NOTHING, duration

if TYPE_CHECKING:
    from optreg.bench import Results
    from optreg.bench.replicas.records import ReplicaEntry

_YES_OR_NO = {True: "yes", False: "NO", None: NOTHING}


def show_replicas(results: Results) -> None:
    """Write one row for each optimizer, strategy and number of replicas, and what could not be measured."""
    if not results.replicas:
        return
    rendering.heading("Replicas")
    columns = (
        "optimizer",
        "strategy",
        "replicas",
        "layout",
        "equal",
        "from one replica",
        "state each",
        "declared",
        "step",
        "efficiency",
        "reduction",
        "GB/s on the bus",
    )
    measured = [entry for entry in results.replicas if entry.samples]
    if measured:
        rendering.table(columns, [_cells(entry, results) for entry in measured])
        rendering.paragraph(
            "equal: weights and slots of all replicas are the same to the bit; from one replica: the greatest "
            "difference from one that is given the summed gradient, as part of the greatest weight; declared: whether "
            "every replica keeps the bytes of state that the card declares, to the byte; efficiency: the "
            "step of one replica divided by this one; reduction: summing the gradients, as part of the step."
        )
    if any(entry.virtual for entry in measured):
        rendering.paragraph(
            "Correctness only: these replicas are parts of one machine, and their times say nothing about several."
        )
    for entry in measured:
        if entry.as_declared is False:
            kept = ", ".join(str(size) for size in sorted(set(entry.bytes_each)))
            rendering.paragraph(f"{entry.label} keeps {kept} bytes of state each, its card declares {entry.declared}")
    for entry in results.replicas:
        if entry.state.name != "finished":
            rendering.paragraph(f"{entry.state.name}: {entry.label}: {entry.state.reason}")


def _cells(entry: ReplicaEntry, results: Results) -> tuple[str, ...]:
    from optreg.bench.replicas.records import alone_of

    each = " / ".join(_size(size) for size in sorted(set(entry.bytes_each)))
    efficiency, share = entry.efficiency(alone_of(entry, results.replicas)), entry.share_of_reduction
    bus = entry.bus_bytes_per_second
    return (
        entry.optimizer,
        entry.strategy,
        str(entry.replicas),
        entry.layout,
        _YES_OR_NO[entry.equal],
        NOTHING if entry.deviation is None else f"{entry.deviation:.1g}",
        each or NOTHING,
        _YES_OR_NO[entry.as_declared],
        duration(statistics.median(entry.samples)),
        NOTHING if efficiency is None else f"{efficiency:.0%}",
        NOTHING if share is None or entry.replicas == 1 else f"{share:.0%}",
        NOTHING if bus is None else f"{bus / 1e9:.3g}",
    )


def _size(size: int) -> str:
    return f"{size / 1e6:.4g} MB" if size else "0 B"
