"""Numerics: the update leads downhill, and stays finite where gradients are zero, huge or tiny."""

from __future__ import annotations

from typing import Any

from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand, demand_finite
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training

_DESCENT_STEPS = 5
_STEPS = 100
_RATES = (0.1, 0.01, 1.0, 10.0)
_FEW = {"vector": (5,)}
_ENOUGH = 0.5  # share of the distance to the minimum that may be left; a slow optimizer is not a wrong one


@check(
    "The sign of the update is wrong, or it is scaled to nothing. Variables move against the gradient.",
    requires=(check_a_first_step_can_be_made,),
)
def check_the_first_steps_lower_a_quadratic(subject: Subject) -> None:
    """With default hyperparameters a few steps lower the loss ``sum((w - 1)²) / 2``."""
    training = Training(subject.optimizer(), subject.dtype)
    before = _loss(training)
    _descend(training, _DESCENT_STEPS)
    demand(
        _loss(training) < before, f"loss after {_DESCENT_STEPS} steps", expected=f"< {before}", received=_loss(training)
    )


@check(
    "The step does not shrink near the minimum, or grows. Compare the rule with its paper.",
    requires=(check_the_first_steps_lower_a_quadratic,),
)
def check_it_converges_on_a_quadratic(subject: Subject) -> None:
    """With one of the usual learning rates, the minimum comes nearer by half within 100 steps."""
    rates = _RATES if subject.takes_learning_rate else (None,)
    losses: dict[Any, float] = {}
    for rate in rates:
        overrides = {} if rate is None else {"learning_rate": rate}
        training = Training(subject.optimizer(**overrides), subject.dtype, shapes=_FEW)
        before = _loss(training)
        _descend(training, _STEPS)
        losses[rate] = _loss(training) / before
        if losses[rate] <= _ENOUGH**2:
            return
    received = ", ".join(f"{left:.3g} with learning_rate={rate}" for rate, left in losses.items())
    demand(False, f"share of the loss left after {_STEPS} steps", expected=f"at most {_ENOUGH**2}", received=received)


@check(
    "The update divides by a quantity that is zero for a zero gradient. Add epsilon to it.",
    requires=(check_a_first_step_can_be_made,),
)
def check_zero_gradients_keep_everything_finite(subject: Subject) -> None:
    """Gradients of zero, from the first step on, make no NaN in weights or slots."""
    for dtype in subject.dtypes:
        training = Training(subject.optimizer(), dtype)
        for _ in range(2):
            training.apply([tf.zeros_like(variable) for variable in training.variables])
        demand_finite(training.values, f"{dtype} weights after zero gradients")
        demand_finite(training.state, f"{dtype} slots after zero gradients")


@check(
    "A power or product of gradients leaves the range of float32. Scale before squaring, or divide before multiplying.",
    requires=(check_zero_gradients_keep_everything_finite,),
    severity="should",
)
def check_huge_and_tiny_gradients_keep_everything_finite(subject: Subject) -> None:
    """Gradients of 1e15 and of 1e-30, in turn, make no NaN or infinity in weights or slots of float32."""
    if "float32" not in subject.dtypes:
        return
    for scales in ((1e15, 1e-30), (1e-30, 1e15)):
        training = Training(subject.optimizer())
        for scale in scales:
            training.apply([gradient * scale for gradient in training.gradients(0)])
        demand_finite(training.values, f"weights after gradients of {scales[0]:g} and {scales[1]:g}")
        demand_finite(training.state, f"slots after gradients of {scales[0]:g} and {scales[1]:g}")


def _loss(training: Training) -> float:
    return float(sum((abs(value - 1.0) ** 2).sum() for value in training.values) / 2.0)


def _descend(training: Training, steps: int) -> None:
    for _ in range(steps):
        training.apply([variable - tf.ones_like(variable) for variable in training.variables])
