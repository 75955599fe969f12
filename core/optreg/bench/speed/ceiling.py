"""The limit of the machine: kernels that read and write as much memory as a step has to, and do nothing else.

Each reads a gradient, and reads and writes parameters and state in place, block by block: memory is passed once.
State that a step only reads or only writes is only read or written here, too. Mix of reads and writes, footprint and
number of threads are those of the step beside which they are sampled. Only the footprint of a slot that a step touches
more or less than once cannot be matched: it is as many bytes as pass, of which caches may keep another part. The step's
rate divided by theirs is the part of the machine that it uses. How long the blocks may be depends on the caches: a few
lengths are tried, and the fastest is the limit. Threads and arrays are NumPy's: the kernel shares no code with what it
judges.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from optreg.bench.host import usable_cores
from optreg.bench.results import SpeedEntry
from optreg.bench.speed.traffic import StateTraffic, dense_floor

CEILING = "ceiling"
PROBE = "probe"
"""Implementation and execution of the entries that measure the limit."""

AIDS = ("harness", CEILING)
"""Implementations that are measured beside the optimizers, and are none."""

FLAGGED = 1.05
"""Share of the ceiling above which a step is marked: the kernel was slowed down, or the step skips work."""

_BLOCKS = (1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 20)  # floats
_TRIALS = 3  # of each length; the quickest counts, because disturbances only make slower
_ITEM = 4  # bytes of float32


@dataclass
class Ceiling:
    """A kernel for steps over that many bytes of parameters and state.

    Args:
        parameter_bytes: Read once as gradient, read and written once as parameters.
        state: Read and written, only read, only written, each byte once.
        threads: Threads that share the work; as many as TensorFlow uses.
    """

    parameter_bytes: int
    state: StateTraffic
    threads: int = 1
    _gradient: np.ndarray = field(init=False, repr=False)
    _updated: list[np.ndarray] = field(init=False, repr=False)
    _read: list[np.ndarray] = field(init=False, repr=False)
    _written: list[np.ndarray] = field(init=False, repr=False)
    _pool: ThreadPoolExecutor | None = field(init=False, repr=False, default=None)
    _block: int = field(init=False, repr=False, default=_BLOCKS[0])

    def __post_init__(self) -> None:
        size = max(self.parameter_bytes // _ITEM, 1)
        self._gradient = np.full(size, 1e-6, np.float32)
        self._updated = [np.ones(size, np.float32), *_arrays(self.state.updated, size)]
        self._read, self._written = _arrays(self.state.read, size), _arrays(self.state.written, size)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        if size > _BLOCKS[0]:
            self.step()  # takes the memory
            self._block = min(_BLOCKS, key=lambda block: min(self._seconds(block) for _ in range(_TRIALS)))

    @property
    def traffic(self) -> int:
        """Bytes that one step moves."""
        updated, read, written = (
            sum(array.nbytes for array in arrays) for arrays in (self._updated[1:], self._read, self._written)
        )
        return dense_floor(self._gradient.nbytes, StateTraffic(updated, read, written).total)

    def step(self) -> None:
        """Pass over all memory once."""
        shares = [_share(self._gradient.size, number, self.threads) for number in range(self.threads)]
        if self._pool is None:
            self._pass(shares[0])
        else:
            list(self._pool.map(self._pass, shares))

    def close(self) -> None:
        """Let the threads and the memory go."""
        if self._pool is not None:
            self._pool.shutdown()
        self._updated, self._read, self._written, self._gradient = [], [], [], np.empty(0, np.float32)

    def _seconds(self, block: int) -> float:
        self._block = block
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start

    def _pass(self, share: tuple[int, int]) -> None:
        for start in range(share[0], share[1], self._block):
            end = min(start + self._block, share[1])
            gradient = self._gradient[start:end]
            for array in self._updated:
                part = array[start:end]
                np.add(part, gradient[: part.size], out=part)
            for array in self._read:  # the parameters of the block are still in the cache
                part = self._updated[0][start:end][: array[start:end].size]
                np.add(part, array[start:end], out=part)
            for array in self._written:
                part = array[start:end]
                np.copyto(part, gradient[: part.size])


def limits_of(entries: Iterable[SpeedEntry]) -> dict[tuple[str, str, str], SpeedEntry]:
    """Return the limit of the machine at each spot at which it was sampled."""
    return {it.spot: it for it in entries if it.implementation == CEILING and it.samples}


def usable_threads(configured: int) -> int:
    """Return the threads that TensorFlow uses; 0 stands for all cores that this process may use."""
    return configured or usable_cores()


def ladder(footprints: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(parameter_bytes, state_bytes)`` for each footprint and each mix: no state, one slot, two."""
    return [(size // (2 + slots), slots * size // (2 + slots)) for size in footprints for slots in (0, 1, 2)]


def _arrays(size: int, most: int) -> list[np.ndarray]:
    """Return arrays of so many bytes in all, none of more than ``most`` numbers."""
    full, rest = divmod(size, most * _ITEM)
    return [np.ones(count, np.float32) for count in [*[most] * full, rest // _ITEM] if count]


def _share(size: int, number: int, threads: int) -> tuple[int, int]:
    return size * number // threads, size * (number + 1) // threads
