"""The self-check counts what its comparisons say; time and noise are made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optreg.bench.selfcheck import Detection, SelfCheck, selfcheck
from optreg.bench.speed import probing
from optreg.bench.speed.ceiling import Ceiling
from optreg.bench.speed.probing import probe_machine


class Machine:
    """Does units of work in a fake time, with noise of a known size."""

    def __init__(self, noise: float) -> None:
        self.now = 0.0
        self.random = np.random.default_rng(3)
        self.noise = noise

    def clock(self) -> float:
        return self.now

    def work(self, units: int) -> float:
        seconds = 1e-4 * units * (1 + self.noise * abs(self.random.normal()))
        self.now += seconds
        return seconds


def test_a_quiet_machine_never_alarms_and_finds_ten_percent_every_time() -> None:
    machine = Machine(0.01)
    done = selfcheck(work=machine.work, clock=machine.clock)
    assert (done.alarms, done.comparisons, done.complete) == (0, 100, True)
    by = {it.slowdown: it.found for it in done.detections}
    assert by[0.1] == by[0.15] == by[0.2] == 20
    assert done.smallest is not None
    assert done.smallest <= 0.1


def test_a_noisy_machine_finds_only_what_is_large() -> None:
    machine = Machine(0.5)
    done = selfcheck(work=machine.work, clock=machine.clock, slowdowns=(0.1, 3.0))
    assert done.alarms <= 1
    assert done.smallest == 3.0


class Shared(Machine):
    """A machine whose core another program shares for a fifth of the time, for up to a second at a time."""

    def work(self, units: int) -> float:
        shared = (self.now * 0.6180339887) % 1.0 < 0.2 or (int(self.now) * 7919) % 29 == 0
        seconds = super().work(units) * (1.5 if shared else 1.0)
        self.now += seconds / 3 if shared else 0.0
        return seconds


def test_a_machine_that_others_share_alarms_no_more_than_once_in_a_hundred() -> None:
    machine = Shared(0.01)
    done = selfcheck(work=machine.work, clock=machine.clock, slowdowns=(0.2,))
    assert done.comparisons == 100
    assert done.alarms <= 1


class Drifting(Machine):
    """A machine whose clock goes down or up by a tenth and more, for some seconds each time."""

    def work(self, units: int) -> float:
        begun = self.now
        seconds = super().work(units) * (1.0, 1.12, 0.95, 1.25)[int(self.now / 2.5) * 7919 % 4]
        self.now = begun + seconds
        return seconds


def test_a_machine_whose_own_speed_changes_between_runs_does_not_alarm_for_that() -> None:
    machine = Drifting(0.01)
    done = selfcheck(work=machine.work, clock=machine.clock, slowdowns=(0.4,))
    assert (done.alarms, done.comparisons) == (0, 100)
    assert done.smallest == 0.4  # and a smaller one can hide behind a clock that went up: undecided, not denied


def test_the_budget_ends_it_and_is_said() -> None:
    machine = Machine(0.01)
    done = selfcheck(work=machine.work, clock=machine.clock, budget=40.0)
    assert not done.complete
    assert done.seconds == pytest.approx(40.0, rel=0.1)


def test_what_is_smaller_than_a_slowdown_that_was_missed_does_not_count() -> None:
    lucky = SelfCheck(0, 100, (Detection(0.05, 20, 20), Detection(0.1, 3, 20), Detection(0.2, 19, 20)), 1.0)
    assert lucky.smallest == 0.2


def test_the_ladder_divides_the_bytes_moved_by_the_time() -> None:
    ticks = iter(range(1000))
    rungs = probe_machine([1 << 20], rounds=6, clock=lambda: float(next(ticks)))
    assert [rung.slots for rung in rungs] == [0, 1, 2]
    # 64 passes in a second of a fake clock over 3/2, 5/3 and 7/4 of the footprint, give or take whole floats.
    assert [rung.bytes_per_second / 2**26 for rung in rungs] == pytest.approx([3 / 2, 5 / 3, 7 / 4], rel=1e-4)


def test_the_probe_takes_memory_anew_for_a_third_of_its_rounds_each(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Ceiling] = []

    def noted(*given: Any) -> Ceiling:
        made.append(Ceiling(*given))
        return made[-1]

    monkeypatch.setattr(probing, "Ceiling", noted)
    (rung, *_) = probe_machine([1 << 18], rounds=6)
    assert len(rung.samples) == 6
    assert len(made) == 3 * 3  # placements and mixes
    assert not any(kernel._updated for kernel in made)  # let go of, or 1 GiB would become 9
