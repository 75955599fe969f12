"""Hyperparameters: every kind of value has its effect, at the time it should, and only inside the declared range."""

from __future__ import annotations

import math
from typing import Any

from optreg.cards import Interval
from optreg.conformance.capabilities import RANGES
from optreg.conformance.checks.structure import check_a_first_step_can_be_made, check_the_card_fits_the_constructor
from optreg.conformance.definition import CheckFailure, Skipped, check
from optreg.conformance.demands import demand, demand_close, demand_refusal
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training

_STEPS = 3
_FIRST_RATE = 0.2

needs_a_step = (check_a_first_step_can_be_made, check_the_card_fits_the_constructor)


@check(
    "A hyperparameter is kept under another name than the constructor's. Use _set_hyper(name, value).",
    requires=(check_the_card_fits_the_constructor,),
    every_variant=False,
)
def check_hyperparameters_can_be_read_back(subject: Subject) -> None:
    """``opt.<hyperparameter>`` is the value given to the constructor."""
    for name, value in subject.unusual.items():
        optimizer = subject.optimizer(**{name: value})
        if not hasattr(optimizer, name):
            raise CheckFailure(f"opt.{name} after {name}={value!r}", expected=value, received="AttributeError")
        received = getattr(optimizer, name)
        same = math.isclose(float(received), float(value), rel_tol=1e-6)
        demand(same, f"opt.{name} after {name}={value!r}", expected=value, received=received)


@check(
    "A hyperparameter is converted with float() or compared in Python. Keep it with _set_hyper, read it with "
    "_get_hyper.",
    requires=needs_a_step,
)
def check_numbers_and_tensors_give_the_same_step(subject: Subject) -> None:
    """``learning_rate=0.05`` and ``learning_rate=tf.constant(0.05)`` are the same optimizer."""
    for name in adjustable(subject):
        value, _ = subject.two_values(name)
        expected = Training(subject.optimizer(**{name: value}), subject.dtype).steps(_STEPS).values
        received = Training(subject.optimizer(**{name: tf.constant(value)}), subject.dtype).steps(_STEPS).values
        demand_close(received, expected, f"weights with {name}=tf.constant({value}) instead of {name}={value}")


@check(
    "A callable is called when the optimizer is built. Give it to _set_hyper as it is; _get_hyper calls it at "
    "each step.",
    requires=needs_a_step,
)
def check_a_callable_is_called_at_each_step(subject: Subject) -> None:
    """A callable hyperparameter gives the same steps as assigning its values one by one."""
    for name in adjustable(subject):
        first, second = subject.two_values(name)
        present = {"value": first}
        called = Training(subject.optimizer(**{name: lambda present=present: present["value"]}), subject.dtype)
        assigned = Training(subject.optimizer(**{name: first}), subject.dtype)
        for value in (first, second, first):
            present["value"] = value
            setattr(assigned.optimizer, name, value)
            called.steps(1)
            assigned.steps(1)
        demand_close(
            called.values, assigned.values, f"weights with a callable {name} of values {first}, {second}, {first}"
        )


@check(
    "The learning rate is read with _get_hyper, which returns a schedule as it is. Read it with _decayed_lr(dtype).",
    requires=needs_a_step,
)
def check_a_schedule_is_followed(subject: Subject) -> None:
    """A schedule as ``learning_rate`` gives the same steps as assigning its value before each."""
    _require_learning_rate(subject)
    scheduled = Training(subject.optimizer(learning_rate=_Halving()), subject.dtype).steps(_STEPS)
    assigned = Training(subject.optimizer(learning_rate=_FIRST_RATE), subject.dtype)
    for number in range(_STEPS):
        assigned.optimizer.learning_rate = _FIRST_RATE * 0.5**number
        assigned.steps(1)
    demand_close(scheduled.values, assigned.values, f"weights with a schedule that halves {_FIRST_RATE} at each step")


