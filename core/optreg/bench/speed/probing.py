"""The limit of the machine at several footprints: where its caches end, and what memory gives beyond them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optreg.bench.speed.ceiling import Ceiling, ladder
from optreg.bench.speed.traffic import StateTraffic
from optreg.bench.statistics import Interval, median_interval

FOOTPRINTS = tuple(1 << power for power in (18, 20, 22, 24, 26, 28, 30))
"""From 256 KiB to 1 GiB."""

_ROUNDS = 12
_PLACEMENTS = 3  # of the memory that a kernel passes: where it lies makes some percent
_SAMPLE_BYTES = 1 << 26  # smaller footprints are passed several times in one sample


@dataclass(frozen=True)
class Rung:
    """One footprint and mix: bytes a second as the median of the samples, and its interval."""

    footprint: int
    slots: int
    bytes_per_second: float
    interval: Interval
    samples: tuple[float, ...]


def probe_machine(
    footprints: Sequence[int] = FOOTPRINTS,
    *,
    threads: int = 1,
    rounds: int = _ROUNDS,
    observe: Callable[[str], object] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Rung]:
    """Measure each footprint with no state, one slot and two; the mixes of a footprint take turns.

    The rounds are shared among several placements of the memory, which is taken anew for each.
    """
    rungs: list[Rung] = []
    for footprint in footprints:
        observe(f"{footprint / 2**20:g} MiB")
        repeats = max(_SAMPLE_BYTES // footprint, 1)
        shares = [len(part) for part in np.array_split(np.arange(rounds), _PLACEMENTS)]
        placed = [_sample(footprint, threads, repeats, share, clock) for share in shares]
        for slots, parts in enumerate(zip(*placed, strict=True)):
            values = [value for part in parts for value in part]
            rungs.append(Rung(footprint, slots, float(np.median(values)), median_interval(values), tuple(values)))
    return rungs


def _sample(footprint: int, threads: int, repeats: int, rounds: int, clock: Callable[[], float]) -> list[list[float]]:
    """Return bytes a second of each mix, from kernels with memory of their own."""
    kernels = [Ceiling(size, StateTraffic(state), threads) for size, state in ladder([footprint])]
    rates: list[list[float]] = [[] for _ in kernels]
    random = np.random.default_rng(0)
    for number in range(rounds + 1):  # the first round warms up
        for index in random.permutation(len(kernels)):
            start = clock()
            for _ in range(repeats):
                kernels[index].step()
            if number:
                rates[index].append(repeats * kernels[index].traffic / (clock() - start))
    for kernel in kernels:
        kernel.close()
    return rates
