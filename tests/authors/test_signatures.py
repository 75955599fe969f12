"""A signature that plugins rely on does not change unnoticed."""

from __future__ import annotations

import pytest
from tests.authors import signatures

import optreg


def complaint(recorded: list[str], present: list[str]) -> str:
    """Return what has changed and what to do about it; empty where nothing has."""
    gone, new = (
        [line for line in one if line not in other] for one, other in ((recorded, present), (present, recorded))
    )
    if not (gone or new):
        return ""
    lines = [*(f"- {line}" for line in gone), *(f"+ {line}" for line in new)]
    return (
        "A changed signature is a change of the plugin API: see docs/api-policy.md, and if it is meant, record it with "
        "python -m tests.authors.signatures\n" + "\n".join(lines)
    )


def test_signatures_are_those_recorded():
    problem = complaint(signatures.GOLDEN.read_text().splitlines(), signatures.signatures())
    assert not problem, problem


def test_hooks_methods_and_functions_are_recorded_with_their_defaults():
    recorded = signatures.GOLDEN.read_text().splitlines()
    assert "StepHooks.apply_dense(self, optimizer, grad, var, apply_state)" in recorded
    assert "ContributionHooks.doctor_checks(self)" in recorded
    assert "Optimizer._resource_apply_dense(self, grad, var, apply_state=None)" in recorded
    assert (
        "Optimizer.apply_gradients(self, grads_and_vars, name=None, experimental_aggregate_gradients=True)" in recorded
    )
    assert "optreg.register(name, cls=None, *, kind='optimizer', replace=False)" in recorded
    assert "optreg.Slot(name, meaning='', when='', at_least='', scalar=False, reads=1.0, writes=1.0)" in recorded
    assert not [line for line in recorded if "._owned_slots" in line]  # not named to plugins, free to change


@pytest.mark.parametrize("name", ["get_slot", "_finish_step"])
def test_a_changed_method_is_told_with_the_command_and_the_policy(monkeypatch, name):
    def changed(self, var, slot_name, further=None):
        raise AssertionError

    monkeypatch.setattr(optreg.Optimizer, name, changed)
    problem = complaint(signatures.GOLDEN.read_text().splitlines(), signatures.signatures())
    assert "python -m tests.authors.signatures" in problem
    assert "docs/api-policy.md" in problem
    assert f"\n- Optimizer.{name}(self" in problem
    assert f"\n+ Optimizer.{name}(self, var, slot_name, further=None)" in problem
