"""The catalogue: every check is described, ordered after what it requires, and found by name or group."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import optreg
from optreg.conformance import all_checks, groups, select_checks
from optreg.conformance.catalogue import with_required
from optreg.conformance.definition import check


def test_every_check_stands_after_what_it_requires() -> None:
    seen: set[str] = set()
    for known in all_checks():
        assert set(known.requires) <= seen
        seen.add(known.id)


@pytest.mark.parametrize("known", all_checks(), ids=lambda known: known.title)
def test_a_check_says_what_it_demands_and_what_a_failure_means(known: optreg.conformance.Check) -> None:
    assert inspect.getdoc(known.function)
    assert known.likely_cause.endswith(".")
    assert getattr(optreg.conformance, known.id) is known.function


def test_the_groups_are_those_of_the_contract() -> None:
    assert set(groups()) == {
        "structure",
        "hyperparameters",
        "slots",
        "dense",
        "sparse",
        "execution",
        "distribution",
        "persistence",
        "numerics",
        "hygiene",
        "keras",
        "tf_keras",
    }


@pytest.mark.parametrize(
    "name", ["check_absent_rows_stay", "absent_rows_stay", "absent-rows-stay", " Absent rows stay"]
)
def test_a_check_is_found_by_its_name_in_any_form(name: str) -> None:
    assert [found.id for found in select_checks([name])] == ["check_absent_rows_stay"]


def test_a_group_and_a_check_add_up() -> None:
    selected = [found.id for found in select_checks(["check_nothing_is_printed"], ["distribution"])]
    assert selected[0] == "check_two_replicas_make_the_step_of_one_with_the_sum"
    assert selected[-1] == "check_nothing_is_printed"
    assert {found.group for found in select_checks(selected[:-1])} == {"distribution"}


def test_what_a_check_requires_comes_before_it() -> None:
    ids = [found.id for found in with_required(select_checks(["slots_of_absent_rows_stay"]))]
    assert ids[0] == "check_it_can_be_built"
    assert ids[-2:] == ["check_absent_rows_stay", "check_slots_of_absent_rows_stay"]


def test_a_misspelt_check_gets_a_suggestion() -> None:
    with pytest.raises(
        optreg.InvalidFilter, match=r"no check 'absent_rows_sty'.*Did you mean 'check_absent_rows_stay'"
    ):
        select_checks(["absent_rows_sty"])


def test_a_misspelt_group_gets_a_suggestion() -> None:
    with pytest.raises(optreg.InvalidFilter, match=r"no group of checks 'sparce'.*Did you mean 'sparse'"):
        select_checks(groups=["sparce"])


def test_a_misspelt_attribute_gets_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'check_absent_rows_stay'"):
        optreg.conformance.check_absent_rows_sta  # noqa: B018


def test_a_check_must_be_called_one() -> None:
    with pytest.raises(ValueError, match="check_<what_must_hold>, received rows_stay"):

        @check("A cause.")
        def rows_stay(subject: object) -> None:
            """Not named as a check."""


def test_the_catalogue_and_the_parametrization_load_no_tensorflow() -> None:
    script = (
        "import sys, optreg.conformance as c; c.all_checks(); c.select_checks(groups=['sparse']); "
        "assert 'pytest' not in sys.modules; c.parametrize_with_checks(['adam', 'sgd']); "
        "assert 'tensorflow' not in sys.modules and 'optreg_classic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
