"""The answers of optimizers whose properties follow from their formulas."""

from __future__ import annotations

import pytest

import optreg
from optreg.bench.probes.matrix import GROUPS, PROBES, answers, trial_of
from optreg.bench.probes.probe import Group, ask
from optreg.bench.probes.trial import Trial
from optreg.bench.selection import parse_choice

BY_NAME = {probe.name: probe for probe in PROBES}


def answer(label: str, probe: str) -> str:
    return ask(BY_NAME[probe], trial_of(parse_choice(label)), label).answer


def test_there_are_more_than_forty_probes_with_a_sentence_for_either_answer() -> None:
    assert len(PROBES) == len(BY_NAME) >= 40
    for probe in PROBES:
        assert probe.question.endswith("?")
        assert probe.yes.endswith(".")
        assert probe.no.endswith(".")
    assert {probe.group for probe in PROBES} == {group.title for group in GROUPS}


# What mathematics says: each line is a property that can be proven from the rule.
@pytest.mark.parametrize(
    ("optimizer", "yes", "no"),
    [
        (
            "sgd",
            "memoryless rotation translation mirror zero-gradient-later absent-rows-stay repeatable resumes",
            "loss-times-million each-coordinate-scaled plateau survives-nan bounded-outlier exact-saddle rare-feature",
        ),
        (
            "sgd",
            "eager-as-graph repeated-rows first-step-as-dense no-rows always-as-dense step-follows-rate",
            "vanishing-gradient",
        ),
        (
            "sgd[momentum=0.9]",
            "rotation splitting dip narrow-valley-across",
            "memoryless zero-gradient-later full-pace-at-once",
        ),
        (
            "adam",
            "loss-times-million bounded-first-step steady-pace plateau narrow-valley bounded-outlier rare-feature",
            "rotation memoryless weight-scale forgets-outlier survives-nan absent-rows-stay survives-overflow",
        ),
        ("adagrad", "zero-gradient-later absent-rows-stay rare-feature", "steady-pace rotation forgets-outlier"),
        ("rmsprop", "each-coordinate-scaled forgets-outlier steady-pace", "rest full-pace-at-once"),
        ("adamax", "survives-overflow each-coordinate-scaled", "rotation"),
    ],
)
def test_an_optimizer_has_the_properties_that_follow_from_its_formula(optimizer: str, yes: str, no: str) -> None:
    expected = dict.fromkeys(yes.split(), "yes") | dict.fromkeys(no.split(), "no")
    assert {name: answer(optimizer, name) for name in expected} == expected


def test_the_matrix_asks_every_probe_and_stops_when_the_time_is_over() -> None:
    assert [it.probe for it in answers(parse_choice("sgd"), until=0.0)] == []
    first = next(iter(answers(parse_choice("sgd"))))
    assert (first.optimizer, first.probe, first.group) == ("sgd", PROBES[0].name, PROBES[0].group)


class Forgetful(optreg.Optimizer):
    """Descent that draws its step length anew from Python, which no trace and no checkpoint can hold."""

    def __init__(self, learning_rate: float = 0.01, name: str = "Forgetful", **kwargs: object) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)
        self.calls = 0

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"learning_rate": self._serialize_hyperparameter("learning_rate")}

    def _resource_apply_dense(self, grad, var, apply_state=None):
        self.calls += 1
        return var.assign_sub(0.01 * self.calls * grad)


def test_step_state_in_python_is_found_by_three_probes() -> None:
    trial = Trial(Forgetful)
    found = {name: ask(BY_NAME[name], trial, "x").answer for name in ("repeatable", "resumes", "eager-as-graph")}
    assert found == {"repeatable": "yes", "resumes": "no", "eager-as-graph": "no"}
    sparse = ask(BY_NAME["first-step-as-dense"], trial, "x")
    assert (sparse.answer, sparse.meaning) == ("not applicable", "it refuses sparse gradients")


def test_a_dtype_that_is_not_declared_is_not_asked_for() -> None:
    found = ask(BY_NAME["complex-weights"], Trial(Forgetful, ("float32",)), "x")
    assert (found.answer, found.meaning) == ("not applicable", "it does not train complex64 weights")


def test_what_an_optimizer_raises_is_an_answer_with_its_reason() -> None:
    def broken(**_: object) -> object:
        raise RuntimeError("the kernel is on holiday")

    found = ask(BY_NAME["memoryless"], Trial(broken), "x")
    assert (found.answer, found.meaning) == ("failed", "RuntimeError: the kernel is on holiday")


def test_a_group_names_its_probes_by_their_functions() -> None:
    group = Group("manners")

    @group.probe("Is it there?", yes="It is.", no="It is not.")
    def is_there(trial: Trial) -> bool:
        return True

    [probe] = group.probes
    assert (probe.name, probe.group, probe.question) == ("is-there", "manners", "Is it there?")
    assert ask(probe, trial_of(parse_choice("sgd")), "sgd").meaning == "It is."
