"""Checks of plugins: under the name of their distribution, on its own optimizers, elsewhere only where asked."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from typing import Any

import pytest

import optreg
from optreg.conformance import all_checks, parametrize_with_checks, select_checks, validate
from optreg.conformance.validation import plan

from ..fake_site import Site, site  # noqa: TID252, F401 - a fixture, and the tests' own folder

OPTIMIZER = """
import optreg


class Plain(optreg.Optimizer):
    '''Descends.'''

    card = optreg.Card(dtypes=("float32",))

    def __init__(self, learning_rate=0.01, name="Plain", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(self._coefficients(var, apply_state)["lr_t"] * grad)

    def get_config(self):
        return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}
"""

HOOKS = """
import optreg
from optreg.conformance import check_a_first_step_can_be_made


@optreg.conformance.check("The rate is not the published one.", requires=(check_a_first_step_can_be_made,))
def check_the_rate_is_as_published(subject):
    '''The default learning rate is that of the paper.'''
    if subject.defaults["learning_rate"] != 0.01:
        raise optreg.conformance.CheckFailure("learning_rate", expected=0.01, received=subject.defaults)


@optreg.conformance.check("It is.", requires=(check_the_rate_is_as_published,))
def check_it_can_be_built(subject):
    '''Bears the name of one of optreg's own, and displaces nothing.'''


@optreg.hookimpl
def conformance_checks():
    return [check_the_rate_is_as_published, check_it_can_be_built]
"""

INSTALLED = itertools.count()
RATE = "plain-opt/check_the_rate_is_as_published"
BUILT = "plain-opt/check_it_can_be_built"


@pytest.fixture
def plain(site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811 - the fixture itself
    """A distribution with an optimizer and two checks."""

    def install(hooks: str = HOOKS) -> str:
        number = next(INSTALLED)  # what the registry has loaded stays loaded
        site.install(
            "plain-opt",
            {f"plain_{number}.py": OPTIMIZER, f"hooks_{number}.py": hooks},
            entry_points=f"[optreg.plugins]\nplain = hooks_{number}\n",
            plain=f"plain_{number}:Plain",
        )
        optreg.refresh()
        return f"hooks_{number}"

    yield install
    monkeypatch.undo()
    optreg.refresh()


def test_they_run_on_the_optimizers_of_their_distribution_under_its_name(plain: Any) -> None:
    group = f"plain-opt/{plain()}"
    report = validate("plain")
    own = {result.id: (result.status, result.group) for result in report.results if "/" in result.id}
    assert own == {RATE: ("passed", group), BUILT: ("passed", group)}
    assert "check_it_can_be_built" in {result.id for result in report.results}
    assert report.ok
    assert report.ledger.known == len(all_checks()) + 2


def test_they_leave_others_alone_unless_asked_for(plain: Any) -> None:
    module = plain()
    assert not [result.id for result in validate("sgd", groups=["structure"]).results if "/" in result.id]
    assert not [one.id for one in all_checks() if "/" in one.id]
    assert module not in sys.modules
    report = validate("adam", checks=[RATE])
    assert [result.id for result in report.results][-1] == RATE
    assert "check_a_first_step_can_be_made" in {result.id for result in report.results}
    assert report.results[-1].status == "failed"
    assert not report.ok


def test_a_group_of_theirs_is_asked_for_by_its_name_or_as_a_whole(plain: Any) -> None:
    for group in (f"plain-opt/{plain()}", "plain-opt/*"):
        assert [one.id for one in select_checks(groups=[group])] == [RATE, BUILT]
    with pytest.raises(optreg.InvalidFilter, match="no check 'plain-opt/check_the_rate_is_publishd'.*Did you mean"):
        select_checks(["plain-opt/check_the_rate_is_publishd"])
    with pytest.raises(optreg.InvalidFilter, match="no check 'nobody/check_x'"):
        select_checks(["nobody/check_x"])


def test_what_one_requires_of_its_siblings_or_of_optreg_comes_before_it(plain: Any) -> None:
    plain()
    ids = [result.id for result in validate("plain", checks=[BUILT]).results]
    assert ids[-2:] == [RATE, BUILT]
    assert ids[0] == "check_it_can_be_built"


def test_pytest_collects_them_for_their_own_optimizers(plain: Any) -> None:
    plain()
    ids = {case.id for case in parametrize_with_checks(["plain", "sgd"]).mark.args[1]}
    assert "plain-plain-opt/the_rate_is_as_published" in ids
    assert not [name for name in ids if name.startswith("sgd-plain-opt")]
    case = next(one for one in parametrize_with_checks(["plain"]).mark.args[1] if one.id.endswith("as_published"))
    optimizer, check = case.values
    check(optimizer)


@pytest.mark.parametrize(
    ("hooks", "problem"),
    [
        (HOOKS.replace("return [", "return [print, "), "which is no check: mark the function with @optreg.conform"),
        (HOOKS.replace("    return [", "    1 / 0\n    return ["), "ZeroDivisionError"),
        ("raise RuntimeError('no GPU')", "no GPU"),
        (HOOKS.replace("return [", "return [check_it_can_be_built, "), "two checks check_it_can_be_built"),
        (
            HOOKS.replace("return [check_the_rate_is_as_published, ", "return ["),
            "plain-opt/check_it_can_be_built requires check_the_rate_is_as_published, which does not exist",
        ),
    ],
)
def test_a_contribution_that_fails_is_a_problem_of_the_run_and_not_a_silent_loss(
    plain: Any, hooks: str, problem: str
) -> None:
    plain(hooks)
    planned = plan("plain")
    report = replace(planned, applicable=planned.applicable[:3]).run()  # the problem is not in what they find
    assert len(report.problems) == 1
    assert problem in report.problems[0]
    assert not report.ok
    assert not report.ledger.failed
    with pytest.raises(optreg.InvalidFilter, match="plain: "):
        parametrize_with_checks(["plain"])
    assert validate("sgd", checks=["it_can_be_built"]).problems == ()
