"""Running checks: the ledger adds up, failures are contained, and what follows from a failure is blocked."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import Any

import pytest

import optreg
from optreg.cards import Card
from optreg.conformance import CheckFailure, Skipped, all_checks, find_subject, validate
from optreg.conformance.definition import EVERY_OPTIMIZER, Check
from optreg.conformance.report import Ledger
from optreg.conformance.runner import run_checks

from .mutants.hygiene import Prints, Warns
from .mutants.numerics import Climbs, CubesTheGradient
from .mutants.persistence import SavesADefault
from .mutants.sound import Sound, SoundDense
from .mutants.structure import ExitsInTheUpdate, NeedsAnArgument, RaisesInTheUpdate


def made(function: Any, **fields: Any) -> Check:
    return Check(function, "made", "A likely cause.", **{"capability": EVERY_OPTIMIZER, **fields})


def check_that_passes(subject: Any) -> None:
    pass


def check_that_fails(subject: Any) -> None:
    raise CheckFailure("the moon", expected="cheese", received="rock")


def check_that_exits(subject: Any) -> None:
    raise SystemExit(3)


def check_that_skips(subject: Any) -> None:
    raise Skipped("no moon here")


def status_of(*checks: Check) -> list[str]:
    return [result.status for result in run_checks(find_subject(SoundDense), checks)]


def test_the_ledger_adds_up_and_names_what_does_not_apply() -> None:
    report = validate(SoundDense)
    ledger = report.ledger
    assert report.ok
    assert ledger.known == len(all_checks()) == ledger.applicable + len(report.not_applicable)
    assert ledger.applicable == ledger.ran + ledger.skipped + ledger.blocked
    assert report.not_applicable["check_repeated_rows_are_summed"] == "sparse gradients"


def test_a_report_is_json_with_a_schema_and_the_versions() -> None:
    document = json.loads(json.dumps(validate("sgd", groups=["structure"]).to_dict(), allow_nan=False))
    assert document["schema"] == "optreg.conformance/1"
    assert document["ok"] is True
    assert document["ledger"]["ran"] == len(document["results"])
    assert document["versions"]["optreg"] == optreg.__version__
    assert {"tensorflow", "numpy", "python"} <= set(document["versions"])


def test_what_follows_from_a_failure_is_blocked_down_the_chain() -> None:
    report = validate(RaisesInTheUpdate)
    results = {result.id: result for result in report.results}
    assert results["check_a_first_step_can_be_made"].status == "failed"
    assert "a mistake of the author" in results["check_a_first_step_can_be_made"].message
    assert "in direction" in results["check_a_first_step_can_be_made"].message
    assert results["check_repeated_rows_are_summed"].status == "blocked"
    assert report.ledger.failed == 1
    assert not report.ok


def test_an_optimizer_that_ends_the_process_fails_one_check() -> None:
    assert validate(ExitsInTheUpdate).ledger.failed == 1


def test_hyperparameters_without_default_can_be_given() -> None:
    assert not validate(NeedsAnArgument, checks=["it_can_be_built"]).ok
    assert validate(NeedsAnArgument, {"scale": 2.0}, checks=["it_can_be_built"]).results[-1].status != "blocked"


def test_a_failure_names_the_variant_of_the_hyperparameters() -> None:
    report = validate(SavesADefault, checks=["an_optimizer_rebuilt_from_its_config_takes_the_same_steps"])
    assert "nesterov=True" in report.results[-1].message


def test_what_an_optimizer_prints_and_warns_of_does_not_reach_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert validate(Warns, checks=["a_first_step_can_be_made"]).ok
        assert validate(Prints, checks=["a_first_step_can_be_made"]).ok
    assert capsys.readouterr().out == ""


def test_a_recommendation_warns_and_does_not_fail_the_optimizer() -> None:
    report = validate(CubesTheGradient, checks=["huge_and_tiny_gradients_keep_everything_finite"])
    assert report.ledger.warned == 1
    assert report.ok


def test_a_check_newer_than_the_plugin_warns_before_it_is_enforced() -> None:
    newer = made(check_that_fails, since=Card().api + 1)
    assert status_of(newer) == ["warned"]
    assert status_of(made(check_that_fails)) == ["failed"]


def test_a_skipped_check_says_why_and_blocks_nothing() -> None:
    dependant = made(check_that_passes, requires=("check_that_skips",))
    assert status_of(made(check_that_skips), dependant) == ["skipped", "passed"]
    (result,) = run_checks(find_subject(SoundDense), [made(check_that_skips)])
    assert result.message == "no moon here"


def test_a_failing_check_blocks_what_requires_it() -> None:
    dependant = made(check_that_passes, requires=("check_that_exits",))
    assert status_of(made(check_that_exits), dependant) == ["failed", "blocked"]


def test_a_run_in_which_nothing_applies_is_not_fine() -> None:
    report = validate(SoundDense, checks=["repeated_rows_are_summed"])
    assert report.results == ()
    assert not report.ok


def test_a_run_in_which_everything_is_skipped_is_not_fine() -> None:
    report = validate(SoundDense, checks=["it_can_be_built"])
    assert report.ledger == Ledger(len(all_checks()), 1, 1, 1, 0, 0, 0, 0, 0)
    skipped = type(report)(
        report.optimizer,
        report.target,
        run_checks(find_subject(SoundDense), [made(check_that_skips)]),
        {},
        report.known,
        {},
    )
    assert not skipped.ok


def test_progress_hears_of_each_result_in_order() -> None:
    heard: list[str] = []
    report = validate(Sound, groups=["structure"], progress=lambda result: heard.append(result.id))
    assert heard == [result.id for result in report.results]


def test_a_check_is_a_plain_function_of_a_subject() -> None:
    subject = find_subject(Climbs)
    optreg.conformance.check_it_can_be_built(subject)
    with pytest.raises(CheckFailure, match=r"loss after 5 steps: expected < .*, received"):
        optreg.conformance.check_the_first_steps_lower_a_quadratic(subject)


def test_a_class_that_is_no_optimizer_is_refused() -> None:
    with pytest.raises(optreg.NotAnOptimizer, match=r"dict is not a subclass of optreg\.Optimizer"):
        validate(dict)


def test_variants_switch_slots_and_flags_on() -> None:
    settings = [variant.shown_setting for variant in find_subject("sgd").variants]
    assert settings == ["", "momentum=0.25", "momentum=0.25, nesterov=True"]


class NarrowWithNesterov(Sound):
    card = replace(Sound.card, without={"nesterov": ("bfloat16",)})


def test_a_setting_may_exclude_a_dtype_and_the_others_are_still_tested() -> None:
    plain, nesterov = find_subject(NarrowWithNesterov).variants
    assert set(plain.dtypes) - set(nesterov.dtypes) == {"bfloat16"}
    assert validate(NarrowWithNesterov, checks=["every_declared_dtype_trains"]).ok


def test_one_logical_device_skips_the_distribution_check_and_says_how_to_get_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("optreg.conformance.checks.distribution.has_two_logical_devices", lambda: False)
    report = validate(SoundDense, groups=["distribution"])
    assert report.ledger.skipped == 2
    assert "use_two_logical_devices()" in report.results[-1].message
