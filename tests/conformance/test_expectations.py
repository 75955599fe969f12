"""Expected failures: declared in the card with reason and expiry, and strict in every direction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from optreg.cards import ExpectedFailure
from optreg.conformance import Report, parametrize_with_checks, validate

from .mutants.hygiene import Prints
from .mutants.numerics import CubesTheGradient
from .mutants.persistence import SavesADefault
from .mutants.sound import SoundDense
from .mutants.sparse import IsLazyAndSaysExact, SortsTheRows

PRINTS = "check_nothing_is_printed"


def expecting(cls: Any, *entries: ExpectedFailure) -> Any:
    """Return the class with a card that expects these failures."""
    return type(cls.__name__, (cls,), {"card": replace(cls.card, expected_failures=entries)})


def become(report: Report, check: str) -> tuple[str, str]:
    return next((result.status, result.message) for result in report.results if result.id == check)


def test_a_declared_failure_is_expected_and_the_optimizer_conforms() -> None:
    report = validate(expecting(Prints, ExpectedFailure(PRINTS, "Progress is shown.", until="999.0")), checks=[PRINTS])
    status, message = become(report, PRINTS)
    assert status == "expected"
    assert message.startswith("expected until 999.0: Progress is shown. text on standard output")
    assert report.ok
    assert report.ledger.expected == 1
    assert report.ledger.ran == report.ledger.passed + 1


def test_a_declared_failure_that_does_not_happen_fails() -> None:
    report = validate(expecting(SoundDense, ExpectedFailure(PRINTS, "It did.", until="999.0")), checks=[PRINTS])
    assert become(report, PRINTS)[0] == "failed"
    assert "passes, though the card expects a failure until 999.0 (It did.)" in become(report, PRINTS)[1]
    assert not report.ok


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (ExpectedFailure("check_nothing_is_printd", "It is.", "9"), "no check 'check_nothing_is_printd'. Did you mean"),
        (ExpectedFailure(PRINTS, "", "9"), "check_nothing_is_printed has no reason"),
        (ExpectedFailure(PRINTS, "It is.", ""), "has no expiry: write until='<first version of optreg in which it"),
        (ExpectedFailure(PRINTS, "It is.", "soon"), "until must be a version such as '1.2', received 'soon'"),
        (ExpectedFailure(PRINTS, "It is.", "0.0.9"), "expired: it was expected until optreg 0.0.9, and this is 0."),
        (ExpectedFailure("check_repeated_rows_are_summed", "No.", "9"), "does not apply to this card"),
        (ExpectedFailure("check_expected_failures_are_in_order", "No.", "9"), "cannot be expected to fail itself"),
    ],
)
def test_an_entry_that_is_not_in_order_fails_whatever_checks_are_run(entry: ExpectedFailure, problem: str) -> None:
    report = validate(expecting(SoundDense, entry), checks=["it_can_be_built"])
    status, message = become(report, "check_expected_failures_are_in_order")
    assert status == "failed"
    assert problem in message
    assert not report.ok


def test_an_entry_that_is_not_in_order_excuses_nothing() -> None:
    report = validate(expecting(Prints, ExpectedFailure(PRINTS, "It is.", until="0.0.1")), checks=[PRINTS])
    assert become(report, PRINTS)[0] == "failed"


def test_an_entry_given_twice_is_told() -> None:
    entry = ExpectedFailure(PRINTS, "It is.", until="999")
    report = validate(expecting(Prints, entry, entry), checks=[PRINTS])
    assert "check_nothing_is_printed is declared twice" in become(report, "check_expected_failures_are_in_order")[1]


def test_a_failure_of_one_variant_is_a_failure_and_can_be_expected() -> None:
    check = "check_an_optimizer_rebuilt_from_its_config_takes_the_same_steps"
    report = validate(expecting(SavesADefault, ExpectedFailure(check, "Nesterov is lost.", "999")), checks=[check])
    assert become(report, check)[0] == "expected"


def test_an_expected_failure_hides_no_check_that_requires_it() -> None:
    required, dependant = (
        "check_a_sparse_gradient_of_all_rows_equals_the_dense_one",
        "check_absent_rows_move_as_with_zeros",
    )

    class Both(SortsTheRows, IsLazyAndSaysExact):
        card = replace(IsLazyAndSaysExact.card, expected_failures=(ExpectedFailure(required, "Sorted.", "999"),))

    report = validate(Both, checks=[dependant])
    assert become(report, required)[0] == "expected"
    assert become(report, dependant)[0] == "failed"


def test_a_recommendation_that_is_not_followed_can_be_declared_too() -> None:
    check = "check_huge_and_tiny_gradients_keep_everything_finite"
    report = validate(expecting(CubesTheGradient, ExpectedFailure(check, "It cubes.", "999")), checks=[check])
    assert become(report, check)[0] == "expected"
    assert report.ledger.warned == 0


@pytest.mark.parametrize(
    ("version", "until", "holds"),
    [
        ("1.2", "1.3", True),
        ("1.10", "1.9", False),
        ("1.3.0", "1.3", False),
        ("1.3.dev4", "1.3", True),
        ("1.3rc1", "1.3", True),
        ("1.3.post1", "1.3", False),
        ("1.3+local", "1.3", False),
        ("2.0", "2.0rc1", False),
    ],
)
def test_an_entry_holds_before_its_version_is_released(
    version: str, until: str, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optreg.conformance.subject.version", lambda _: version)
    report = validate(expecting(Prints, ExpectedFailure(PRINTS, "It is.", until)), checks=[PRINTS])
    assert become(report, PRINTS)[0] == ("expected" if holds else "failed")


def test_pytest_marks_an_expected_failure_as_such_and_fails_the_others() -> None:
    def outcome(cls: Any) -> None:
        (case,) = [one for one in parametrize_with_checks([cls], checks=[PRINTS]).mark.args[1] if "printed" in one.id]
        optimizer, check = case.values
        check(optimizer)

    entry = ExpectedFailure(PRINTS, "Progress is shown.", until="999.0")
    with pytest.raises(pytest.xfail.Exception, match="Progress is shown"):
        outcome(expecting(Prints, entry))
    with pytest.raises(pytest.fail.Exception, match="passes, though the card expects a failure"):
        outcome(expecting(SoundDense, entry))
