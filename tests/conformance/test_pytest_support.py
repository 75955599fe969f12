"""``parametrize_with_checks``: what it collects, and how a result becomes an outcome of pytest."""

from __future__ import annotations

from typing import Any

import pytest

import optreg
from optreg.conformance import all_checks, parametrize_with_checks

from .mutants.numerics import CubesTheGradient
from .mutants.sound import SoundDense
from .mutants.structure import RaisesInTheUpdate


def cases_of(*optimizers: Any, **selection: Any) -> dict[str, tuple[Any, Any]]:
    """Return (optimizer, check) by the name of the test."""
    mark = parametrize_with_checks(optimizers, **selection).mark
    return {case.id: case.values for case in mark.args[1]}


def outcome_of(name: str, cases: dict[str, tuple[Any, Any]]) -> None:
    optimizer, check = cases[name]
    check(optimizer)


def test_tests_are_called_by_optimizer_and_sentence() -> None:
    cases = cases_of("adam", SoundDense, groups=["sparse"])
    assert "adam-repeated_rows_are_summed" in cases
    assert "SoundDense-an_undeclared_sparse_gradient_is_refused" in cases


def test_only_checks_that_apply_to_the_card_are_collected() -> None:
    assert "SoundDense-repeated_rows_are_summed" not in cases_of(SoundDense)
    lazy = {name for name in cases_of("sgd") if name.startswith("sgd-")}
    assert "sgd-absent_rows_stay" in lazy
    assert "sgd-absent_rows_move_as_with_zeros" not in lazy
    assert len(lazy) < len(all_checks())


def test_a_target_is_read_without_being_imported() -> None:
    assert "optreg_classic.sgd:SGD-absent_rows_stay" in cases_of("optreg_classic.sgd:SGD")


def test_a_failure_fails_with_message_and_likely_cause() -> None:
    cases = cases_of(RaisesInTheUpdate)
    with pytest.raises(pytest.fail.Exception, match=r"a mistake of the author(.|\n)*likely cause: The update method"):
        outcome_of("RaisesInTheUpdate-a_first_step_can_be_made", cases)


def test_a_test_whose_prerequisite_was_shown_to_fail_is_skipped_as_blocked() -> None:
    cases = cases_of(RaisesInTheUpdate)
    with pytest.raises(pytest.fail.Exception):
        outcome_of("RaisesInTheUpdate-a_first_step_can_be_made", cases)
    with pytest.raises(pytest.skip.Exception, match="blocked: requires check_a_first_step_can_be_made, which failed"):
        outcome_of("RaisesInTheUpdate-gradients_are_left_as_they_were", cases)


def test_a_test_whose_prerequisite_was_deselected_fails_as_blocked() -> None:
    cases = cases_of(RaisesInTheUpdate)
    with pytest.raises(pytest.fail.Exception, match="blocked: requires check_a_first_step_can_be_made, which failed"):
        outcome_of("RaisesInTheUpdate-gradients_are_left_as_they_were", cases)


def test_a_recommendation_becomes_a_warning() -> None:
    with pytest.warns(UserWarning, match="check_huge_and_tiny_gradients_keep_everything_finite: .*finite numbers"):
        outcome_of("CubesTheGradient-huge_and_tiny_gradients_keep_everything_finite", cases_of(CubesTheGradient))


def test_a_parametrization_without_tests_is_refused() -> None:
    with pytest.raises(optreg.InvalidFilter, match="no check to run"):
        parametrize_with_checks([])
    with pytest.raises(optreg.InvalidFilter, match="no check to run"):
        parametrize_with_checks([SoundDense], checks=["repeated_rows_are_summed"])


def test_a_misspelt_name_is_refused_when_tests_are_collected() -> None:
    with pytest.raises(optreg.UnknownOptimizer, match="Did you mean 'adam'"):
        parametrize_with_checks(["adan"])
