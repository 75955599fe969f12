"""What a comparison can see on this very machine: how often it cries wolf, and the smallest slowdown that it finds.

Work of known size is measured again and again as if each time were a run of its own, and neighbouring runs go through
the same comparison as two results files. Equal work must not alarm; work made longer by a known part must be found.
A run lasts a second, as an entry does that is sampled in turns with others: what else a machine does comes and goes in
tenths of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optreg.bench.comparison.comparing import compare_results
from optreg.bench.results import Results, Sample, SpeedEntry
from optreg.bench.speed.ceiling import CEILING, PROBE, Ceiling, usable_threads
from optreg.bench.speed.traffic import StateTraffic
from optreg.bench.statistics import THRESHOLD

UNITS = 100
"""Pieces of work in a step; a slowdown of 3 % makes it 103."""

LIMIT_UNITS = 25
"""Pieces of work in a sample of the limit, which is taken beside each step as in a run of the benchmark."""

ENOUGH = 0.95
"""Share of the comparisons that must find a slowdown for it to count as detectable."""

SLOWDOWNS = (0.06, 0.08, 0.1, 0.15, 0.2)
_RUN_SECONDS = 1.0
_UNIT_BYTES = 1 << 17  # a sample takes some milliseconds: of a busy machine most fall between two disturbances

Work = Callable[[int], float]
"""Does that many units and returns the seconds they took."""


@dataclass(frozen=True)
class Detection:
    """Of so many comparisons with this slowdown, so many found it."""

    slowdown: float
    found: int
    comparisons: int


@dataclass(frozen=True)
class SelfCheck:
    """What was counted.

    ``smallest`` is the least slowdown from which on all are found as often as ``ENOUGH`` says; None if there is none.
    ``complete`` is False where time ran out first.
    """

    alarms: int
    comparisons: int
    detections: tuple[Detection, ...]
    seconds: float
    complete: bool = True

    @property
    def smallest(self) -> float | None:
        """The smallest detectable slowdown."""
        smallest = None
        for detection in sorted(self.detections, key=lambda it: -it.slowdown):
            if not detection.comparisons or detection.found < ENOUGH * detection.comparisons:
                break
            smallest = detection.slowdown
        return smallest


def selfcheck(  # noqa: PLR0913 - every one has a default, and tests replace the machine
    *,
    comparisons: int = 100,
    repetitions: int = 20,
    slowdowns: Sequence[float] = SLOWDOWNS,
    budget: float = 240.0,
    work: Work | None = None,
    observe: Callable[[str], object] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
) -> SelfCheck:
    """Compare equal work ``comparisons`` times, and work with each slowdown ``repetitions`` times.

    Args:
        comparisons: Of equal work.
        repetitions: Of each slowdown.
        slowdowns: As parts of the work, 0.1 for 10 %.
        budget: Seconds; what does not fit is left out and ``complete`` says so.
        work: What is measured; a kernel that moves memory by default.
        observe: Called with a few words before each part.
        clock: Returns seconds.
    """
    begun = clock()
    work = work or _kernel()
    work(UNITS)
    observe(f"{comparisons} comparisons of equal work")
    alarms, done = _count(work, 0.0, comparisons, until=begun + budget / 2, clock=clock)
    detections = []
    for number, slowdown in enumerate(slowdowns):
        observe(f"{repetitions} comparisons with {slowdown:.0%} more work")
        share = (begun + budget - clock()) / (len(slowdowns) - number)
        found, made = _count(work, slowdown, repetitions, until=clock() + share, clock=clock)
        detections.append(Detection(slowdown, found, made))
    complete = done == comparisons and all(it.comparisons == repetitions for it in detections)
    return SelfCheck(alarms, done, tuple(detections), clock() - begun, complete)


def _count(
    work: Work, slowdown: float, comparisons: int, *, until: float, clock: Callable[[], float]
) -> tuple[int, int]:
    """Return how many comparisons of neighbours saw a difference, and how many were made until the time was over.

    Every other run has the slowdown, and is the new one for both of its neighbours.
    """
    found, made = 0, 0
    old = _run(work, 0.0, clock)
    while made < comparisons and clock() < until:
        new = _run(work, slowdown if made % 2 == 0 else 0.0, clock)
        pair = (old, new) if made % 2 == 0 else (new, old)
        rows = compare_results(*pair, metrics=["step_time"], threshold=THRESHOLD).rows
        found += any(row.worse or (row.better and not slowdown) for row in rows)
        made, old = made + 1, new
    return found, made


def _run(work: Work, slowdown: float, clock: Callable[[], float]) -> Results:
    """Return results as a run of its own would have found them."""
    units, begun = round(UNITS * (1 + slowdown)), clock()
    entry = SpeedEntry("work", "selfcheck", "eager", "units", "cpu:0")
    limit = SpeedEntry("work", CEILING, PROBE, "units", "cpu:0")
    while clock() - begun < _RUN_SECONDS:
        entry.samples.append(Sample(len(entry.samples), 0, 1, work(units)))
        limit.samples.append(Sample(len(limit.samples), 1, 1, work(LIMIT_UNITS)))
    return Results("", speed=[entry, limit])


def _kernel() -> Work:
    kernel = Ceiling(_UNIT_BYTES, StateTraffic(2 * _UNIT_BYTES), usable_threads(1))

    def work(units: int) -> float:
        start = time.perf_counter()
        for _ in range(units):
            kernel.step()
        return time.perf_counter() - start

    return work
