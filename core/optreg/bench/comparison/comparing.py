"""Compare two results: entry by entry, over all metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from optreg.bench.comparison.broken import Breakage, breakages
from optreg.bench.comparison.metrics import METRICS, Metric, Samples
from optreg.bench.results import Results
from optreg.bench.results.sections import Identity, identity_of
from optreg.bench.speed.ceiling import limits_of
from optreg.bench.statistics import THRESHOLD, Change, Pair, compare_all, fewest_samples
from optreg.bench.statistics.comparison import Direction

_SCHEDULED = {"schedule": "constant", "warmup": None}
"""Options by which two runs of one task train differently, with what results that do not name them had."""

_MACHINE = ("processor", "usable_cores", "python", "devices", "threads", "settings")

Outcome: TypeAlias = Direction | Literal["not judged"]

_Matched: TypeAlias = tuple[Identity, str, Samples, Samples]

_Limits: TypeAlias = dict[Identity, Samples]


@dataclass(frozen=True)
class Row:
    """One metric of one entry in both results.

    ``old`` and ``new`` are medians of the samples. ``change`` is None where no test was made. ``needed`` is how many
    samples a side must have for any change to be told from chance, where there are fewer.
    """

    identity: Identity
    label: str
    metric: str
    old: float
    new: float
    old_samples: Samples
    new_samples: Samples
    verdict: Outcome
    change: Change | None = None
    needed: int | None = None

    @property
    def ratio(self) -> float:
        """New by old; 1 where both are 0."""
        return _ratio(self.old, self.new)

    @property
    def kind_of_samples(self) -> str:
        """What the samples are: seeds of training, or samples of a time."""
        return "seeds" if METRICS[self.metric].judged == "outcomes" else "samples"

    @property
    def fewest(self) -> int:
        """Samples of the side that has fewer."""
        return min(sum(map(len, samples)) for samples in (self.old_samples, self.new_samples))

    @property
    def worse(self) -> bool:
        """Whether it became worse beyond threshold and chance."""
        return self.verdict == "slower"

    @property
    def better(self) -> bool:
        """Whether it became better beyond threshold and chance."""
        return self.verdict == "faster"

    @property
    def unclear(self) -> bool:
        """Whether the samples do not say."""
        return self.verdict == "unclear"


@dataclass(frozen=True)
class Comparison:
    """All rows, what broke, what stands in one of the results only, and what else differs between the two runs."""

    rows: tuple[Row, ...]
    broken: tuple[Breakage, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    warnings: tuple[str, ...]


def compare_results(
    old: Results, new: Results, *, metrics: Sequence[str] = tuple(METRICS), threshold: float = THRESHOLD
) -> Comparison:
    """Compare entries that both results hold; chance is corrected over all entries of a metric."""
    rows: list[Row] = []
    only_old: dict[str, None] = {}
    only_new: dict[str, None] = {}
    limits = _limits(old), _limits(new)
    for name in metrics:
        before, after = _read(METRICS[name], old), _read(METRICS[name], new)
        shared = [key for key in after if key in before]
        rows += _rows(METRICS[name], [(key, *before[key], after[key][1]) for key in shared], limits, threshold)
        only_old |= dict.fromkeys(before[key][0] for key in before if key not in after)
        only_new |= dict.fromkeys(after[key][0] for key in after if key not in before)
    broken = breakages(old, new)
    gone = tuple(label for label in only_old if label not in {it.label for it in broken})
    return Comparison(tuple(rows), broken, gone, tuple(only_new), (*_differences(old, new), *_drift(rows)))


def _read(metric: Metric, results: Results) -> dict[Identity, tuple[str, Samples]]:
    found = {identity: (label, samples) for identity, label, samples in metric.read(results)}
    return {key: (label, samples) for key, (label, samples) in found.items() if any(samples)}


def _limits(results: Results) -> _Limits:
    """Return, for each entry beside which the limit of the machine was measured, its samples."""
    limits = limits_of(results.speed)
    return {identity_of(it): limits[it.spot].by_process for it in results.speed if it.spot in limits}


def _rows(metric: Metric, matched: Sequence[_Matched], limits: tuple[_Limits, _Limits], threshold: float) -> list[Row]:
    if metric.judged not in ("times", "outcomes"):
        return [_row(metric, entry, _untested(metric, entry, threshold)) for entry in matched]
    pairs = [Pair(old, new, _beside(identity, limits)) for identity, _, old, new in matched]
    changes = compare_all(pairs, threshold=threshold, times=metric.judged == "times")
    return [
        replace(_row(metric, entry, change.direction), change=change, needed=_needed(change, len(pairs)))
        for entry, change in zip(matched, changes, strict=True)
    ]


def _beside(identity: Identity, limits: tuple[_Limits, _Limits]) -> tuple[Samples, Samples] | None:
    then, now = (it.get(identity) for it in limits)
    return None if then is None or now is None else (then, now)


def _row(metric: Metric, entry: _Matched, verdict: Outcome) -> Row:
    identity, label, old, new = entry
    return Row(identity, label, metric.name, _median(old), _median(new), old, new, verdict)


def _untested(metric: Metric, entry: _Matched, threshold: float) -> Outcome:
    """Return the verdict on what holds one value, and no chance to speak of."""
    if metric.judged == "never":
        return "not judged"
    ratio, least = _ratio(_median(entry[2]), _median(entry[3])), 0.0 if metric.judged == "exact" else threshold
    return "slower" if ratio > 1 + least else "faster" if ratio < 1 / (1 + least) else "same"


def _needed(change: Change, entries: int) -> int | None:
    """Return how many samples a side would have to have, where it is their number that leaves it unclear."""
    fewest = fewest_samples(entries)
    few = change.direction == "unclear" and min(change.old_count, change.new_count) < fewest
    return fewest if few else None


def _ratio(old: float, new: float) -> float:
    if old == new:
        return 1.0
    return new / old if old else float("inf")


def _median(samples: Samples) -> float:
    return float(np.median(np.concatenate([np.asarray(it, float) for it in samples])))


def _drift(rows: Sequence[Row]) -> list[str]:
    """Return by how much the machine itself changed, where that is more than would count of an entry."""
    drifts = [row.change.drift for row in rows if row.change is not None and row.change.drift is not None]
    moved = [it for it in drifts if not 1 / (1 + THRESHOLD) <= it <= 1 + THRESHOLD]
    if not moved:
        return []
    words = (
        f"the machine itself: beside {len(moved)} of {len(drifts)} entries a kernel of fixed work takes "
        f"{min(moved):.2f} to {max(moved):.2f} times as long now; what changed by no more than that is unclear"
    )
    return [words]


def _differences(old: Results, new: Results) -> list[str]:
    """Return what makes the two runs hard to compare."""
    found = [
        f"{key}: {old.machine.get(key)!r} then, {new.machine.get(key)!r} now"
        for key in _MACHINE
        if old.machine.get(key) != new.machine.get(key)
    ]
    for key, usual in _SCHEDULED.items():
        then, now = (result.options.get(key, usual) for result in (old, new))
        found += [f"{key}: {then!r} then, {now!r} now"] if then != now else []
    versions = [result.machine.get("versions", {}) for result in (old, new)]
    return found + [
        f"{name}: {versions[0].get(name)} then, {versions[1].get(name)} now"
        for name in {**versions[0], **versions[1]}
        if versions[0].get(name) != versions[1].get(name)
    ]
