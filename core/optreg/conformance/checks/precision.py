"""Precision: what rounding, overflow and NaN do to the update, and what the rule in NumPy says."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from optreg.conformance.capabilities import FLOAT16, LOW_PRECISION, NARROW, REFERENCE
from optreg.conformance.checks.dense import check_every_declared_dtype_trains
from optreg.conformance.checks.numerics import check_zero_gradients_keep_everything_finite
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import CheckFailure, check
from optreg.conformance.demands import demand, demand_close, demand_finite, demand_same
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training, value_of

_STEPS = 8
_MANY = 60
_SHARE = 0.25
_LARGE = 1000.0  # its square is beyond the largest float16, 65504; gradients under a loss scale are of this size


@check(
    "The rule and its reference in NumPy differ. One of them is not what the paper says.",
    requires=(check_a_first_step_can_be_made,),
    capability=REFERENCE,
    group="numerics",
)
def check_it_follows_its_reference(subject: Subject) -> None:
    """Every step is that of the NumPy function the card names, also with each hyperparameter at an unusual value."""
    reference = _reference(subject)
    dtype = "float64" if "float64" in subject.dtypes else subject.dtype
    for setting in ({}, *({name: value} for name, value in subject.unusual.items())):
        training = Training(subject.brisk(**setting), dtype)
        numbers = _numbers(training.optimizer, reference)
        values = [value.copy() for value in training.values]
        states: list[dict[str, Any]] = [{} for _ in values]
        shown = ", ".join(f"{name}={value!r}" for name, value in setting.items()) or "the defaults"
        for made in range(_STEPS):
            gradients = [value_of(gradient) for gradient in training.gradients(made)]
            given = zip(values, gradients, states, strict=True)
            values = [np.asarray(reference(v, g, state, made + 1, **numbers)) for v, g, state in given]
            training.steps(1)
            demand_close(training.values, values, f"weights after step {made + 1} with {shown}, against the reference")


def _reference(subject: Subject) -> Callable[..., Any]:
    module, _, name = subject.declared.reference.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckFailure(
            f"reference={subject.declared.reference!r} in the card",
            expected="'module:function' of a module that can be imported",
            received=f"{type(error).__name__}: {error}",
        ) from error
    return found


def _numbers(optimizer: Any, reference: Callable[..., Any]) -> dict[str, Any]:
    """Return the hyperparameters that the reference asks for, as the float32 variables hold them."""
    config = optimizer.get_config()
    asked = [item for item in inspect.signature(reference).parameters.values() if item.kind is item.KEYWORD_ONLY]
    missing = [item.name for item in asked if item.name not in config and item.default is item.empty]
    demand(not missing, "keyword arguments of the reference", expected="hyperparameters", received=missing)
    given = {item.name: config[item.name] for item in asked if item.name in config}
    held = optimizer._hyper
    return {name: float(np.float32(value)) if name in held else value for name, value in given.items()}


@check(
    "A coefficient such as 1 - beta is computed in the dtype of the weights: in bfloat16, 0.999 is 1. Compute in "
    "float32, keep slots in float32, and round once.",
    requires=(check_every_declared_dtype_trains,),
    capability=LOW_PRECISION,
    group="numerics",
)
def check_low_precision_keeps_up_over_many_steps(subject: Subject) -> None:
    """In 16 bits the weights go the way of float32 weights, not a part of it: no average stagnates."""
    wide = Training(subject.brisk(), "float32")
    before = wide.values
    _repeat(wide, _MANY)
    way = [after - start for after, start in zip(wide.values, before, strict=True)]
    for dtype in sorted(NARROW & set(subject.dtypes)):
        narrow = Training(subject.brisk(), dtype)
        _repeat(narrow, _MANY)
        for place, (received, expected, moved) in enumerate(zip(narrow.values, wide.values, way, strict=True)):
            off = float(np.linalg.norm(received - expected))
            allowed = _SHARE * float(np.linalg.norm(moved)) + _rounding(dtype, expected)
            demand(
                off <= allowed,
                f"distance of {dtype} from float32 weights after {_MANY} steps, variable {place}",
                expected=f"at most {allowed:.3g}",
                received=f"{off:.3g}",
            )


def _repeat(training: Training, steps: int) -> None:
    for number in range(steps):
        training.apply(training.gradients(number % 2))


def _rounding(dtype: str, expected: Any) -> float:
    """Return what rounding a weight once at each step adds up to, as a random walk."""
    unit = float(np.finfo(np.float16).eps) if dtype == "float16" else 2.0**-7
    return float(unit * np.sqrt(_MANY) * (1.0 + np.linalg.norm(expected)))


@check(
    "The gradient is squared in float16, where 256 * 256 is infinite. Cast it to float32 first.",
    requires=(check_zero_gradients_keep_everything_finite,),
    capability=FLOAT16,
    group="numerics",
)
def check_large_float16_gradients_stay_finite(subject: Subject) -> None:
    """Gradients of a thousand, usual under a loss scale, make no infinity or NaN in float16 weights and slots."""
    training = Training(subject.optimizer(), "float16")
    for number in range(2):
        training.apply([gradient * tf.cast(_LARGE, gradient.dtype) for gradient in training.gradients(number)])
    demand_finite(training.values, f"float16 weights after gradients of {_LARGE:g}")
    demand_finite(training.state, f"float16 slots after gradients of {_LARGE:g}")


@check(
    "A quantity over all gradients enters every update. Where the rule wants that, say so in the card's limits and "
    "expect this failure.",
    requires=(check_a_first_step_can_be_made,),
    severity="should",
    group="numerics",
)
def check_a_nan_stays_in_its_variable(subject: Subject) -> None:
    """A NaN in the gradient of one variable leaves the others on their way."""
    struck, sound = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    for number in range(2):
        first, *others = struck.gradients(number)
        sound.apply([first, *others])
        struck.apply([first * tf.cast(float("nan"), first.dtype), *others])
    demand_same(struck.values[1:], sound.values[1:], "variables beside one whose gradient is NaN")
