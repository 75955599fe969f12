"""Sampling: how long does one step of each contestant take, measured side by side.

Contestants take turns in rounds, in a new random order each round, so that a disturbance of the machine meets all of
them alike and samples of one round form pairs. Nothing here knows TensorFlow; the clock can be replaced.
"""

from __future__ import annotations

import functools
import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from optreg.bench.results import Sample, SpeedEntry, State
from optreg.bench.statistics import relative_half_width

Clock = Callable[[], float]

PRECISION = 0.01
"""Half width of the median's interval, relative to it, at which sampling may end."""

_MOST_STEPS = 1000  # in one sample, for steps that do nothing


@dataclass(frozen=True)
class Effort:
    """How much is sampled.

    Args:
        sample_seconds: Steps are repeated until one sample takes about this long, far above the clock's resolution.
        warm_ups: Samples taken and kept apart before the first round; at most one where a step is slower than ``slow``.
        fewest: Samples taken of each contestant even when time is short; a 95 % interval of a median needs six.
        fewest_slow: As ``fewest``, where one sample takes longer than ``slow``.
        most: Samples after which a contestant is done.
        precision: Half width of the median's interval, relative to it, at which a contestant is done.
        precise_from: Samples before ``precision`` is believed.
        slow: Seconds of a step from which on more warm-ups and samples cost more than they tell.
    """

    sample_seconds: float = 0.02
    warm_ups: int = 2
    fewest: int = 6
    fewest_slow: int = 3
    most: int = 30
    precision: float = PRECISION
    precise_from: int = 10
    slow: float = 0.25


@dataclass
class Contestant:
    """One thing to be timed, and the entry that takes its samples.

    ``step`` is called as often as a sample needs; ``wait`` returns when the work of all steps is done.
    ``elsewhere`` makes steps in another process instead, and returns the seconds that they took there.
    """

    entry: SpeedEntry
    step: Callable[[], object]
    wait: Callable[[], object]
    steps: int = 1
    spent: float = 0.0
    elsewhere: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Sampler:
    """Samples contestants in interleaved rounds.

    Args:
        effort: How much is sampled.
        observe: Called after every sample.
        clock: Returns seconds; ``time.perf_counter`` unless a test needs another.
        seed: Of the random order within rounds.
        announce: Called with label, optimizer and implementation before anything of a contestant runs.
        process: Number of this process in a run with replicas.
        ends: When even the fewest samples are no longer waited for.
    """

    effort: Effort = field(default_factory=Effort)
    observe: Callable[[], object] = lambda: None
    clock: Clock = time.perf_counter
    seed: int = 0
    announce: Callable[[str, str, str], object] = lambda *_: None
    process: int = 0
    ends: float = math.inf

    @property
    def over(self) -> bool:
        """Whether not even the fewest samples have time any more."""
        return self.clock() > self.ends

    def run(self, contestants: Sequence[Contestant], until: float) -> None:
        """Sample until ``until`` on the clock, or until all medians are precise.

        Samples are appended as they are taken, so an interrupt loses none. A contestant that raises is marked as failed
        with its reason, and the others go on. Each contestant gets the same share of the time.
        """
        for contestant in contestants:
            self._guarded(contestant, self._warm_up)
        random = np.random.default_rng([self.seed, self.process])
        share = max(until - self.clock(), 0.0) / max(len(contestants), 1)
        for round_number in range(self.effort.most):
            left = until - self.clock()
            active = [it for it in contestants if _wants_more(it, self.effort, share=share, left=left)]
            if not active or self.over:
                return
            for position, index in enumerate(random.permutation(len(active))):
                self._guarded(active[index], functools.partial(self._take, place=(round_number, position)))

    def _guarded(self, contestant: Contestant, action: Callable[[Contestant], object]) -> None:
        """Run the action; whatever an optimizer raises becomes the state of its entry."""
        if contestant.entry.state.name != "finished" or self.over:
            return
        entry = contestant.entry
        self.announce(entry.label, entry.optimizer, entry.implementation)
        try:
            action(contestant)
        except Exception as error:  # an optimizer may raise anything, and must not end the run
            contestant.entry.state = State.failed(error)
        self.observe()

    def _warm_up(self, contestant: Contestant) -> None:
        """Take the warm-up samples and choose how many steps make one sample."""
        entry, warm_ups = contestant.entry, contestant.entry.warm_ups
        if entry.execution == "eager" and (entry.first or 0.0) > self.effort.slow:
            return  # nothing is compiled in an eager step: the first one has warmed up enough
        for number in range(self.effort.warm_ups):
            warm_ups.append(self._sample(contestant, (-1, number)))
            if warm_ups[-1].seconds > self.effort.slow:
                break
        fastest = min((sample.seconds for sample in warm_ups), default=self.effort.sample_seconds)
        contestant.steps = max(1, min(_MOST_STEPS, math.ceil(self.effort.sample_seconds / max(fastest, 1e-9))))

    def _take(self, contestant: Contestant, place: tuple[int, int]) -> None:
        contestant.entry.samples.append(self._sample(contestant, place))

    def _sample(self, contestant: Contestant, place: tuple[int, int]) -> Sample:
        elapsed = self._elapsed(contestant) if contestant.elsewhere is None else contestant.elsewhere(contestant.steps)
        contestant.spent += elapsed
        return Sample(place[0], place[1], contestant.steps, elapsed / contestant.steps, self.process)

    def _elapsed(self, contestant: Contestant) -> float:
        with _collector_off():
            contestant.wait()
            start = self.clock()
            for _ in range(contestant.steps):
                contestant.step()
            contestant.wait()
            return self.clock() - start


def _wants_more(contestant: Contestant, effort: Effort, *, share: float, left: float) -> bool:
    if contestant.entry.state.name != "finished":
        return False
    count = len(contestant.entry.samples)
    # The warm-ups took time as well, and are part of what the contestant has had.
    cost = contestant.spent / max(count + len(contestant.entry.warm_ups), 1)
    if count < (effort.fewest_slow if cost > effort.slow else effort.fewest):
        return True
    if cost > left or contestant.spent + cost > share:
        return False
    return count < effort.precise_from or relative_half_width(contestant.entry.seconds) > effort.precision


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep Python's garbage collector from running inside a sample."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
