"""Ways to make a step: every form in which training loops call the optimizer."""

from __future__ import annotations

from typing import Any

from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand, demand_close, demand_equal, demand_refusal, demand_same
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training

_STEPS = 3

needs_a_step = (check_a_first_step_can_be_made,)


@check(
    "apply_gradients was overridden and counts or indexes the pairs. Make a list of them first, or call super().",
    requires=needs_a_step,
    every_variant=False,
    group="dense",
)
def check_any_iterable_of_pairs_is_taken(subject: Subject) -> None:
    """``zip(gradients, variables)``, as every tutorial writes it, makes the step that a list makes."""
    listed, zipped = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    listed.steps(_STEPS)
    zipped.steps(_STEPS, lambda given: zipped.optimizer.apply_gradients(zip(given, zipped.variables, strict=True)))
    demand_close(zipped.values, listed.values, "weights after apply_gradients(zip(...)) instead of a list")


@check(
    "minimize or _compute_gradients was overridden and differs from apply_gradients. Call super().",
    requires=needs_a_step,
    every_variant=False,
    group="dense",
)
def check_minimize_makes_the_step_of_apply_gradients(subject: Subject) -> None:
    """A loss given as a function, and one given as a tensor with its tape, are minimized alike."""
    applied, called, taped = (Training(subject.brisk(), subject.dtype) for _ in range(3))
    for number in range(_STEPS):
        gradients = applied.gradients(number)
        applied.apply(gradients)
        called.optimizer.minimize(lambda given=gradients: _linear(called, given), called.variables)
        with tf.GradientTape() as tape:
            loss = _linear(taped, gradients)
        taped.optimizer.minimize(loss, taped.variables, tape=tape)
    demand_close(called.values, applied.values, "weights after minimize(function) instead of apply_gradients")
    demand_close(taped.values, applied.values, "weights after minimize(tensor, tape=) instead of apply_gradients")


@check(
    "apply_gradients was overridden without all arguments of the contract: name and experimental_aggregate_gradients.",
    requires=needs_a_step,
    every_variant=False,
    group="dense",
)
def check_gradients_summed_already_are_not_summed_again(subject: Subject) -> None:
    """``experimental_aggregate_gradients=False`` leaves out the aggregation; ``name`` is taken."""
    called: list[int] = []

    def noting(pairs: Any) -> Any:
        called.append(len(list(pairs)))
        return pairs

    plain = Training(subject.brisk(), subject.dtype).steps(1)
    given = Training(subject.brisk(gradient_aggregator=noting), subject.dtype)

    def step(gradients: Any) -> None:
        pairs = list(zip(gradients, given.variables, strict=True))
        given.optimizer.apply_gradients(pairs, name="step", experimental_aggregate_gradients=False)

    given.steps(1, step)
    demand_equal(called, [], "calls of the aggregator with experimental_aggregate_gradients=False")
    demand_close(given.values, plain.values, "weights after a step with experimental_aggregate_gradients=False")


@check(
    "apply_gradients was overridden and passes over a step for which there is no gradient at all. Call super().",
    requires=needs_a_step,
    every_variant=False,
    group="dense",
)
def check_a_step_without_any_gradient_is_refused(subject: Subject) -> None:
    """Only None as gradients means a loss that does not depend on the weights: an error, and nothing is counted."""
    training = Training(subject.brisk(), subject.dtype).steps(1)
    before, slots = training.values, training.state
    with demand_refusal("a step in which every gradient is None", ValueError):
        training.apply([None] * len(training.variables))
    demand_same(training.values, before, "weights after a step without gradients was refused")
    demand_same(training.state, slots, "slots after a step without gradients was refused")
    demand_equal(int(training.optimizer.iterations), 1, "iterations after a step without gradients was refused")


@check(
    "Variables are told apart by their place in the list. State belongs to a variable: get_slot(var, name).",
    requires=needs_a_step,
    group="dense",
)
def check_the_order_of_the_pairs_does_not_matter(subject: Subject) -> None:
    """The pairs may come in another order at each step, as from a set or a dictionary."""
    ordered, turned = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    ordered.steps(_STEPS)
    for number in range(_STEPS):
        pairs = list(zip(turned.gradients(number), turned.variables, strict=True))
        turned.optimizer.apply_gradients(pairs[number % 2 :] + pairs[: number % 2])
    demand_close(turned.values, ordered.values, "weights after steps whose pairs came in changing order")


@check(
    "Randomness of its own, or the time, enters the update. Draw from a tf.random.Generator seeded by an argument.",
    requires=needs_a_step,
    group="dense",
)
def check_the_same_training_twice_ends_in_the_same_place(subject: Subject) -> None:
    """Two fresh optimizers with the same gradients agree in every bit: else no result can be reproduced."""
    first, second = (Training(subject.brisk(), subject.dtype).steps(_STEPS) for _ in range(2))
    demand_same(second.values, first.values, "weights of the second of two equal trainings")
    demand_same(second.state, first.state, "slots of the second of two equal trainings")


@check(
    "The update divides by the learning rate. Multiply instead, or declare the range (0, inf).",
    requires=needs_a_step,
    group="hyperparameters",
)
def check_a_learning_rate_of_zero_moves_nothing(subject: Subject) -> None:
    """A warm-up that starts at zero, and a layer frozen by the rate, leave the weights as they are."""
    interval = subject.intervals.get("learning_rate")
    if not subject.takes_learning_rate or (interval is not None and 0.0 not in interval):
        return
    training = Training(subject.optimizer(learning_rate=0.0), subject.dtype)
    before = training.values
    training.steps(_STEPS)
    demand_same(training.values, before, f"weights after {_STEPS} steps with learning_rate=0")


@check(
    "The learning rate is kept in an attribute of its own, which lr does not reach. Keep it with _set_hyper.",
    requires=needs_a_step,
    every_variant=False,
    group="hyperparameters",
)
def check_the_old_name_of_the_learning_rate_is_not_ignored(subject: Subject) -> None:
    """``lr=0.05`` is the learning rate, as in Keras 2.9, or it is refused; a number dropped in silence is neither."""
    rate = subject.two_values("learning_rate")[0]
    try:
        optimizer = subject.optimizer(lr=rate)
    except (TypeError, ValueError):
        return
    received = float(optimizer.learning_rate) if subject.takes_learning_rate else None
    same = received is not None and abs(received - rate) <= 1e-6 * abs(rate)
    demand(same, f"opt.learning_rate after lr={rate:g}", expected=rate, received=received)


@check(
    "__setattr__ was overridden and takes any name. Call super().__setattr__.",
    requires=needs_a_step,
    every_variant=False,
    group="hyperparameters",
)
def check_a_misspelt_assignment_is_refused(subject: Subject) -> None:
    """``opt.learning_rte = 0.1`` is an error that names the right word, not a new attribute without effect."""
    if not subject.takes_learning_rate:
        return
    optimizer = subject.optimizer()
    with demand_refusal("opt.learning_rte = 0.1", AttributeError, TypeError, ValueError, naming="learning_rate"):
        optimizer.learning_rte = 0.1


def _linear(training: Training, gradients: Any) -> Any:
    """Return a loss whose gradients are the given ones."""
    products = zip(gradients, training.variables, strict=True)
    return tf.add_n([tf.reduce_sum(tf.math.conj(gradient) * variable) for gradient, variable in products])
