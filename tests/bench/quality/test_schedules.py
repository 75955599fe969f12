"""Schedules of the learning rate: what every step of a run is made with, down to its planned end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.bench.quality.problems import bowl

import optreg
from optreg.bench import Judgement, Options, Problem, Task, document, ranked, run
from optreg.bench.comparison import compare_results
from optreg.bench.progress import Turn
from optreg.bench.quality.rates import Rates
from optreg.bench.quality.records import Search
from optreg.bench.quality.rows import complete_seeds
from optreg.bench.quality.schedules import SCHEDULES, WARMUP, Schedule, schedule_named
from optreg.bench.quality.searching import search
from optreg.bench.quality.training import train
from optreg.bench.results import History, OtherPlan, State, TrainingRun, read_journal
from optreg.bench.results.thawing import thaw
from optreg.bench.subjects import Keras3, LegacyContract, Subject
from optreg.errors import InvalidFilter


def slope(seed: int, steps: int) -> Problem:
    """One number from 0, whose gradient is 1 everywhere: descent goes down by its learning rate in every step."""
    return Problem(
        [np.float32([0.0])],
        tf.zeros([steps]),
        lambda weights, _: tf.reduce_sum(weights[0]),
        lambda weights: Judgement(tf.reduce_sum(weights[0]), tf.reduce_sum(weights[0])),
        "slope",
    )


BOWL = Task("bowl", "a bowl", bowl, steps=4, metric="distance", higher_is_better=False)
SLOPE = Task("slope", "a slope", slope, steps=40, metric="height", higher_is_better=False, target=-0.1)

MAKES: dict[str, Callable[[float], Subject]] = {
    "optreg": lambda rate: LegacyContract(optreg.get_optimizer("sgd", learning_rate=rate)),
    "tf_keras": lambda rate: LegacyContract(tf_keras.optimizers.legacy.SGD(rate)),
    "keras": lambda rate: Keras3(keras.optimizers.SGD(rate)),
}


def trained(make: Callable[[], Subject], task: Task, steps: int, schedule: Schedule) -> TrainingRun:
    found = TrainingRun("sgd", "optreg", task.name, "cpu:0", 0, schedule=schedule)
    train(make, task, task.make(0, steps), found)
    return found


@pytest.fixture
def options(quick: Options) -> Options:
    return replace(quick, modes=("training",), tasks=("slope",), epochs=None, schedule="linear")


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_descent_under_a_schedule_goes_where_the_hand_says(make: Callable[[float], Subject]) -> None:
    # Four steps, one of them warm-up: factors 1/2, 1, 2/3, 1/3. At rate 1/2 what is left is 3/4, 1/2, 2/3, 5/6 of it.
    found = trained(lambda: make(0.5), BOWL, 4, Schedule("linear", 0.25))
    distances = [look.metric for look in found.evaluations]
    assert distances == pytest.approx([1, 3 / 4, 3 / 8, 1 / 4, 5 / 24], rel=1e-6)
    # Half a wave over three steps: (1 + cos 0) / 2 = 1, (1 + cos 60) / 2 = 3/4, (1 + cos 120) / 2 = 1/4.
    found = trained(lambda: make(0.5), BOWL, 4, Schedule("cosine", 0.25))
    distances = [look.metric for look in found.evaluations]
    assert distances == pytest.approx([1, 3 / 4, 3 / 8, 15 / 64, 105 / 512], rel=1e-6)


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_every_step_is_made_with_the_rate_that_keras_computes_and_the_last_one_before_zero(
    make: Callable[[float], Subject],
) -> None:
    found = trained(lambda: make(0.5), SLOPE, 40, Schedule("cosine", 0.1))
    heights = [*found.losses, found.evaluations[-1].loss]
    made_with = -np.diff(heights)
    decay = tf_keras.optimizers.schedules.CosineDecay(0.5, 36)
    expected = [0.1, 0.2, 0.3, 0.4, *(float(decay(step)) for step in range(36))]  # four of forty warm up
    np.testing.assert_allclose(made_with, expected, atol=1e-5)
    assert float(decay(36)) == 0  # which the step after the last would have had
    assert 0 < made_with[-1] < 0.002


@pytest.mark.parametrize("steps", [1, 2, 7, 40])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 0.99])
def test_factors_rise_and_then_fall_as_the_decays_of_keras_do(steps: int, warmup: float) -> None:
    rising = min(round(warmup * steps), steps - 1)
    decays = {
        "linear": tf_keras.optimizers.schedules.PolynomialDecay(1.0, steps - rising, 0.0),
        "cosine": tf_keras.optimizers.schedules.CosineDecay(1.0, steps - rising),
        "constant": lambda _: 1.0,
    }
    assert set(decays) == set(SCHEDULES)
    for name, decay in decays.items():
        found = Schedule(name, warmup).factors(steps)
        upward = np.linspace(0, 1, rising + 2)[1:-1]
        np.testing.assert_allclose(found[:rising], upward, rtol=1e-12)
        np.testing.assert_allclose(found[rising:], [float(decay(step)) for step in range(steps - rising)], atol=1e-6)
        assert (found > 0).all()


def test_the_horizon_is_the_planned_end_for_everybody_in_every_setting(contributed: Any, options: Options) -> None:
    # Of 40 steps two warm up: 1/3 + 2/3 + (1 + ... + 38) / 38 = 20.5 learning rates in all. Of 20, which five epochs
    # leave, one does: 1/2 + (1 + ... + 19) / 19 = 10.5.
    contributed(SLOPE)
    for epochs, steps, in_all in ((None, 40, 20.5), (5, 20, 10.5)):
        asked = replace(options, epochs=epochs, rates=(0.1, 0.2), against=("tf_keras", "keras"))
        found = run(["sgd"], asked)
        assert {it.planned for it in found.training} == {steps}
        depths = {(it.implementation, it.setting): -it.evaluations[-1].metric for it in found.training}
        by_default = pytest.approx(0.01 * in_all, rel=1e-5)
        assert depths == {
            ("optreg", "default"): by_default,
            ("tf_keras", "default"): by_default,
            ("keras", "default"): by_default,
            ("optreg", "tuned"): pytest.approx(0.2 * in_all, rel=1e-5),
        }
        tried = {it.learning_rate: -(it.metric or 0) for it in found.searches[0].attempts}
        assert tried == pytest.approx({0.1: 0.1 * in_all, 0.2: 0.2 * in_all}, rel=1e-5)


def test_the_three_implementations_are_given_the_same_rates_to_the_bit(contributed: Any, options: Options) -> None:
    contributed(SLOPE)
    found = run(["sgd"], replace(options, schedule="cosine", seeds=1, against=("tf_keras", "keras")))
    assert len(found.training) == 3
    assert len({tuple(it.losses) for it in found.training}) == 1


def test_a_constant_rate_is_trained_as_without_a_schedule(contributed: Any, options: Options) -> None:
    contributed(SLOPE)
    [plain, *_] = run(["sgd"], replace(options, schedule="constant")).training
    assert plain.schedule.is_constant
    assert plain.evaluations[-1].metric == pytest.approx(-0.4, rel=1e-5)


def test_a_warm_up_alone_stays_where_it_has_got_to(contributed: Any, options: Options) -> None:
    contributed(SLOPE)
    [found, *_] = run(["sgd"], replace(options, schedule="constant", warmup=0.1)).training
    # 1/5 + 2/5 + 3/5 + 4/5 + 36
    assert found.evaluations[-1].metric == pytest.approx(-0.38, rel=1e-5)


@pytest.mark.usefixtures("misbehaving")
def test_an_optimizer_without_a_rate_to_set_is_skipped_and_costs_nobody_a_seed(
    contributed: Any, options: Options
) -> None:
    contributed(SLOPE)
    found = run(["hoarding", "sgd"], replace(options, rates=(0.1,)))
    states = {(it.optimizer, it.state.name, it.state.reason) for it in found.training}
    reason = "it has no learning rate that the schedule linear could set at every step"
    assert states == {("hoarding", "skipped", reason), ("sgd", "finished", "")}
    assert {it.optimizer: it.state.name for it in found.searches} == {"hoarding": "skipped", "sgd": "finished"}
    assert [(it.optimizer, it.setting, it.runs) for it in ranked(found)] == [("sgd", "tuned", 2), ("sgd", "default", 2)]
    assert found.unusable == []
    assert {it.state.name for it in run(["hoarding"], replace(options, schedule="constant")).training} == {"finished"}


def test_seeds_that_ran_out_of_time_are_left_out_beside_one_that_cannot_follow() -> None:
    def made(name: str, seed: int, state: str) -> TrainingRun:
        return TrainingRun(name, "optreg", "slope", "cpu:0", seed, state=State(state))  # type: ignore[arg-type]

    runs = [made("a", 0, "finished"), made("a", 1, "skipped"), made("b", 0, "finished"), made("b", 1, "finished")]
    runs += [made("never", 0, "skipped"), made("never", 1, "skipped")]
    assert [(it.optimizer, it.seed) for it in complete_seeds(runs)] == [("a", 0), ("b", 0), ("never", 0)]


def test_a_search_whose_rates_cannot_be_scheduled_ends_at_the_first() -> None:
    record = Search("sgd", "slope", 3, schedule=Schedule("linear"))
    asked: list[float] = []

    def make(rate: float) -> Callable[[], Subject]:
        asked.append(rate)
        own = tf_keras.optimizers.schedules.CosineDecay(rate, 10)
        return lambda: LegacyContract(tf_keras.optimizers.legacy.SGD(own))

    search(make, SLOPE, record, plan=Rates(3), turn=Turn())
    assert (record.state.name, len(asked), record.attempts) == ("skipped", 1, [])
    assert record.state.reason == "it has no learning rate that the schedule linear could set at every step"


def test_a_schedule_of_the_optimizers_own_is_not_overruled() -> None:
    own = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert trained(lambda: Keras3(keras.optimizers.SGD(own)), SLOPE, 4, Schedule("linear")).state.name == "skipped"


def test_results_say_which_schedule_each_run_followed(contributed: Any, options: Options) -> None:
    contributed(SLOPE)
    plain = document(run(["sgd"], replace(options, warmup=0.25, rates=(0.1,))))
    assert (plain["options"]["schedule"], plain["options"]["warmup"]) == ("linear", 0.25)
    records = [*plain["training"], *plain["searches"]]
    assert len(records) == 2 + 2 + 1
    assert [it["schedule"] for it in records] == [{"name": "linear", "warmup": 0.25}] * len(records)
    assert thaw(TrainingRun, plain["training"][0]).schedule == Schedule("linear", 0.25)
    older = {key: value for key, value in plain["training"][0].items() if key != "schedule"}
    assert thaw(TrainingRun, older).schedule.is_constant
    newer = plain["training"][0] | {"schedule": {"name": "sawtooth", "warmup": 0.0, "teeth": 3}}
    assert thaw(TrainingRun, newer).schedule.name == "sawtooth"


def test_a_run_is_not_resumed_with_another_schedule(contributed: Any, options: Options, tmp_path: Path) -> None:
    contributed(SLOPE)
    run(["sgd"], options, history=History(tmp_path / "j"))
    again = run(["sgd"], options, history=read_journal(tmp_path / "j"))
    assert len(again.resumed) == 1
    with pytest.raises(OtherPlan, match="other options: schedule='linear', and now schedule='cosine'"):
        run(["sgd"], replace(options, schedule="cosine"), history=read_journal(tmp_path / "j"))
    with pytest.raises(OtherPlan, match=r"other options: warmup=None, and now warmup=0\.5"):
        run(["sgd"], replace(options, warmup=0.5), history=read_journal(tmp_path / "j"))


def test_a_comparison_of_two_schedules_warns(contributed: Any, options: Options) -> None:
    contributed(SLOPE)
    old, new = (run(["sgd"], replace(options, schedule=name, seeds=1)) for name in ("constant", "cosine"))
    del old.options["schedule"]  # as results were written before there were any
    assert "schedule: 'constant' then, 'cosine' now" in compare_results(old, new).warnings
    assert not [it for it in compare_results(new, new).warnings if "schedule" in it]


def test_schedules_are_named_with_their_usual_warm_up() -> None:
    assert schedule_named("cosine") == Schedule("cosine", WARMUP)
    assert schedule_named("constant") == Schedule()
    assert schedule_named("linear", 0.0) == Schedule("linear")
    assert Schedule().words == ""
    assert schedule_named("cosine", 0.025).words == "learning rate cosine, warm-up over 2.5 % of the steps"


@pytest.mark.parametrize(
    ("name", "warmup", "complaint"),
    [
        ("cosin", None, r"unknown schedule 'cosin'; allowed: constant, cosine, linear\. Did you mean 'cosine'\?"),
        ("linear", 1.0, r"a share of the steps in \[0, 1\), received 1"),
        ("linear", -0.1, r"received -0\.1"),
        ("constant", float("nan"), "received nan"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_one(name: str, warmup: float | None, complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint):
        schedule_named(name, warmup)
