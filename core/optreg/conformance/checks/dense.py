"""Dense gradients: which variables move, in which dtypes and shapes, and what becomes of the gradient on its way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from optreg.conformance.checks.structure import check_a_first_step_can_be_made, check_the_card_fits_the_constructor
from optreg.conformance.definition import check
from optreg.conformance.demands import (
    demand_close,
    demand_equal,
    demand_finite,
    demand_moved,
    demand_refusal,
    demand_same,
)
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training, value_of

_STEPS = 3
_ALL_DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
# Weights near 1 after three steps: a few units in the last place of each dtype.
_TOLERANCE = {"float16": 0.01, "bfloat16": 0.06}

needs_a_step = (check_a_first_step_can_be_made,)


@check(
    "The update works on the gradient in place, or a slot shares its memory. Compute new tensors.",
    requires=needs_a_step,
)
def check_gradients_are_left_as_they_were(subject: Subject) -> None:
    """The gradient tensors that a training loop passes in still hold the same numbers afterwards."""
    training = Training(subject.optimizer(), subject.dtype)
    gradients = training.gradients(0)
    before = [value_of(gradient).copy() for gradient in gradients]
    for _ in range(2):
        training.apply(gradients)
    demand_same([value_of(gradient) for gradient in gradients], before, "gradients after two steps")


@check(
    "apply_gradients was overridden and does not leave out pairs whose gradient is None.",
    requires=needs_a_step,
)
def check_a_missing_gradient_leaves_its_variable(subject: Subject) -> None:
    """The pair (None, variable) is left out of the step; the others move."""
    training = Training(subject.brisk(), subject.dtype)
    before = training.values
    missing, *present = training.gradients(0)
    del missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the contract warns of a missing gradient
        training.apply([None, *present])
    demand_same(training.values[:1], before[:1], "a variable whose gradient is None")
    demand_moved(training.values[1:], before[1:], "variables beside one whose gradient is None")


@check(
    "The update goes over all variables the optimizer knows. Update only the variable the method was called with.",
    requires=needs_a_step,
)
def check_variables_left_out_of_a_step_stay(subject: Subject) -> None:
    """One optimizer serves changing subsets of variables, as the two networks of a GAN."""
    training = Training(subject.brisk(), subject.dtype)
    left, right = training.variables[:1], training.variables[1:]
    for number in range(2 * _STEPS):
        active, resting = (left, right) if number % 2 == 0 else (right, left)
        before = [value_of(variable) for variable in resting]
        gradients = training.gradients(number)
        pairs = list(zip(gradients, training.variables, strict=True))
        training.optimizer.apply_gradients([pair for pair in pairs if any(pair[1] is one for one in active)])
        demand_same([value_of(variable) for variable in resting], before, "variables left out of a step")


@check(
    "A kernel or cast does not fit the dtype. Compute coefficients in float32 or wider, cast them to that dtype "
    "last, or take the dtype out of the card.",
    requires=(*needs_a_step, check_the_card_fits_the_constructor),
)
def check_every_declared_dtype_trains(subject: Subject) -> None:
    """Each declared dtype is kept and makes the same steps, as precisely as it can hold them."""
    expected = Training(subject.brisk(), subject.dtype).steps(_STEPS).values
    for dtype in subject.dtypes:
        training = Training(subject.brisk(), dtype).steps(_STEPS)
        demand_equal({variable.dtype.name for variable in training.variables}, {dtype}, "dtype after training")
        tolerance = _TOLERANCE.get(dtype, 1e-4)
        demand_close(training.values, expected, f"{dtype} weights after {_STEPS} steps", tolerance=tolerance)


@check(
    "_valid_dtypes allows more than the card declares. Declare the dtype, and it is tested; or let the "
    "contract refuse it.",
    requires=(*needs_a_step, check_the_card_fits_the_constructor),
)
def check_undeclared_dtypes_are_refused(subject: Subject) -> None:
    """A variable of another dtype is an error, and stays as it was."""
    declared = subject.declared.dtypes or _ALL_DTYPES
    for dtype in (*(name for name in _ALL_DTYPES if name not in declared), "int32"):
        training = Training(subject.optimizer(), dtype)
        before = training.values
        with demand_refusal(f"a variable of the undeclared dtype {dtype}", TypeError, ValueError, naming=dtype):
            training.steps(1)
        demand_same(training.values, before, f"{dtype} variables that were refused")


@check(
    "The update assumes a number of axes or at least one element, as grad[0] and mean() do.",
    requires=needs_a_step,
)
def check_shapes_of_every_rank_train(subject: Subject) -> None:
    """Scalars, variables without elements and variables of four axes are updated like any other."""
    shapes = {"scalar": (), "one": (1,), "empty": (0,), "no_rows": (0, 3), "no_columns": (3, 0), "kernel": (2, 2, 1, 3)}
    training = Training(subject.brisk(), subject.dtype, shapes=shapes)
    before = training.values
    training.steps(_STEPS)
    demand_finite(training.values, "weights of several shapes")
    demand_moved(training.values, before, "variables of several shapes")


@check(
    "apply_gradients or _transform_gradients was overridden without clipping. Call super().",
    requires=needs_a_step,
    every_variant=False,
)
def check_clip_options_take_effect(subject: Subject) -> None:
    """Each clip option gives the same steps as clipping the gradients before they are passed in."""
    limit = 0.05
    by_hand: dict[str, Callable[[Any], Any]] = {
        "clipvalue": lambda gradients: [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients],
        "clipnorm": lambda gradients: [tf.clip_by_norm(gradient, limit) for gradient in gradients],
        "global_clipnorm": lambda gradients: tf.clip_by_global_norm(gradients, limit)[0],
    }
    for option, clip in by_hand.items():
        received = Training(subject.brisk(**{option: limit}), subject.dtype).steps(_STEPS).values
        clipped = Training(subject.brisk(), subject.dtype)
        for number in range(_STEPS):
            clipped.apply(clip(clipped.gradients(number)))
        demand_close(received, clipped.values, f"weights with {option}={limit}")


@check(
    "The step was overridden and leaves out the aggregator, or runs the transformers in another order. Call super().",
    requires=needs_a_step,
    every_variant=False,
)
def check_the_aggregator_and_transformers_run_in_order(subject: Subject) -> None:
    """Aggregator first, then each transformer, each once; the update gets what the last one returns."""
    called: list[str] = []

    def noting(name: str, factor: float) -> Any:
        def step(pairs: Any) -> Any:
            called.append(name)
            return [(gradient * tf.cast(factor, gradient.dtype), variable) for gradient, variable in pairs]

        return step

    steps = {"gradient_aggregator": noting("aggregator", 2.0)}
    transformers = [noting("first", 3.0), noting("second", 5.0)]
    received = Training(subject.brisk(**steps, gradient_transformers=transformers), subject.dtype).steps(1)
    demand_equal(called, ["aggregator", "first", "second"], "functions called in one step")
    scaled = Training(subject.brisk(), subject.dtype)
    scaled.steps(1, lambda gradients: scaled.apply([gradient * 30.0 for gradient in gradients]))
    demand_close(
        received.values, scaled.values, "weights after an aggregator and two transformers that scale by 2, 3 and 5"
    )


@check(
    "_apply_dense or apply_gradients was overridden and does not apply the variable's constraint. Call super().",
    requires=needs_a_step,
    every_variant=False,
)
def check_the_constraint_of_a_variable_is_applied(subject: Subject) -> None:
    """``tf.Variable(..., constraint=f)`` holds ``f(updated)`` after a step."""
    free, bound = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    bound.variables = [tf.Variable(variable, constraint=lambda value: value * 0.5) for variable in bound.variables]
    free.steps(1)
    bound.steps(1)
    demand_close(bound.values, [value * 0.5 for value in free.values], "weights with a constraint that halves them")
