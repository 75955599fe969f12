from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest

from optreg.bench.results import SpeedEntry
from optreg.bench.speed.timing import Contestant, Effort, Sampler
from optreg.bench.statistics import ratio_of_medians

Entries = Callable[..., SpeedEntry]


class FakeClock:
    """Time that only passes while a step is made."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def contestant(self, entry: SpeedEntry, seconds: float) -> Contestant:
        def step() -> None:
            self.now += seconds
            self.order.append(entry.implementation)

        return Contestant(entry, step, lambda: None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_the_seconds_of_a_sample_are_those_of_one_step(clock: FakeClock, make_entry: Entries) -> None:
    entry = make_entry()
    Sampler(Effort(sample_seconds=0.02), clock=clock).run([clock.contestant(entry, 0.003)], until=10.0)
    assert [sample.seconds for sample in entry.samples] == pytest.approx([0.003] * len(entry.samples))
    assert {sample.steps for sample in entry.samples} == {7}  # 7 * 3 ms is the first above 20 ms


def test_between_two_looks_at_the_clock_there_are_the_steps_and_nothing_else(make_entry: Entries) -> None:
    calls: list[str] = []

    def clock() -> float:
        return 0.0

    def step() -> None: ...

    def wait() -> None: ...

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event in ("call", "c_call"):
            calls.append(frame.f_code.co_name if event == "call" else called.__name__)

    contestant = Contestant(make_entry(), step, wait, steps=1000)
    sys.setprofile(note)
    try:
        Sampler(clock=clock)._elapsed(contestant)
    finally:
        sys.setprofile(None)
    first, second = (place for place, name in enumerate(calls) if name == "clock")
    assert calls[first + 1 : second] == ["step"] * 1000 + ["wait"]


def test_warm_ups_are_kept_apart_from_samples(clock: FakeClock, make_entry: Entries) -> None:
    entry = make_entry()
    Sampler(Effort(warm_ups=2), clock=clock).run([clock.contestant(entry, 0.1)], until=10.0)
    assert [(sample.round, sample.position) for sample in entry.warm_ups] == [(-1, 0), (-1, 1)]
    assert all(sample.round >= 0 for sample in entry.samples)


def test_sampling_stops_as_soon_as_the_median_is_precise(clock: FakeClock, make_entry: Entries) -> None:
    entry = make_entry()
    Sampler(Effort(precise_from=10, most=50), clock=clock).run([clock.contestant(entry, 0.05)], until=1e9)
    assert len(entry.samples) == 10


@pytest.mark.parametrize(("effort", "most"), [(Effort(precision=-1.0), 30), (Effort(precision=-1.0, most=300), 300)])
def test_sampling_stops_after_thirty_samples_or_as_many_as_shall_be_taken(
    clock: FakeClock, make_entry: Entries, effort: Effort, most: int
) -> None:
    entry = make_entry()
    Sampler(effort, clock=clock).run([clock.contestant(entry, 0.05)], until=1e9)
    assert len(entry.samples) == most


def test_sampling_stops_when_the_time_is_up(clock: FakeClock, make_entry: Entries) -> None:
    entry = make_entry()
    effort = Effort(warm_ups=1, fewest=3, precision=-1.0, most=100)
    Sampler(effort, clock=clock).run([clock.contestant(entry, 0.1)], until=1.05)
    assert 8 <= len(entry.samples) <= 9
    assert clock.now <= 1.05


def test_even_without_time_the_fewest_samples_are_taken(clock: FakeClock, make_entry: Entries) -> None:
    quick, slow = make_entry("quick"), make_entry("slow")
    contestants = [clock.contestant(quick, 0.02), clock.contestant(slow, 2.0)]
    Sampler(Effort(fewest=6, fewest_slow=3), clock=clock).run(contestants, until=0.0)
    assert (len(quick.samples), len(slow.samples)) == (6, 3)


def test_a_slow_contestant_does_not_take_the_samples_of_a_quick_one(clock: FakeClock, make_entry: Entries) -> None:
    quick, slow = make_entry("quick"), make_entry("slow")
    contestants = [clock.contestant(quick, 0.1), clock.contestant(slow, 2.0)]
    Sampler(Effort(precision=-1.0, most=30), clock=clock).run(contestants, until=20.0)
    assert len(slow.samples) < 6
    assert len(quick.samples) == 30


def test_contestants_take_turns_in_changing_order(clock: FakeClock, make_entry: Entries) -> None:
    names = ["a", "b", "c"]
    contestants = [clock.contestant(make_entry(name), 0.1) for name in names]
    Sampler(Effort(warm_ups=1, precision=-1.0, most=20), clock=clock).run(contestants, until=1e9)
    rounds = [tuple(clock.order[start : start + 3]) for start in range(3, len(clock.order), 3)]
    assert all(sorted(turn) == names for turn in rounds)
    assert len(set(rounds)) > 1


class Drifting(FakeClock):
    """Time on a machine that slowly becomes up to half as slow again, and quick again, beginning anywhere in that."""

    def __init__(self, phase: float) -> None:
        super().__init__()
        self._phase = phase

    def contestant(self, entry: SpeedEntry, seconds: float) -> Contestant:
        def step() -> None:
            self.now += seconds * (1 + 0.25 * math.sin(self.now / 5 + self._phase))

        return Contestant(entry, step, lambda: None)


def test_turns_take_a_drift_of_the_machine_out_of_the_ratio(make_entry: Entries) -> None:
    def ratio(phase: float, *, turns: bool) -> float:
        ours, theirs = make_entry(), make_entry("keras")
        clock = Drifting(phase)
        contestants = [clock.contestant(ours, 0.1), clock.contestant(theirs, 0.125)]
        for together in [contestants] if turns else [[it] for it in contestants]:
            Sampler(Effort(precision=-1.0, most=20), clock=clock).run(together, until=1e9)
        return ratio_of_medians(theirs.seconds, ours.seconds)[0]

    phases = np.linspace(0, 2 * math.pi, 12, endpoint=False)
    in_turns, one_by_one = ([ratio(phase, turns=turns) for phase in phases] for turns in (True, False))
    assert np.mean(in_turns) == pytest.approx(1.25, rel=0.01)
    assert np.std(in_turns) < 0.02
    assert np.std(one_by_one) > 0.1


def test_a_contestant_that_raises_is_marked_and_the_others_go_on(clock: FakeClock, make_entry: Entries) -> None:
    broken, sound = make_entry("broken"), make_entry("sound")
    calls = []

    def step() -> None:
        calls.append(1)
        if len(calls) > 4:
            raise ValueError("worn out\nsecond line")

    contestants = [Contestant(broken, step, lambda: None, steps=1), clock.contestant(sound, 0.1)]
    Sampler(Effort(sample_seconds=0.0, precise_from=10), clock=clock).run(contestants, until=1e9)
    assert (broken.state.name, broken.state.reason) == ("failed", "ValueError: worn out")
    assert (sound.state.name, len(sound.samples)) == ("finished", 10)


def test_an_interrupt_keeps_the_samples_taken_so_far(clock: FakeClock, make_entry: Entries) -> None:
    entry = make_entry()

    def observe() -> None:
        if len(entry.samples) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sampler(Effort(precision=-1.0), observe, clock).run([clock.contestant(entry, 0.1)], until=1e9)
    assert len(entry.samples) == 4


def test_the_garbage_collector_rests_during_a_sample_and_works_after_it(clock: FakeClock, make_entry: Entries) -> None:
    seen = []
    contestant = Contestant(make_entry(), lambda: seen.append(gc.isenabled()), lambda: None)
    Sampler(Effort(sample_seconds=0.0, most=6), clock=clock).run([contestant], until=1.0)
    assert set(seen) == {False}
    assert gc.isenabled()


def test_every_sample_waits_for_the_device(clock: FakeClock, make_entry: Entries) -> None:
    events: list[str] = []
    contestant = Contestant(make_entry(), lambda: events.append("step"), lambda: events.append("wait"))
    Sampler(Effort(sample_seconds=0.0, warm_ups=0, most=1, fewest=1), clock=clock).run([contestant], until=0.0)
    assert events == ["wait", "step", "wait"]
