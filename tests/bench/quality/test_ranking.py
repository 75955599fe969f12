from __future__ import annotations

import math

import pytest

from optreg.bench.quality.ranking import outcomes, standings
from optreg.bench.quality.records import TaskRecord
from optreg.bench.results import Evaluation, State, TrainingRun


def task(name: str = "easy", **fields: object) -> TaskRecord:
    return TaskRecord(name, "", "optreg", metric="accuracy", steps=100, epoch=10, target=0.9, **fields)  # type: ignore[arg-type]


def run_of(optimizer: str, hit: int | None, *, final: float = 0.95, seed: int = 0, name: str = "easy") -> TrainingRun:
    """A run that starts at 0.5, has 0.92 from the step ``hit`` on, and ends with ``final`` after 100 steps."""
    run = TrainingRun(optimizer, "optreg", name, "cpu:0", seed, planned=100)
    run.losses = [1.0] * 100
    run.seconds = 2.0
    looks = [Evaluation(0, 1.0, 0.5, 0.0)]
    if hit is not None:
        looks.append(Evaluation(hit, 1.0, 0.92, hit / 50))
    run.evaluations = [*looks, Evaluation(100, 1.0, final if hit is not None else 0.6, 2.0)]
    return run


def test_times_to_the_target_come_in_steps_epochs_and_seconds_with_misses_kept() -> None:
    [found] = outcomes([run_of("a", 20), run_of("a", None, seed=1), run_of("a", 40, seed=2)], [task()])
    assert found.steps is not None
    assert found.epochs is not None
    assert found.seconds is not None
    assert found.steps.times == (20, None, 40)
    assert found.epochs.times == (2, None, 4)
    assert found.seconds.times == (0.4, None, 0.8)
    # (20 + 40 + 100) / 2 steps and (0.4 + 0.8 + 2) / 2 seconds until a success
    assert (found.steps.expected, found.seconds.expected) == (80, pytest.approx(1.6))


def test_the_target_counts_from_the_first_look_even_if_it_is_lost_again() -> None:
    [found] = outcomes([run_of("a", 20, final=0.8)], [task()])
    assert found.steps is not None
    assert found.steps.times == (20,)


def test_a_run_that_has_not_got_to_its_planned_end_gives_no_verdict() -> None:
    run = run_of("a", 20)
    run.evaluations = run.evaluations[:-1]
    run.state = State("skipped", "out of time")
    [found] = outcomes([run], [task()])
    assert found.provisional
    assert found.finals == (None,)
    assert standings([run], [task()]) == []


def test_a_run_that_still_goes_on_gives_no_verdict_either() -> None:
    run = run_of("a", 20)
    run.evaluations = run.evaluations[:-1]
    assert run.state.name == "finished"  # nothing has gone wrong so far
    assert outcomes([run], [task()])[0].provisional


def test_a_metric_better_than_can_be_true_is_marked() -> None:
    fair, leaked = run_of("a", 20, final=0.97), run_of("b", 20, final=1.0)
    found = {it.optimizer: it.too_good for it in outcomes([fair, leaked], [task(plausible=0.98)])}
    assert found == {"a": False, "b": True}


def test_a_gap_below_zero_is_too_good_as_well() -> None:
    record = TaskRecord(
        "convex", "", "optreg", metric="gap", higher_is_better=False, steps=100, target=0.1, plausible=-1e-9
    )
    run = run_of("a", 20, final=-1e-3, name="convex")
    assert outcomes([run], [record])[0].too_good


def test_scores_are_zero_at_the_start_and_one_at_the_target() -> None:
    # By hand: from 0.5 to 0.9 the final 0.7 is half of the way; a broken run counts as not having moved.
    half, broken = run_of("a", 20, final=0.7), run_of("a", 20, seed=1)
    broken.state = State("diverged", "the loss is nan")
    [found] = outcomes([half, broken], [task()])
    assert found.score is not None
    assert found.score.value == pytest.approx(0.25)


def test_gaps_are_scored_by_their_logarithm_and_no_better_than_reached() -> None:
    record = TaskRecord("convex", "", "optreg", metric="gap", higher_is_better=False, steps=100, target=1e-4)
    run = run_of("a", 20, name="convex")
    run.evaluations = [Evaluation(0, 1.0, 1.0), Evaluation(100, 1.0, 1e-2)]
    assert outcomes([run], [record])[0].score.value == pytest.approx(0.5)  # type: ignore[union-attr]
    run.evaluations = [Evaluation(0, 1.0, 1.0), Evaluation(100, 1.0, 1e-9)]
    [standing] = standings([run], [record])
    assert standing.score.value == 1


def two_tasks(optimizer: str, easy: int | None, hard: int | None) -> list[TrainingRun]:
    runs = [run_of(optimizer, easy, seed=seed) for seed in (0, 1, 2)]
    return runs + [run_of(optimizer, hard, seed=seed, name="hard") for seed in (0, 1, 2)]


def test_the_standing_against_the_first_is_a_geometric_mean_over_tasks() -> None:
    training = two_tasks("anchor", 40, 80) + two_tasks("fast", 10, 40) + two_tasks("lame", 40, None)
    fast, anchor, lame = standings(training, [task(), task("hard")])
    assert [it.optimizer for it in (fast, anchor, lame)] == ["fast", "anchor", "lame"]
    assert fast.speed_up == pytest.approx(math.sqrt(4 * 2))
    assert anchor.speed_up == 1
    assert lame.speed_up == pytest.approx(math.sqrt(1 * 80 / 200))  # a miss costs twice the budget of 100
    assert (fast.tasks, fast.runs, fast.reached, lame.reached) == (2, 6, 6, 3)
    assert fast.resolved
    assert not anchor.resolved


def test_another_optimizer_does_not_change_the_order_or_the_speed_up_of_the_others() -> None:
    training = two_tasks("anchor", 40, 80) + two_tasks("fast", 10, 40) + two_tasks("slow", 50, 90)
    tasks = [task(), task("hard")]
    before = {it.optimizer: it.speed_up for it in standings(training, tasks)}
    after = standings(training + two_tasks("hopeless", None, None), tasks)
    assert {it.optimizer: it.speed_up for it in after if it.optimizer != "hopeless"} == before
    assert [it.optimizer for it in after] == ["fast", "anchor", "slow", "hopeless"]


def test_a_task_that_somebody_has_not_run_counts_for_nobody() -> None:
    training = two_tasks("anchor", 40, 80) + [run_of("late", 10, seed=seed) for seed in (0, 1, 2)]
    assert {it.tasks for it in standings(training, [task(), task("hard")])} == {1}


def test_a_difference_that_seeds_explain_is_not_resolved() -> None:
    anchor = [run_of("anchor", hit, seed=seed) for seed, hit in enumerate((20, 40, 60))]
    other = [run_of("other", hit, seed=seed) for seed, hit in enumerate((60, 40, 20))]
    found = {it.optimizer: it for it in standings(anchor + other, [task()])}
    assert not found["other"].resolved
    assert found["other"].beats_anchor.value == 0.5
