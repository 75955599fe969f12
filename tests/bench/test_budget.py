"""The budget is kept, however wrong the forecasts are: time is made here, by the steps of fake optimizers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import tensorflow as tf

from optreg.bench import Layout
from optreg.bench.contenders import OURS, Contender
from optreg.bench.landscapes import descent
from optreg.bench.landscapes.expedition import Expedition
from optreg.bench.landscapes.functions import LANDSCAPES
from optreg.bench.machine import select_devices
from optreg.bench.progress import Clock
from optreg.bench.quality.programme import programme
from optreg.bench.quality.study import Regime, Study
from optreg.bench.results import Results, Subject
from optreg.bench.selection import parse_choice
from optreg.bench.speed.campaign import Campaign, Extent
from optreg.bench.speed.stand import Idle
from optreg.bench.tasks.catalogue import select_tasks

BUDGET = 20.0


class Time:
    """Passes only while something is done."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


class Slow(Idle):
    """Takes a fake time to be built, and for each step, also within a graph."""

    def __init__(self, time: Time, *, build: float = 0.0, step: float = 0.0) -> None:
        super().__init__()
        self._time, self._build, self._step = time, build, step

    def build(self, values: Sequence[Any]) -> None:
        super().build(values)
        self._time.passes(self._build)

    def step(self, gradients: Sequence[Any]) -> None:
        tf.py_function(lambda: self._time.passes(self._step), [], [])


@pytest.fixture
def time() -> Time:
    return Time()


def field(number: int, make: Callable[[], Slow]) -> list[Contender]:
    names = [f"slow-{place}" for place in range(number)]
    return [Contender(name, OURS, make, Subject(name, OURS, "", "")) for name in names]


@pytest.fixture
def slow_harness(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fake step that does nothing take time, or a sample would have a thousand of them."""
    idle = Contender("-", "harness", lambda: Slow(time, step=0.02), Subject("-", "harness", "", ""))
    monkeypatch.setattr("optreg.bench.speed.campaign.harness", lambda: idle)


@pytest.mark.usefixtures("slow_harness")
@pytest.mark.parametrize(
    ("build", "step"), [(0.0, 0.02), (0.0, 0.1), (0.0, 1.0), (0.5, 0.02), (1.9, 0.02)], ids=lambda it: f"{it:g}s"
)
def test_speed_is_measured_within_the_budget_whatever_building_and_a_step_take(
    time: Time, build: float, step: float
) -> None:
    clock = Clock(BUDGET, timer=time)
    contenders = field(12, lambda: Slow(time, build=build, step=step))
    campaign = Campaign(contenders, clock, Extent(["eager", "graph"]))
    table = Layout("table", ((8, 2),), gradient_rows=2)  # a sparse layout has no kernel beside it
    entries = campaign.plan([table], select_devices(["cpu:0"]))
    campaign.everything()
    assert time.now - clock.started <= 1.1 * BUDGET
    assert len([entry for entry in entries if entry.samples]) >= 4
    for entry in entries:
        assert bool(entry.samples) == (entry.state.name == "finished"), entry
    reasons = [entry.state.reason for entry in entries if not entry.samples]
    assert all("budget" in reason or "out of time" in reason for reason in reasons), reasons


@pytest.mark.parametrize("step", [1e-4, 0.01, 0.1], ids=lambda it: f"{it:g}s")
def test_training_ends_with_its_part_of_the_budget_whatever_a_step_takes(time: Time, step: float) -> None:
    clock, results = Clock(BUDGET, timer=time), Results("")
    contenders = field(3, lambda: Slow(time, step=step))
    study = Study(contenders, select_tasks(["ridge"]), results, clock=clock, regime=Regime(seeds=3))
    study.everything(until=clock.started + BUDGET / 2)
    assert time.now - clock.started <= 1.1 * BUDGET / 2
    assert len(results.training) == 9
    for run in results.training:
        whole = len(run.losses) == run.planned
        assert whole == (run.state.name == "finished"), run.state
        assert whole or "out of time" in run.state.reason or "no time" in run.state.reason
    assert (results.training[-1].state.name == "finished") == (step < 0.001)


@pytest.mark.parametrize(
    ("ahead", "share"),
    [(math.inf, 20.0), (90.0, 20.0), (70.0, 25.0), (30.0, 85.0)],
    ids=["no forecast", "all of it", "little to spare", "plenty"],
)
def test_training_goes_on_where_later_modes_will_not_need_their_share(time: Time, ahead: float, share: float) -> None:
    clock = Clock(100.0, timer=time, ahead=lambda: ahead)
    plan = programme(["training", "landscapes", "speed"])
    assert plan.until("training", clock, own=20.0) - clock.started == pytest.approx(share)


@pytest.mark.parametrize(("seconds", "made"), [(0.1, 6), (3.0, 4), (50.0, 1)])
def test_descents_begin_only_while_there_is_time_and_the_others_say_so(
    time: Time, monkeypatch: pytest.MonkeyPatch, seconds: float, made: int
) -> None:
    monkeypatch.setattr("optreg.bench.landscapes.expedition.descend", lambda *_: time.passes(seconds))
    clock = Clock(BUDGET, timer=time)
    choices = [parse_choice(name) for name in ("sgd", "adam", "adagrad")]
    expedition = Expedition(choices, LANDSCAPES[:2], clock=clock, extent=descent.Extent(search=None))
    expedition.everything(until=clock.started + BUDGET / 2)
    assert time.now - clock.started == pytest.approx(made * seconds)
    states = [(it.state.name, it.state.reason) for it in expedition.descents]
    assert states == [("finished", "")] * made + [("skipped", "no time; raise --budget")] * (6 - made)
