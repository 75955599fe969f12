"""What the raw results come to: one row for each optimizer trained, one for each step measured."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from optreg.bench.contenders import OURS
from optreg.bench.quality.rows import ranked, training_rows
from optreg.bench.quality.split import SplitEntry
from optreg.bench.replicas.records import ReplicaEntry, alone_of
from optreg.bench.results import Results, SpeedEntry, json_ready
from optreg.bench.speed.ceiling import AIDS, limits_of
from optreg.bench.speed.costs import fit_costs
from optreg.bench.speed.timing import PRECISION
from optreg.bench.statistics import (
    Between,
    Interval,
    Outliers,
    Spread,
    between,
    outliers,
    relative_half_width,
    replicated_interval,
    replicated_ratio,
    spread,
)

Verdict = Literal["precise", "noisy", "few"]


@dataclass(frozen=True)
class SpeedRow:
    """One entry's median with what follows from it.

    ``ratio`` is the median step time divided by ours under the same execution, or by our fastest where ours was not
    run that way: above 1 is slower than ours. Where several processes measured it is the mean of theirs, and its
    interval holds what differs between them.
    ``bytes_per_second`` divides the traffic floor by the time; ``declared`` tells whether the measured state is what
    the card declares, None where there is no card. ``ceiling`` is the part of the machine's measured limit
    that the step uses. ``verdict`` says whether sampling ended because the median was known to 1 %, or with the time or
    the most samples (``noisy``), or below the six samples that an interval needs (``few``).
    ``between`` tells what differs between processes, where several measured.
    """

    entry: SpeedEntry
    spread: Spread | None
    interval: Interval | None
    ratio: float | None
    ratio_interval: Interval | None
    parameters_per_second: float | None
    bytes_per_second: float | None
    state_bytes_per_parameter: float | None
    declared: bool | None
    ceiling: float | None
    verdict: Verdict
    outliers: Outliers
    between: Between | None


def speed_rows(results: Results) -> list[SpeedRow]:
    """Return one row for each entry that was planned."""
    ours = {_place(entry): entry for entry in results.speed if entry.implementation == OURS}
    limits = limits_of(results.speed)
    rows = [_speed_row(entry, ours.get(_place(entry)) or _fastest(entry, ours.values())) for entry in results.speed]
    return [replace(row, ceiling=_ceiling(row, limits.get(row.entry.spot))) for row in rows]


def document(results: Results) -> dict[str, Any]:
    """Return the results as JSON types: everything raw, and the rows under ``summary``."""
    summary = {
        "training": [dataclasses.asdict(row) for row in training_rows(results)],
        "standings": [dataclasses.asdict(it) for it in ranked(results)],
        "speed": [_flat(row) for row in speed_rows(results)],
        "splits": [_split(entry) for entry in results.splits],
        "replicas": [_replicas(entry, results) for entry in results.replicas],
        "costs": [dataclasses.asdict(costs) for costs in fit_costs(results.speed)],
    }
    return {**results.to_dict(), "summary": json_ready(summary)}


def _split(entry: SplitEntry) -> dict[str, Any]:
    keys = ("optimizer", "implementation", "task", "device")
    derived = {**entry.medians, "share_of_update": entry.share_of_update, "sum_of_parts": entry.sum_of_parts}
    return {key: getattr(entry, key) for key in keys} | derived


def _replicas(entry: ReplicaEntry, results: Results) -> dict[str, Any]:
    keys = ("optimizer", "strategy", "replicas", "layout", "device")
    return {key: getattr(entry, key) for key in keys} | {
        "step": statistics.median(entry.samples) if entry.samples else None,
        "efficiency": entry.efficiency(alone_of(entry, results.replicas)),
        "share_of_reduction": entry.share_of_reduction,
        "bus_bytes_per_second": entry.bus_bytes_per_second,
        "as_declared": entry.as_declared,
    }


def _speed_row(entry: SpeedEntry, ours: SpeedEntry | None) -> SpeedRow:
    seconds = entry.seconds
    median = spread(seconds).median if seconds else None
    ratio, ratio_interval = _ratio(entry, ours)
    real = entry.implementation != "harness"
    size = sum(slot.measured for slot in entry.slots)
    return SpeedRow(
        entry=entry,
        spread=_spread(seconds),
        interval=replicated_interval(entry.by_process) if seconds else None,
        ratio=ratio,
        ratio_interval=ratio_interval,
        parameters_per_second=entry.parameters / median if median and real else None,
        bytes_per_second=entry.traffic / median if entry.traffic and median and real else None,
        state_bytes_per_parameter=size / entry.parameters if entry.build is not None and real else None,
        declared=_as_declared(entry),
        ceiling=None,
        verdict=_verdict(seconds),
        outliers=outliers(seconds),
        between=between(entry.by_process),
    )


def _ceiling(row: SpeedRow, limit: SpeedEntry | None) -> float | None:
    if limit is None or not limit.traffic or row.bytes_per_second is None or row.entry is limit:
        return None
    return row.bytes_per_second * spread(limit.seconds).median / limit.traffic


def _fastest(entry: SpeedEntry, ours: Collection[SpeedEntry]) -> SpeedEntry | None:
    """Return our fastest run in the same spot, to compare with what runs in a way that ours was not measured in."""
    if entry.implementation in AIDS:
        return None
    found = [it for it in ours if it.samples and it.spot == entry.spot]
    return min(found, key=lambda it: spread(it.seconds).median, default=None)


def _verdict(seconds: Sequence[float]) -> Verdict:
    half = relative_half_width(seconds) if seconds else math.inf
    if math.isinf(half):
        return "few"
    return "precise" if half <= PRECISION else "noisy"


def _ratio(entry: SpeedEntry, ours: SpeedEntry | None) -> tuple[float | None, Interval | None]:
    """Compare samples of the rounds that both have."""
    if ours is None or ours is entry or entry.implementation == "harness":
        return None, None
    our_samples = {(sample.process, sample.round): sample.seconds for sample in ours.samples}
    pairs: dict[int, list[tuple[float, float]]] = {}
    for it in entry.samples:
        if (it.process, it.round) in our_samples:
            pairs.setdefault(it.process, []).append((it.seconds, our_samples[it.process, it.round]))
    return replicated_ratio(list(pairs.values())) if pairs else (None, None)


def _as_declared(entry: SpeedEntry) -> bool | None:
    if entry.implementation != OURS or entry.build is None or not entry.declares:
        return None
    return all(slot.measured == slot.declared for slot in entry.slots)


def _spread(values: Sequence[float]) -> Spread | None:
    return spread(values) if values else None


def _place(entry: SpeedEntry) -> tuple[str, str, str, str]:
    return entry.optimizer, entry.execution, entry.layout, entry.device


def _flat(row: SpeedRow) -> dict[str, Any]:
    """Return the row with the keys of its entry instead of the entry, whose samples stand in the raw part."""
    plain = {field.name: getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "entry"}
    keys = ("optimizer", "implementation", "execution", "layout", "device")
    nested = {
        key: dataclasses.asdict(value) if isinstance(value, (Spread, Interval, Outliers, Between)) else value
        for key, value in plain.items()
    }
    return {key: getattr(row.entry, key) for key in keys} | nested