@check(
    "The decay option of the contract is ignored. Call _set_hyper('decay', self._initial_decay), and use "
    "_decayed_lr(dtype).",
    requires=needs_a_step,
)
def check_the_decay_option_slows_the_learning_rate(subject: Subject) -> None:
    """``decay=d`` divides the learning rate by ``1 + d * iterations``."""
    _require_learning_rate(subject)
    decay = 0.5
    decayed = Training(subject.optimizer(learning_rate=_FIRST_RATE, decay=decay), subject.dtype).steps(_STEPS)
    assigned = Training(subject.optimizer(learning_rate=_FIRST_RATE), subject.dtype)
    for number in range(_STEPS):
        assigned.optimizer.learning_rate = _FIRST_RATE / (1.0 + decay * number)
        assigned.steps(1)
    demand_close(decayed.values, assigned.values, f"weights with decay={decay}")


@check(
    "A hyperparameter became a Python number that the trace froze. Read it with _get_hyper inside _prepare_local.",
    requires=needs_a_step,
)
def check_an_assigned_value_reaches_a_traced_step(subject: Subject) -> None:
    """Assigning a hyperparameter changes a ``tf.function`` that was traced before."""
    eager, traced = (Training(subject.optimizer(), subject.dtype) for _ in range(2))
    step = tf.function(traced.apply)
    eager.steps(1)
    traced.steps(1, step)
    for name in adjustable(subject):
        value, _ = subject.two_values(name)
        for training in (eager, traced):
            setattr(training.optimizer, name, value)
        eager.steps(2)
        traced.steps(2, step)
        demand_close(traced.values, eager.values, f"weights after {name} = {value} was assigned to a traced optimizer")


@check(
    "The value is kept in an attribute that the card's range does not reach. Use _set_hyper, or a public "
    "attribute of that name.",
    requires=(check_the_card_fits_the_constructor,),
    capability=RANGES,
    every_variant=False,
)
def check_declared_ranges_are_enforced(subject: Subject) -> None:
    """Values at a closed end are taken; an open end, what lies beyond, NaN and a wrong kind are refused by name."""
    for name, interval in subject.intervals.items():
        for value in _taken(interval):
            _demand_taken(subject, name, value)
        for value in _refused(interval):
            _demand_refused(subject, name, value, interval.text)
    for name in subject.flags:
        with demand_refusal(f"{name}='maybe'", TypeError, ValueError, naming=name):
            subject.optimizer(**{name: "maybe"})


def adjustable(subject: Subject) -> list[str]:
    """Return the hyperparameters that may change while training; a switch must be on to be one."""
    held = subject.held(subject.optimizer())
    return [name for name in held if name not in subject.switches and name not in subject.flags]


def _require_learning_rate(subject: Subject) -> None:
    if not subject.takes_learning_rate:
        raise Skipped(f"{subject.cls.__name__} has no hyperparameter learning_rate")


def _taken(interval: Interval) -> list[float]:
    ends = ((interval.low, interval.low_open), (interval.high, interval.high_open))
    return [end for end, is_open in ends if not is_open and math.isfinite(end)]


def _refused(interval: Interval) -> list[float]:
    ends = ((interval.low, interval.low_open, -1.0), (interval.high, interval.high_open, 1.0))
    finite = [(end, is_open, outwards) for end, is_open, outwards in ends if math.isfinite(end)]
    return [math.nan, *(end + outwards for end, _, outwards in finite), *(end for end, is_open, _ in finite if is_open)]


def _demand_taken(subject: Subject, name: str, value: float) -> None:
    try:
        subject.optimizer(**{name: value})
    except Exception as error:
        raise CheckFailure(
            f"{name}={value:g}, an end of the declared range",
            expected="taken",
            received=f"{type(error).__name__}: {error}",
        ) from error


def _demand_refused(subject: Subject, name: str, value: float, declared: str) -> None:
    with demand_refusal(f"{name}={value:g}, outside the declared {declared}", ValueError, naming=name):
        subject.optimizer(**{name: value})
    optimizer = subject.optimizer()
    with demand_refusal(f"opt.{name} = {value:g}, outside the declared {declared}", ValueError, naming=name):
        setattr(optimizer, name, value)


class _Halving:
    """A schedule of the user's own: a callable of the step with ``get_config``."""

    def __call__(self, step: Any) -> Any:
        return tf.cast(_FIRST_RATE, step.dtype) * tf.pow(tf.cast(0.5, step.dtype), step)

    def get_config(self) -> dict[str, Any]:
        return {}
