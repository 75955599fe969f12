"""The answers of optimizers whose properties follow from their formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import optreg
from optreg.bench.probes.matrix import GROUPS, PROBES, answers, trial_of
from optreg.bench.probes.probe import Group, ask
from optreg.bench.probes.trial import Gradient, Trial
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


Rule = Callable[[np.ndarray, np.ndarray, float, int], Any]
"""From weights, gradient, learning rate and number of the step, from 0, to the new weights, in their dtype."""


class Ruled:
    """An optimizer whose step is written out in NumPy, so that its properties can be read off; the rest is not."""

    def __init__(self, rule: Rule, learning_rate: float = 0.01) -> None:
        self._rule, self.learning_rate, self._step = rule, learning_rate, 0

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate}

    def build(self, variables: Iterable[Any]) -> None: ...

    def apply_gradients(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        with np.errstate(all="ignore"):
            for gradient, variable in pairs:
                weights = variable.numpy()
                known = np.zeros_like(weights) if gradient is None else gradient.numpy()
                rate = weights.dtype.type(self.learning_rate)
                variable.assign(tf.cast(self._rule(weights, known, rate, self._step), variable.dtype))
        self._step += 1


class OnPaper(Trial):
    """Walks the path of a rule without TensorFlow: hundreds of steps at once."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(partial(Ruled, rule))
        self._rule = rule

    def path(
        self,
        gradient: Gradient,
        start: Any,
        *,
        steps: int,
        rate: float | None = None,
        dtype: str = "float32",
    ) -> np.ndarray:
        kind = tf.as_dtype(dtype).as_numpy_dtype
        weights, length = np.asarray(start, np.float64).astype(kind), kind(0.01 if rate is None else rate)
        seen = [weights.astype(np.float64)]
        with np.errstate(all="ignore"):
            for step in range(steps):
                known = np.asarray(gradient(seen[-1], step), np.float64).astype(kind)
                weights = np.asarray(self._rule(weights, known, length, step)).astype(kind)
                seen.append(weights.astype(np.float64))
        return np.stack(seen)


def descent(weights: np.ndarray, gradient: np.ndarray, rate: float, step: int) -> Any:
    return weights - rate * gradient


def creeping(weights: np.ndarray, gradient: np.ndarray, rate: float, step: int) -> Any:
    return weights - rate * gradient / 100


def by_sign(weights: np.ndarray, gradient: np.ndarray, rate: float, step: int) -> Any:
    return weights - rate * np.sign(gradient)


def decaying(weights: np.ndarray, gradient: np.ndarray, rate: float, step: int) -> Any:
    return weights - 0.01 * weights - rate * gradient


def by_square(weights: np.ndarray, gradient: np.ndarray, rate: float, step: int) -> Any:
    return weights - rate * gradient * gradient


# Of each probe somebody who has the property and somebody who has not, with the reason where it is not at hand.
@pytest.mark.parametrize(
    ("probe", "has", "lacks"),
    [
        ("zero-rate", descent, lambda w, g, rate, step: w - 0.01 * g),
        ("rate-changes-at-once", "sgd", "sgd[momentum=0.9]"),  # its velocity holds earlier rates
        ("default-works", lambda w, g, rate, step: w - 0.05 * g, descent),  # 0.99^200 = 0.13
        ("loss-divided-by-thousand", by_sign, descent),
        ("permutation", descent, lambda w, g, rate, step: w - rate * g * np.arange(1, 1 + len(w), dtype=w.dtype)),
        ("reshaping", descent, lambda w, g, rate, step: w - rate * g / np.linalg.norm(g, axis=-1, keepdims=True)),
        ("independence", "sgd", "sgd[global_clipnorm=1.0]"),
        ("saddle", descent, creeping),  # 1e-4 * 1.02^60 = 3e-4 of the way to 1.4
        ("monkey-saddle", lambda w, g, rate, step: w - rate * g / np.linalg.norm(g), creeping),  # gradients of 1e-3
        ("curved-valley", lambda w, g, rate, step: w + rate * (1 - w), creeping),  # knows the way; does not get there
        ("kink", lambda w, g, rate, step: w - rate * g * 0.95**step, descent),
        ("noise", descent, lambda w, g, rate, step: w - g),  # a full step goes to the noise itself
        # With gradients d steps old descent is stable below 2 sin(pi / (4 d + 2)): 0.28 for five.
        ("stale-gradients", descent, lambda w, g, rate, step: w - 0.5 * g),
        ("wrong-signs", descent, creeping),  # 0.99^160 * 1.01^40 = 0.3
        ("cliff", by_sign, descent),
        ("zero-gradient-at-first", descent, decaying),
        (
            "contains-nan",
            descent,
            lambda w, g, rate, step: w - rate * g / np.linalg.norm(g),
        ),  # whose norm is not a number
        ("contains-nan-in-its-variable", "sgd", "sgd[global_clipnorm=1.0]"),
        ("survives-infinity", by_sign, descent),
        ("absent-gradient", "sgd", decaying),
        ("tiny-gradient-is-harmless", descent, lambda w, g, rate, step: w - rate * g / np.sqrt(g * g)),
        ("contradicting-gradients", descent, lambda w, g, rate, step: w - rate * np.abs(g)),
        ("bfloat16-moves", lambda w, g, rate, step: w - 10 * rate * g, descent),  # below 1 bfloat16 has steps of 0.004
        ("bfloat16-converges", descent, creeping),  # from 0.2 before the minimum on its steps are lost
        ("float16-small-gradients", descent, by_square),  # 1e-8 is zero in float16
        ("float16-large-gradients", descent, by_square),  # 1e6 is infinite there
        ("float64-digits", descent, lambda w, g, rate, step: (w - rate * g).astype(np.float32)),
        ("float64-converges", descent, creeping),  # 0.99^300 = 0.05
    ],
)
def test_a_probe_tells_those_who_have_the_property_from_those_who_lack_it(
    probe: str, has: str | Rule, lacks: str | Rule
) -> None:
    def asked(one: str | Rule) -> str:
        return answer(one, probe) if isinstance(one, str) else ask(BY_NAME[probe], OnPaper(one), "x").answer

    assert (asked(has), asked(lacks)) == ("yes", "no")


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
