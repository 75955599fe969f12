"""Validation in a child process, and of files that are not installed: crashes, hangs and exits are findings."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest

from optreg import InvalidFilter, InvalidName, UnusableOptimizer
from optreg.conformance import Report, Result, documents, loadable, validate, validate_isolated

SOURCE = '''
import os, signal, sys, time
import plain_rate  # a sibling
from optreg import Card, Optimizer


class Plain(Optimizer):
    """Steps against the gradient."""

    card = Card(ranges={"learning_rate": "[0, inf)"}, dtypes=("float32",))

    def __init__(self, learning_rate=plain_rate.RATE, name="Plain", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(self._get_hyper("learning_rate", var.dtype) * grad)

    def get_config(self):
        return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}


class Crashes(Plain):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Plain):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        time.sleep(600)


class Leaves(Plain):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        os._exit(3)


NotOne = 1
'''
CHECKS = ["check_a_first_step_can_be_made", "check_gradients_are_left_as_they_were"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plain_rate.py").write_text("RATE = 0.1\n")
    (tmp_path / "plain_module.py").write_text(SOURCE)
    for name, line in {"exits": "sys.exit(7)", "dies": "os._exit(5)", "kills": "os.kill(os.getpid(), 11)"}.items():
        (tmp_path / f"{name}_module.py").write_text(f"import os, sys\n{line}\n")
    return tmp_path


def without_times(report):
    written = report.to_dict()
    for result in written["results"]:
        del result["seconds"]
    return written


def test_the_report_is_the_one_of_this_process_and_results_arrive_one_by_one():
    seen = []
    isolated = validate_isolated("sgd", checks=CHECKS, baseline=99, timeout=120.0, progress=seen.append)
    assert without_times(isolated) == without_times(validate("sgd", checks=CHECKS, baseline=99))
    assert [result.id for result in seen] == [result.id for result in isolated.results]
    assert isolated.problems


@pytest.mark.parametrize(
    ("name", "limit", "told"),
    [
        ("Crashes", 120.0, "killed by SIGSEGV (plain_module.py, line 25, in _resource_apply_dense)"),
        ("Hangs", 40.0, "still running after 40 s, and was ended"),
        ("Leaves", 120.0, "ended the process with exit code 3"),
    ],
)
def test_the_check_in_which_the_process_ends_fails_and_the_rest_is_blocked(folder, name, limit, told):
    report = validate_isolated(f"{folder}/plain_module.py:{name}", checks=CHECKS, timeout=limit)
    assert not report.ok
    *passed, failed, blocked = report.results
    assert {result.status for result in passed} == {"passed"}
    assert (failed.id, failed.status, failed.message) == (CHECKS[0], "failed", told)
    assert failed.likely_cause
    assert (blocked.id, blocked.status) == (CHECKS[1], "blocked")
    assert report.ledger.applicable == len(report.results)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("exits_module.py:X", r"exits_module.py:X cannot be imported: SystemExit: 7"),
        ("dies_module.py:X", "cannot be used: ended the process with exit code 5 in 'loading it'"),
        ("kills_module.py:X", "cannot be used: killed by SIGSEGV in 'loading it' .kills_module.py, line 2"),
    ],
)
def test_what_cannot_be_loaded_is_unusable_with_its_reason(folder, target, told):
    with pytest.raises(UnusableOptimizer, match=told):
        validate_isolated(f"{folder}/{target}", timeout=120.0)


def test_an_error_of_optreg_arrives_as_itself():
    with pytest.raises(InvalidFilter, match="There is no check 'nonsense'"):
        validate_isolated("sgd", checks=["nonsense"], timeout=120.0)


def test_a_file_is_validated_in_this_process_too_and_leaves_nothing_behind(folder):
    path, modules = list(sys.path), set(sys.modules)
    with loadable(f"{folder}/plain_module.py:Plain") as cls:
        assert validate(cls, checks=CHECKS).ok
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if name.startswith("plain")}


def test_a_file_inside_a_package_is_imported_as_its_module(folder):
    package = folder / "outer" / "inner"
    package.mkdir(parents=True)
    (folder / "outer" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "rate.py").write_text("RATE = 0.1\n")
    (package / "mine.py").write_text(SOURCE.replace("import plain_rate ", "from . import rate as plain_rate "))
    with loadable(f"{package}/mine.py:Plain") as cls:
        assert cls.__module__ == "outer.inner.mine"


@pytest.mark.parametrize(
    ("target", "error", "told"),
    [
        ("missing.py:X", InvalidName, "There is no Python file"),
        ("plain_module.py", InvalidName, "names no class; a path has the form path/to/file.py:Class"),
        ("plain_module.py:", InvalidName, "names no class"),
        ("plain_module.py:Other", UnusableOptimizer, "plain_module.py defines no 'Other'"),
        ("plain_module.py:NotOne", UnusableOptimizer, "is not a class but an object of type int"),
        ("random.py:X", UnusableOptimizer, "'random' is the module .*. Rename the file"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(folder, target, error, told):
    (folder / "random.py").write_text("X = 1\n")
    with pytest.raises(error, match=told), loadable(f"{folder}/{target}"):
        pass


def test_a_name_is_no_path():
    with loadable("optreg/adam") as name:
        assert name == "optreg/adam"


HOSTILE = "<script>alert('x')</script> | [bold] `code` \x1b[31m\x00 _it_ ]]> \u202e &amp;"


@pytest.fixture
def hostile_report():
    statuses = ("passed", "failed", "warned", "expected", "skipped", "blocked")
    results = tuple(
        Result(f"check_{status}", HOSTILE, status, 0.5, "" if status == "passed" else HOSTILE, HOSTILE)
        for status in statuses
    )
    return Report(HOSTILE, "m:C", results, {}, 10, {HOSTILE: "1"}, (HOSTILE,))


def test_junit_is_well_formed_and_counts_what_it_holds(hostile_report):
    root = ElementTree.fromstring(documents.junit([hostile_report], {HOSTILE: HOSTILE}))
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "8",
        "failures": "1",
        "errors": "2",
    }
    validated, refused = root.findall("testsuite")
    numbers = {name: validated.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert numbers == {"tests": "7", "failures": "1", "errors": "1", "skipped": "3", "time": "3.000"}
    cases = {case.get("name"): [(child.tag, child.get("message")) for child in case] for case in validated}
    shown = "<script>alert('x')</script> | [bold] `code`  [31m  _it_ ]]>   &amp;"
    assert cases == {
        "check_passed": [],
        "check_failed": [("failure", shown)],
        "check_warned": [("system-out", None)],
        "check_expected": [("skipped", f"expected: {shown}")],
        "check_skipped": [("skipped", f"skipped: {shown}")],
        "check_blocked": [("skipped", f"blocked: {shown}")],
        "the run": [("error", shown)],
    }
    assert [case[0].get("message") for case in refused] == [shown]


def test_markdown_shows_the_text_of_plugins_as_it_is(hostile_report):
    text = documents.markdown([hostile_report], {HOSTILE: HOSTILE})
    assert "<script" not in text
    assert "\x1b" not in text
    assert r"&lt;script&gt;alert('x')&lt;/script&gt; \| \[bold\] \`code\`  \[31m  \_it\_ \]\]&gt;   &amp;amp;" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(row.replace(r"\|", "").split("|")) for row in rows} == {13}


def test_a_report_survives_being_written_and_read(hostile_report):
    assert Report.from_dict(hostile_report.to_dict()) == hostile_report
