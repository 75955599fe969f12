from __future__ import annotations

import pytest

from optreg.bench import EXECUTIONS, LAYOUTS, MODES, SUITES, Options, suite_options
from optreg.bench.landscapes.functions import LANDSCAPES
from optreg.bench.quality.programme import programme
from optreg.bench.tasks.catalogue import BUILT_IN, UnknownSuite, select_tasks
from optreg.errors import UnknownOptimizer


def test_the_promised_times_are_those_of_the_documentation() -> None:
    assert {name: suite.seconds for name, suite in SUITES.items()} == {
        "smoke": 20,
        "quick": 120,
        "standard": 900,
        "full": 7200,
    }


def test_the_budget_grows_with_the_optimizers_but_for_smoke() -> None:
    assert suite_options("smoke", ["sgd", "adam"]).budget == 20
    assert suite_options("quick", ["sgd", "adam", "sgd"]).budget == 240  # each once
    assert suite_options("standard", ["sgd[momentum=0.9]"]).budget == 900
    with pytest.raises(UnknownOptimizer):
        suite_options("quick", ["no-such-*"])


def test_what_is_given_counts_more_than_what_the_suite_says() -> None:
    options = suite_options("quick", ["sgd"], seeds=7, budget=30.0, modes=["speed"])
    assert (options.seeds, options.budget, options.modes, options.suite) == (7, 30.0, ["speed"], "quick")


def test_every_suite_holds_what_the_smaller_one_holds() -> None:
    smaller = suite_options("smoke", ["sgd"])
    for name in ("quick", "standard", "full"):
        larger = suite_options(name, ["sgd"])
        for field in ("layouts", "modes", "executions"):
            assert set(getattr(smaller, field)) <= set(getattr(larger, field)), (name, field)
        assert smaller.seeds <= larger.seeds
        assert smaller.trials <= larger.trials
        assert set(select_tasks(suite=smaller.suite)) <= set(select_tasks(suite=name))
        smaller = larger


def test_full_leaves_nothing_out() -> None:
    options = suite_options("full", ["sgd"])
    assert (set(options.layouts), set(options.modes)) == (set(LAYOUTS), set(MODES))
    assert set(options.executions) == set(EXECUTIONS)
    plan = programme(options.modes, suite="full")
    assert set(BUILT_IN) <= set(plan.offers)
    assert plan.landscapes == list(LANDSCAPES)


def test_a_run_without_a_suite_is_what_it_was() -> None:
    assert (Options().suite, Options().budget, Options().seeds) == ("smoke", 100.0, 5)


def test_an_unknown_suite_is_named_with_its_nearest() -> None:
    with pytest.raises(UnknownSuite, match=r"unknown suite 'quik'; suites: smoke, quick, standard, full\. Did you"):
        suite_options("quik")
