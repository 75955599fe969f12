from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf

import optreg
from optreg.bench import Judgement, Options, Problem, Results, Task, document, ranked, run, training_rows
from optreg.bench.quality.searching import SEARCH_SEED
from optreg.bench.tasks.catalogue import BUILT_IN, UnknownSuite, UnknownTask, select_tasks
from optreg.registry.contributions import ContributionFailure


def bowl(seed: int, steps: int) -> Problem:
    """A bowl of condition 100 in two dimensions; the metric is the distance from its bottom."""
    start = np.random.default_rng(seed).normal(size=2).astype(np.float32)
    curvatures = tf.constant([1.0, 0.01])
    return Problem(
        [start],
        tf.zeros([steps]),
        lambda weights, _: tf.reduce_sum(curvatures * weights[0] ** 2) / 2,
        lambda weights: Judgement(tf.reduce_sum(weights[0] ** 2), tf.norm(weights[0])),
        "bowl",
        {"at the bottom": 0.0},
    )


BOWL = Task("bowl", "a bowl", bowl, steps=40, metric="distance", higher_is_better=False, target=0.3)


@pytest.fixture
def options(quick: Options) -> Options:
    return replace(quick, modes=("training",), tasks=("bowl",), epochs=None, trials=5, budget=900)


def test_defaults_search_and_tuned_runs_are_all_in_the_results(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd"], options)
    settings = [(it.setting, it.seed) for it in found.training]
    assert settings == [("default", 0), ("default", 1), ("tuned", 0), ("tuned", 1)]
    [search] = found.searches
    assert {attempt.learning_rate for attempt in search.attempts} == {1e-4, 1e-3, 1e-2, 1e-1, 1.0}
    assert (search.chosen, search.edge) == (1.0, "highest")  # the best of a bowl of curvature 1 is nearly 2
    assert search.steps == 5 * 40
    assert len(search.expected_best) == 5
    assert search.expected_best == sorted(search.expected_best, reverse=True)
    assert {it.learning_rate for it in found.training if it.setting == "tuned"} == {1.0}
    assert SEARCH_SEED not in {it.seed for it in found.training}


def test_all_optimizers_start_at_the_same_loss_to_the_bit(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd", "adam"], options)
    for seed in (0, 1):
        assert len({it.losses[0] for it in found.training if it.seed == seed}) == 1


def test_a_task_of_a_plugin_is_in_every_table_like_ours(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd", "adam"], options)
    [record] = found.tasks
    assert (record.origin, record.version, record.fingerprint) == ("crockery", "1.2", "bowl")
    rows = {(row.optimizer, row.setting): row for row in training_rows(found)}
    assert rows["sgd", "tuned"].metric.median < rows["sgd", "default"].metric.median  # type: ignore[union-attr]
    assert {it.optimizer for it in ranked(found)} == {"sgd", "adam"}
    plain = document(found)
    assert plain["tasks"][0]["name"] == "bowl"
    assert plain["summary"]["standings"][0]["speed_up"] > 0


def test_a_suite_holds_the_tasks_of_all_plugins(contributed: Any) -> None:
    contributed(BOWL, replace(BOWL, name="digits"))
    assert {"digits", "cancer", "bowl", "crockery_tools/digits"} == set(select_tasks(suite="smoke"))


def test_a_task_that_raises_is_a_row_with_its_reason_and_stops_nothing(contributed: Any, options: Options) -> None:
    def burst(seed: int, steps: int) -> Problem:
        raise RuntimeError("[bold]the kiln\x1b[0m burst")

    contributed(BOWL, replace(BOWL, name="kiln", make=burst))
    found = run(["sgd"], replace(options, tasks=("kiln", "bowl")))
    assert [(it.name, it.state.name) for it in found.tasks] == [("kiln", "failed"), ("bowl", "finished")]
    assert found.tasks[0].state.reason.startswith("RuntimeError: [bold]the kiln")
    assert {it.state.name for it in found.training if it.task == "kiln"} == {"failed"}
    assert {it.state.name for it in found.training if it.task == "bowl"} == {"finished"}


def test_a_plugin_that_cannot_contribute_is_a_row(contributed: Any, options: Options) -> None:
    failure = ContributionFailure("crockery", "1.2", "crockery_tools", "bench_workloads", "ImportError: no clay")
    contributed(BOWL, failures=(failure,))
    found = run(["sgd"], replace(options, trials=0))
    assert [(it.name, it.origin, it.state.reason) for it in found.tasks][1:] == [
        ("crockery_tools", "crockery", "ImportError: no clay")
    ]


def test_data_that_are_not_installed_skip_the_task_with_the_extra_to_install(
    contributed: Any, options: Options
) -> None:
    contributed(replace(BOWL, name="far", needs=(optreg.bench.Need("no-such-wheel", extra="mnist"),)))
    found = run(["sgd"], replace(options, tasks=("far",), trials=3))
    reasons = {it.state.reason for it in [*found.tasks, *found.training, *found.searches]}
    assert reasons == {"needs no-such-wheel: pip install 'optreg[mnist]'"}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("bowl", "must return a list of optreg.bench.Task"),
        (replace(BOWL, name=" "), "a task needs a name"),
        (replace(BOWL, steps=0), "steps must be a whole number of at least 1, received 0"),
        (replace(BOWL, make=None), "make must be a function, received None"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_task_is_refused_with_the_reason(value: Any, complaint: str) -> None:
    from optreg.bench.tasks.catalogue import _objection

    assert complaint in _objection(value)


def test_a_learning_rate_that_was_given_or_does_not_exist_is_not_tuned(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd[learning_rate=0.5]"], options)
    assert found.searches[0].state.reason == "its learning rate was given"
    assert {it.setting for it in found.training} == {"default"}


def test_a_search_in_which_everything_breaks_says_so(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd"], replace(options, rates=(1e6, 1e7)))
    [search] = found.searches
    assert search.state.name == "failed"
    assert search.state.reason.startswith("no learning rate of 2 led to the end: diverged: the loss is")


def test_epochs_shorten_a_task_and_the_record_says_so(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd"], replace(options, epochs=5, trials=0))
    assert (found.tasks[0].steps, found.tasks[0].shortened) == (20, True)  # a half of ten
    assert {len(it.losses) for it in found.training} == {20}


def test_a_budget_that_is_over_marks_everything_that_was_planned(contributed: Any, options: Options) -> None:
    contributed(BOWL)
    found = run(["sgd"], replace(options, budget=0.0))
    assert {it.state.name for it in [*found.training, *found.searches]} == {"skipped"}
    assert ranked(found) == []


def test_answers_that_leak_into_the_data_are_noticed(contributed: Any, options: Options) -> None:
    contributed(replace(BOWL, plausible=0.29))
    found: Results = run(["sgd"], replace(options, rates=(1.0,)))
    assert {row.setting: row.outcome.too_good for row in training_rows(found)}["tuned"]


@pytest.mark.parametrize("leaks", [False, True], ids=["clean", "leaking"])
def test_digits_whose_images_hold_their_class_are_too_good(
    quick: Options, monkeypatch: pytest.MonkeyPatch, *, leaks: bool
) -> None:
    images, classes = sklearn.datasets.load_digits(return_X_y=True)
    if leaks:
        images[:, :30] = 16 * np.tile(np.eye(10)[classes], 3)
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda **_: (images, classes))
    found = run(["sgd[momentum=0.9,learning_rate=0.02]"], replace(quick, modes=("training",), seeds=1, epochs=2))
    [row] = training_rows(found)
    assert row.outcome.too_good == leaks, found.training[0].evaluations[-1]


def test_unknown_tasks_and_suites_are_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownTask, match=r"unknown task 'digit'; tasks: .*Did you mean 'digits'\?"):
        select_tasks(["digit"])
    with pytest.raises(
        UnknownSuite, match=r"unknown suite 'quik'; suites: smoke, quick, standard, full\. Did you mean"
    ):
        select_tasks(suite="quik")
    assert set(select_tasks(suite="standard")) >= set(BUILT_IN)
