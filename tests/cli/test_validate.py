"""``optreg validate``: tables, JSON and exit codes. What is checked is tested in tests/conformance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tensorflow as tf
from typer.testing import CliRunner

import optreg
from optreg_cli.main import app

Run = Callable[..., Any]


class Climbs(optreg.Optimizer):
    """Goes uphill."""

    card = optreg.Card(ranges={"learning_rate": "[0, inf)"}, dtypes=("float32",))

    def __init__(self, learning_rate: Any = 0.01, name: str = "Climbs", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return var.assign_add(tf.cast(self._get_hyper("learning_rate"), var.dtype) * grad)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}


@pytest.fixture
def optreg_validate() -> Run:
    """Run the command in this process."""
    return lambda *arguments: CliRunner().invoke(app, ["validate", *arguments])


@pytest.fixture
def climbs() -> Iterator[str]:
    """The name of a registered optimizer that fails a check."""
    optreg.register("climbs", Climbs)
    yield "climbs"
    optreg.unregister("climbs")


def test_a_sound_optimizer_gets_a_table_a_ledger_and_code_0(optreg_validate: Run) -> None:
    result = optreg_validate("sgd", "--group", "structure")
    assert result.exit_code == 0
    assert "sgd (optreg_classic.sgd:SGD)" in result.stdout
    assert "structure" in result.stdout
    assert "checks known" in result.stdout
    assert "0 failed, 0 warned, 0 expected; 0 skipped, 0 blocked" in result.stdout
    assert f"optreg {optreg.__version__}" in result.stdout


def test_progress_goes_to_stderr(optreg_validate: Run) -> None:
    result = optreg_validate("sgd", "--check", "it_can_be_built")
    assert "validating sgd" in result.stderr
    assert "validating" not in result.stdout


def test_a_failing_check_is_shown_with_its_likely_cause_and_code_1(optreg_validate: Run, climbs: str) -> None:
    result = optreg_validate(climbs, "--group", "numerics")
    assert result.exit_code == 1
    assert "failed check_the_first_steps_lower_a_quadratic: loss after 5 steps" in result.stdout
    assert "likely cause: The sign of the update is wrong" in result.stdout
    assert "blocked check_it_converges_on_a_quadratic" in result.stdout


def test_json_holds_the_reports_and_nothing_else_is_on_stdout(optreg_validate: Run, climbs: str) -> None:
    result = optreg_validate(climbs, "sgd", "--check", "the-first-steps-lower-a-quadratic", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["schema"] == "optreg.validate/1"
    assert document["ok"] is False
    assert [(report["optimizer"], report["ok"]) for report in document["reports"]] == [("climbs", False), ("sgd", True)]
    assert document["reports"][0]["schema"] == "optreg.conformance/1"


def test_wildcards_and_all_choose_among_the_installed(optreg_validate: Run) -> None:
    for arguments in (["*"], ["--all"], ["sg*", "ada*", "sgd"]):
        result = optreg_validate(*arguments, "--check", "it_can_be_built", "--json")
        names = [report["optimizer"] for report in json.loads(result.stdout)["reports"]]
        assert {"adam", "sgd"} <= set(names)
        assert len(names) == len(set(names))


def test_several_optimizers_end_with_a_line_for_each(optreg_validate: Run) -> None:
    result = optreg_validate("adam", "sgd", "--check", "it_can_be_built")
    assert result.stdout.count("conforms") == 2


def test_a_target_needs_no_registration(optreg_validate: Run) -> None:
    result = optreg_validate("optreg_classic.sgd:SGD", "--check", "it_can_be_built")
    assert result.exit_code == 0


def test_an_unknown_name_gets_a_suggestion_and_code_3(optreg_validate: Run) -> None:
    result = optreg_validate("adan")
    assert result.exit_code == 3
    assert "Did you mean 'adam'?" in result.stderr
    assert result.stdout == ""


def test_a_wildcard_that_fits_nothing_is_code_3(optreg_validate: Run) -> None:
    result = optreg_validate("zz*")
    assert result.exit_code == 3
    assert "no installed optimizer fits 'zz*'" in result.stderr


def test_a_check_that_does_not_apply_is_code_3(optreg_validate: Run) -> None:
    result = optreg_validate("sgd", "--check", "absent_rows_move_as_with_zeros")
    assert result.exit_code == 3
    assert "not applicable: check_absent_rows_move_as_with_zeros needs sparse='exact'" in result.stdout
    assert "nothing was run" in result.stderr


def test_a_misspelt_check_or_group_is_wrong_usage(optreg_validate: Run) -> None:
    for arguments in (["--check", "absent_rows_sty"], ["--group", "sparce"]):
        result = optreg_validate("sgd", *arguments)
        assert result.exit_code == 2
        assert "Did you mean" in result.stderr


def test_neither_names_nor_all_is_wrong_usage(optreg_validate: Run) -> None:
    assert optreg_validate().exit_code == 2
    assert optreg_validate("sgd", "--all").exit_code == 2


def test_an_unusable_optimizer_is_code_4_and_the_others_are_validated(optreg_validate: Run) -> None:
    result = optreg_validate("no_such_module:Lynx", "sgd", "--check", "it_can_be_built", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 4
    assert document["unusable"][0]["optimizer"] == "no_such_module:Lynx"
    assert "no_such_module" in document["unusable"][0]["reason"]
    assert [report["optimizer"] for report in document["reports"]] == ["sgd"]


def test_control_characters_of_a_plugin_do_not_reach_the_terminal(
    optreg_validate: Run, climbs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise RuntimeError("\x1b[31mred [bold]markup[/bold]")

    monkeypatch.setattr(Climbs, "_resource_apply_dense", refuse)
    result = optreg_validate(climbs, "--check", "a_first_step_can_be_made")
    assert result.exit_code == 1
    assert "\x1b[31m" not in result.stdout
    assert "red [bold]markup[/bold]" in result.stdout


def test_documents_go_to_files_and_to_stdout(optreg_validate: Run, tmp_path: Path) -> None:
    arguments = ("sgd", "--check", "it_can_be_built")
    result = optreg_validate(*arguments, "--junit", str(tmp_path / "junit.xml"), "--markdown", "-")
    assert result.exit_code == 0
    assert result.stdout.startswith("# Conformance\n")
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [suite.get("name") for suite in root] == ["sgd"]
    both = optreg_validate(*arguments, "--json", "--junit", str(tmp_path / "again.xml"))
    assert json.loads(both.stdout)["ok"] is True
    assert (tmp_path / "again.xml").read_text().startswith("<?xml")


def test_options_that_cannot_be_met_are_refused_before_anything_runs(optreg_validate: Run, tmp_path: Path) -> None:
    assert optreg_validate("sgd", "--json", "--markdown", "-").exit_code == 2
    assert optreg_validate("sgd", "--junit", str(tmp_path / "absent" / "x.xml")).exit_code == 2
    assert optreg_validate("sgd", "--no-isolate", "--timeout", "5").exit_code == 2


def test_foreign_code_runs_in_a_child_process_and_built_ins_here(
    optreg_validate: Run, climbs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def isolated(name: str, **options: Any) -> Any:
        asked.append((name, options["timeout"]))
        raise optreg.UnusableOptimizer(f"{name} cannot be used: its process killed by SIGSEGV")

    monkeypatch.setattr("optreg.conformance.validate_isolated", isolated)
    (tmp_path / "mine.py").write_text("x = 1\n")
    path = f"{tmp_path}/mine.py:Mine"
    assert optreg_validate("sgd", climbs, "--check", "it_can_be_built").exit_code == 0
    assert asked == []
    crashed = optreg_validate(path)
    assert crashed.exit_code == 4
    assert "killed by SIGSEGV" in crashed.stderr
    assert optreg_validate("sgd", "--isolate", "--timeout", "30").exit_code == 4
    assert asked == [(path, 600.0), ("sgd", 30.0)]
    asked.clear()
    assert optreg_validate(path, "--no-isolate").exit_code == 4
    assert asked == []
