"""Every check catches what it is for: each has a broken optimizer that it alone, of what it requires, refuses."""

from __future__ import annotations

from typing import Any

import pytest

from optreg.conformance import all_checks, validate

from .mutants import all_mutants

MUTANTS = all_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_caught_by_its_check_and_by_none_that_this_one_requires(mutant: Any) -> None:
    report = validate(mutant, checks=[mutant.caught_by])
    troubled = {result.id for result in report.results if result.status != "passed"}
    assert troubled == {mutant.caught_by}
    caught = next(result for result in report.results if result.id == mutant.caught_by)
    assert caught.status in {"failed", "warned"}
    assert caught.message
    assert caught.likely_cause


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.title)
def test_every_check_has_a_mutant(check: Any) -> None:
    assert check.id in {mutant.caught_by for mutant in MUTANTS}


def test_every_mutant_names_a_check_that_exists() -> None:
    assert {mutant.caught_by for mutant in MUTANTS} <= {check.id for check in all_checks()}
