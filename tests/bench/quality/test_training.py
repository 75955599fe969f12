from __future__ import annotations

import time

from tests.bench.quality.problems import bowl

import optreg
from optreg.bench.progress import Turn
from optreg.bench.quality.training import train
from optreg.bench.results import TrainingRun
from optreg.bench.subjects import LegacyContract
from optreg.bench.tasks.catalogue import BUILT_IN
from optreg.bench.tasks.task import Task


def run_of(name: str = "adam", task: str = "digits") -> TrainingRun:
    return TrainingRun(name, "optreg", task, "cpu:0", 0)


BOWL = Task("bowl", "a bowl", bowl, steps=4, metric="distance", higher_is_better=False, target=0.1)


def descent(rate: float) -> LegacyContract:
    return LegacyContract(optreg.get_optimizer("sgd", learning_rate=rate))


def test_a_run_records_the_loss_before_every_step_and_the_metric_between() -> None:
    run = run_of("sgd", "bowl")
    train(lambda: descent(0.5), BOWL, bowl(0, 4), run)
    assert run.losses == [0.5, 0.125, 0.03125, 0.0078125]
    assert [(look.step, look.metric) for look in run.evaluations] == [
        (0, 1),
        (1, 0.5),
        (2, 0.25),
        (3, 0.125),
        (4, 0.0625),
    ]
    assert (run.planned, run.state.name) == (4, "finished")


def test_time_between_looks_grows_and_ends_at_the_time_of_the_run() -> None:
    run = run_of("sgd", "bowl")
    train(lambda: descent(0.5), BOWL, bowl(0, 4), run)
    seconds = [look.seconds for look in run.evaluations]
    assert seconds[0] == 0
    assert seconds == sorted(seconds)
    assert seconds[-1] == run.seconds > 0


def test_adam_learns_the_digits_as_well_as_the_literature_says() -> None:
    # scikit-learn's own example reaches 97 % with a support vector machine; a network of this size is above 95 %.
    run = run_of()
    task = BUILT_IN["digits"]
    train(lambda: LegacyContract(optreg.get_optimizer("adam")), task, task.make(0, 440), run)
    assert run.state.name == "finished"
    assert 0.95 < run.evaluations[-1].metric < task.plausible
    assert run.losses[-1] < 0.1


def test_a_learning_rate_that_is_far_too_high_is_a_divergence_with_its_step() -> None:
    run = run_of("sgd", "bowl")
    train(lambda: descent(1e4), BOWL, bowl(0, 4), run)
    assert run.state.name == "diverged"
    assert run.state.reason == "the loss is 5e+07 after 1 steps"


def test_a_run_that_passes_its_time_says_how_far_it_got() -> None:
    run = run_of("sgd", "bowl")
    train(lambda: descent(0.5), BOWL, bowl(0, 4), run, Turn(time.perf_counter()))
    assert (run.state.name, run.state.reason) == ("skipped", "out of time after 1 of 4 steps")


def test_what_an_optimizer_raises_becomes_the_state_of_the_run() -> None:
    def refuse() -> LegacyContract:
        raise OSError("no licence server")

    run = run_of("sgd", "bowl")
    train(refuse, BOWL, bowl(0, 4), run)
    assert (run.state.name, run.state.reason) == ("failed", "OSError: no licence server")
