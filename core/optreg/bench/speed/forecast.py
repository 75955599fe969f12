"""How long an entry of the benchmark will take, so that the budget is kept and the remaining time can be shown.

First guesses are costs per tensor seen on a small machine. As soon as an entry has run on a layout of many tensors,
what it took there forecasts the next layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from optreg.bench.contenders import OURS
from optreg.bench.results import SpeedEntry
from optreg.bench.speed.ceiling import CEILING, PROBE
from optreg.bench.speed.hook_cost import VARIANTS
from optreg.bench.speed.timing import Effort

Key = tuple[str, str]

# Seconds per tensor until the first step is done, and for each step: (implementation, execution) -> (set-up, step).
_FIRST_GUESS: Mapping[Key, tuple[float, float]] = {
    ("harness", "eager"): (0.0, 1e-6),
    ("harness", "graph"): (0.001, 3e-6),
    (CEILING, PROBE): (0.0, 0.0),
    ("optreg", "eager"): (0.002, 3e-4),
    ("optreg", "graph"): (0.005, 4e-5),
    ("tf_keras", "eager"): (0.002, 3e-4),
    ("tf_keras", "graph"): (0.005, 4e-5),
    ("keras", "eager"): (0.005, 3e-3),
    ("keras", "graph"): (0.022, 5e-5),
    ("torch", "eager"): (0.003, 1e-4),
    ("torch fused", "eager"): (0.003, 5e-5),
    ("torch compiled", "xla"): (0.05, 5e-5),
    ("optax", "xla"): (0.02, 1e-4),
    # With a trace of their own, for the case that the graph is not measured.
    ("harness", "xla"): (0.002, 3e-6),
    ("optreg", "xla"): (0.02, 4e-5),
    ("tf_keras", "xla"): (0.02, 4e-5),
    ("keras", "xla"): (0.035, 5e-5),
}
_UNKNOWN = (0.03, 3e-3)
_SETUP_FLOOR = 0.3  # seconds
_STARTING: Mapping[str, float] = {"torch": 8.0, "torch fused": 8.0, "torch compiled": 45.0, "optax": 8.0}
"""Seconds until the process of a foreign library has loaded and compiled what it needs."""

_FUSED_BYTES_PER_SECOND = 12e9
_UNFUSED_BYTES_PER_SECOND = 1.5e9  # arithmetic that writes every intermediate result to memory
_UNFUSED = "keras"
_CREATION_BYTES_PER_SECOND = 1e9
_MANY_TENSORS = 100
_MOST_SLOWNESS = 4.0
_CALLS, _SLOW_CALLS = 8, 4  # warm-ups and the fewest samples, for steps below and above _SLOW seconds
_SLOW = 0.25
_SHORTEST_SAMPLE = 0.02  # seconds


@dataclass
class Forecast:
    """Forecasts costs in seconds and learns from entries that have run."""

    _learned: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    _guessed: float = 0.0
    _taken: float = 0.0

    @property
    def slowness(self) -> float:
        """How many times longer set-up takes on this machine than first guessed."""
        if not self._guessed:
            return 1.0
        return min(max(self._taken / self._guessed, 1 / _MOST_SLOWNESS), _MOST_SLOWNESS)

    def least_seconds(self, entry: SpeedEntry) -> float:
        """Return the time until the entry has its fewest samples, set-up included."""
        setup, step = self._per_tensor(entry)
        # 28 bytes a parameter: float32 with two slots, the common case, before the real slots are known.
        moved = 28 * entry.parameters if entry.implementation != "harness" else 0
        fused = entry.implementation != _UNFUSED or entry.execution == "xla"
        speed = _FUSED_BYTES_PER_SECOND if fused else _UNFUSED_BYTES_PER_SECOND
        setup_seconds = (
            _SETUP_FLOOR
            + _STARTING.get(entry.implementation, 0.0)
            + setup * entry.tensors
            + moved / _CREATION_BYTES_PER_SECOND / 4
        )
        step_seconds = max(step * entry.tensors + moved / speed, _SHORTEST_SAMPLE)
        return setup_seconds + step_seconds * (_SLOW_CALLS if step_seconds > _SLOW else _CALLS)

    def likely_seconds(self, entry: SpeedEntry, effort: Effort) -> float:
        """Return the time until the entry has all the samples it may take."""
        _, step = self._per_tensor(entry)
        further = max(effort.most - effort.fewest, 0) * max(step * entry.tensors, effort.sample_seconds)
        return self.least_seconds(entry) + further

    def learn(self, entries: Iterable[SpeedEntry]) -> None:
        """Take over what entries on many tensors took; entries on few say nothing about the cost of a tensor."""
        for entry in entries:
            if entry.tensors >= _MANY_TENSORS and entry.samples:
                parts = sum(seconds or 0.0 for seconds in (entry.build, entry.trace, entry.first))
                setup = max(parts - _SETUP_FLOOR, 0.0)
                self._guessed += _guess(entry)[0] * entry.tensors
                self._taken += setup
                self._learned[_identity(entry)] = (
                    setup / entry.tensors,
                    float(np.median(entry.seconds)) / entry.tensors,
                )

    def _per_tensor(self, entry: SpeedEntry) -> tuple[float, float]:
        setup, step = _guess(entry)
        return self._learned.get(_identity(entry), (setup * self.slowness, step))


def _guess(entry: SpeedEntry) -> tuple[float, float]:
    implementation = OURS if entry.implementation in VARIANTS else entry.implementation
    return _FIRST_GUESS.get((implementation, entry.execution), _UNKNOWN)


def _identity(entry: SpeedEntry) -> tuple[str, str, str]:
    return entry.optimizer, entry.implementation, entry.execution
