"""What must turn a run red does: a check deleted, a skip added, an expected failure misspelt or expired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import optreg
from optreg.cards import API_VERSION, ExpectedFailure
from optreg.conformance import (
    BASELINE,
    Skipped,
    all_checks,
    catalogue,
    parametrize_with_checks,
    select_checks,
    validate,
)
from optreg.conformance.checks import fresh_process, hygiene
from optreg.conformance.definition import check
from optreg.conformance.fresh_process import Continuation

from .ledgers import recorded
from .mutants.hygiene import Prints

GROUP = ["hygiene", "structure"]
PRINTED = "check_nothing_is_printed"


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the process that one check of the group starts: what it finds is not asked here."""
    monkeypatch.setattr(fresh_process, "continued_in_a_child", lambda subject: Continuation([], [], 0, True))


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A function that replaces the check of what is printed, or deletes it."""

    def change(function: Any = None) -> None:
        if function is None:
            monkeypatch.delattr(hygiene, PRINTED)
        else:
            function.__name__, function.__module__ = PRINTED, hygiene.__name__
            monkeypatch.setattr(hygiene, PRINTED, check("It prints.")(function))
        catalogue.all_checks.cache_clear()

    yield change
    monkeypatch.undo()
    catalogue.all_checks.cache_clear()


def wanted() -> list[str]:
    """Return what ran on SGD when its ledger was recorded, of two groups."""
    return [one.id for one in select_checks(groups=GROUP) if one.id in recorded()["sgd"]["ran"]]


def test_without_a_change_the_run_is_green() -> None:
    report = validate("sgd", groups=GROUP, baseline=wanted())
    assert report.ok
    assert report.problems == ()
    parametrize_with_checks(["sgd"], groups=GROUP, baseline=wanted())


def test_a_deleted_check_turns_the_run_red(changed: Any) -> None:
    changed(None)
    report = validate("sgd", checks=["it_can_be_built"])
    assert report.problems == (f"{PRINTED} is in the baseline and no longer among the checks",)
    assert not report.ok
    with pytest.raises(optreg.InvalidFilter, match="check_nothing_is_printed is in the baseline and no longer"):
        parametrize_with_checks(["sgd"])


def test_a_check_deleted_with_its_promise_turns_the_run_of_a_plugin_red(
    changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = wanted()
    changed(None)
    monkeypatch.setitem(
        BASELINE,  # type: ignore[arg-type]
        API_VERSION,
        tuple(name for name in BASELINE[API_VERSION] if name != PRINTED),
    )
    report = validate("sgd", groups=GROUP, baseline=own)
    assert report.problems == (
        f"{PRINTED} is in the baseline and did not run: it was not asked for, or does not exist",
    )
    assert not validate("sgd", groups=GROUP, baseline=len(own)).ok
    assert validate("sgd", groups=GROUP, baseline=len(own) - 1).ok
    for baseline in (own, len(own)):
        with pytest.raises(optreg.InvalidFilter, match="baseline"):
            parametrize_with_checks(["sgd"], groups=GROUP, baseline=baseline)


def test_an_added_skip_turns_the_run_red_where_the_baseline_asks_for_the_check(changed: Any) -> None:
    own = wanted()

    def skipping(subject: Any) -> None:
        """Nothing is printed."""
        raise Skipped("not today")

    changed(skipping)
    assert validate("sgd", groups=GROUP).ok
    report = validate("sgd", groups=GROUP, baseline=own)
    assert report.problems == (f"{PRINTED} is in the baseline and did not run: it was skipped (not today)",)
    assert not report.ok
    assert not validate("sgd", groups=GROUP, baseline=len(own)).ok
    for baseline, outcome in ((own, pytest.fail), (len(own), pytest.fail), (None, pytest.skip)):
        cases = parametrize_with_checks(["sgd"], groups=GROUP, baseline=baseline).mark.args[1]
        optimizer, run = next(case.values for case in cases if case.id == "sgd-nothing_is_printed")
        with pytest.raises(outcome.Exception, match="not today"):
            run(optimizer)


@pytest.mark.parametrize(
    ("check_id", "until"), [("check_nothing_is_printd", "999"), (PRINTED, "0.0.1")], ids=["misspelt", "expired"]
)
def test_a_misspelt_or_expired_expected_failure_turns_the_run_red(check_id: str, until: str) -> None:
    def card(name: str, end: str) -> Any:
        return replace(Prints.card, expected_failures=(ExpectedFailure(name, "Progress is shown.", end),))

    sound = type("Prints", (Prints,), {"card": card(PRINTED, "999")})
    assert validate(sound, checks=[PRINTED]).ok
    broken = type("Prints", (Prints,), {"card": card(check_id, until)})
    report = validate(broken, checks=[PRINTED])
    assert {result.id for result in report.with_status("failed")} == {PRINTED, "check_expected_failures_are_in_order"}
    assert not report.ok


def test_the_baseline_of_the_present_api_holds_every_check() -> None:
    promised = [name for api, names in BASELINE.items() for name in names]
    assert sorted(promised) == sorted(one.id for one in all_checks())
    assert {one.since for one in all_checks()} <= set(BASELINE)
