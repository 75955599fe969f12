"""Gates: sentences such as ``step_time:median>5%`` that make a run fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optreg.bench.comparison.broken import Breakage
from optreg.bench.comparison.comparing import Row, compare_results
from optreg.bench.comparison.metrics import GATED, METRICS
from optreg.bench.results import Results
from optreg.errors import OptregError, listing, suggestion

_NEARLY_ALL = 95
STATISTICS: Mapping[str, Callable[[np.ndarray], float]] = {
    "median": lambda values: float(np.median(values)),
    "min": lambda values: float(np.min(values)),
    "mean": lambda values: float(np.mean(values)),
    "p95": lambda values: float(np.percentile(values, _NEARLY_ALL)),
}
DEFAULT_GATES = ("step_time:median>5%", "state_bytes>0")
_FORM = re.compile(r"\s*([a-z_]+)\s*(?::\s*(\w+))?\s*>\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*")


class InvalidGate(OptregError, ValueError):
    """A gate cannot be read."""


@dataclass(frozen=True)
class Gate:
    """Fails where the metric grew by more than the limit, a share of the old value if ``relative``."""

    text: str
    metric: str
    statistic: str
    limit: float
    relative: bool


@dataclass(frozen=True)
class Verdict:
    """What a gate says about one row.

    ``failed`` needs size and, where there are samples, significance; ``unclear`` is too noisy, or too few, to tell.
    """

    gate: Gate
    row: Row
    growth: float
    failed: bool
    unclear: bool


def parse_gate(text: str) -> Gate:
    """Read ``metric[:statistic]>limit`` with or without ``%``.

    Raises:
        InvalidGate: It has another form, or names a metric or statistic that does not exist or cannot be judged.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidGate(f"cannot read the gate {text!r}; write it as step_time:median>5% or state_bytes>0")
    metric, statistic, limit, percent = match[1], match[2] or "median", float(match[3]), bool(match[4])
    if metric in METRICS and metric not in GATED:
        raise InvalidGate(
            f"gate {text!r}: {metric} is one time of a run, of which none can say what is chance; "
            f"metrics that can be gated: {listing(GATED)}"
        )
    for word, allowed, kind in ((metric, GATED, "metric"), (statistic, STATISTICS, "statistic")):
        if word not in allowed:
            raise InvalidGate(
                f"gate {text!r}: unknown {kind} {word!r}; allowed: {listing(allowed)}.{suggestion(word, allowed)}"
            )
    return Gate(text, metric, statistic, limit / 100 if percent else limit, percent)


def names(gates: Sequence[Gate], breakage: Breakage) -> bool:
    """Tell whether a gate is on something that the broken entry would have had."""
    return any(METRICS[gate.metric].section == breakage.section for gate in gates)


def judge(old: Results, new: Results, gates: Sequence[Gate]) -> list[Verdict]:
    """Return the verdict of every gate on every entry that both results hold."""
    return [verdict for gate in gates for verdict in _verdicts(old, new, gate)]


def _verdicts(old: Results, new: Results, gate: Gate) -> list[Verdict]:
    threshold = gate.limit if gate.relative else 0.0
    rows = compare_results(old, new, metrics=[gate.metric], threshold=threshold).rows
    return [_verdict(row, gate) for row in rows]


def _verdict(row: Row, gate: Gate) -> Verdict:
    before, after = (STATISTICS[gate.statistic](_flat(samples)) for samples in (row.old_samples, row.new_samples))
    growth = _growth(before, after, relative=gate.relative)
    beyond = growth > gate.limit
    failed = beyond and row.worse
    return Verdict(gate, row, growth, failed, row.unclear and not failed)


def _growth(before: float, after: float, *, relative: bool) -> float:
    if not relative:
        return after - before
    if before == after:
        return 0.0
    return (after - before) / before if before else float("inf")


def _flat(samples: Sequence[Sequence[float]]) -> np.ndarray:
    return np.concatenate([np.asarray(it, float) for it in samples])
