"""Slots: the declared ones exist, when they should, with the right shape, and belong to one optimizer only."""

from __future__ import annotations

from typing import Any

from optreg.cards import Slot
from optreg.conformance.checks.structure import check_a_first_step_can_be_made, check_the_card_fits_the_constructor
from optreg.conformance.definition import check
from optreg.conformance.demands import demand, demand_equal, demand_moved, demand_same
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training
from optreg.errors import listing

_STEPS = 3


@check(
    "_create_slots and the slots of the card differ: a slot was added to one of them only, or its 'when' is wrong.",
    requires=(check_a_first_step_can_be_made, check_the_card_fits_the_constructor),
)
def check_the_created_slots_are_the_declared_ones(subject: Subject) -> None:
    """Every variable has each slot that the card declares, and no other."""
    training = Training(subject.optimizer(), subject.dtype).steps(1)
    declared = {slot.name for slot in subject.slots}
    created = training.optimizer.get_slot_names()
    demand(set(created) == declared, "slots created", expected=listing(declared), received=listing(created))
    for variable in training.variables:
        for name in declared:
            _demand_slot(training.optimizer, variable, name)


@check(
    "add_slot got a shape or dtype that ignores the variable's, or the card lacks at_least or scalar.",
    requires=(check_the_created_slots_are_the_declared_ones,),
)
def check_slots_have_the_declared_shape_and_dtype(subject: Subject) -> None:
    """The variable's shape, or one number; the variable's dtype, or the wider one declared."""
    for dtype in subject.dtypes:
        training = Training(subject.optimizer(), dtype)
        training.optimizer.build(training.variables)
        for variable in training.variables:
            for slot in subject.slots:
                created = training.optimizer.get_slot(variable, slot.name)
                what = f"slot {slot.name!r} of a {dtype} variable of shape {tuple(variable.shape)}"
                demand_equal(tuple(created.shape), () if slot.scalar else tuple(variable.shape), f"{what}, shape")
                demand_equal(created.dtype.name, _slot_dtype(slot, dtype), f"{what}, dtype")


@check(
    "State is created once, at the first step. Create it in _create_slots(var_list), which is called for new "
    "variables too.",
    requires=(check_a_first_step_can_be_made,),
)
def check_a_new_variable_gets_its_slots_at_a_later_step(subject: Subject) -> None:
    """One optimizer serves variables that turn up later, as in staged training, and keeps the state it has."""
    first, second = Training(subject.brisk(), subject.dtype), Training(subject.brisk(), subject.dtype)
    second.optimizer = first.optimizer
    first.steps(2)
    kept, before = first.slots, second.values
    second.steps(1)
    demand_moved(second.values, before, "variables that turned up at a later step")
    demand_same(first.slots, kept, "slots of the variables that were left out of that step")
    for variable in second.variables:
        for name in first.optimizer.get_slot_names():
            _demand_slot(first.optimizer, variable, name)


@check(
    "State is kept in an attribute of the class or of the module. Create it in _create_slots or in the constructor.",
    requires=(check_a_first_step_can_be_made,),
)
def check_two_optimizers_share_nothing(subject: Subject) -> None:
    """An optimizer trained beside another one makes the steps that it makes alone."""
    alone = Training(subject.brisk(), subject.dtype).steps(_STEPS)
    first, second = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    for _ in range(_STEPS):
        first.steps(1)
        second.steps(1)
    demand_same(first.values, alone.values, "weights of an optimizer trained beside another one")
    demand_same(second.values, alone.values, "weights of the second of two optimizers")
    shared = {id(weight) for weight in first.optimizer.weights} & {id(weight) for weight in second.optimizer.weights}
    demand(
        not shared, "weights of two optimizers", expected="no variable in common", received=f"{len(shared)} in common"
    )


@check(
    "An update method counts the step. apply_gradients() does it, once for all variables.",
    requires=(check_a_first_step_can_be_made,),
)
def check_iterations_count_the_steps(subject: Subject) -> None:
    """``iterations`` is an int64 that grows by one at each step, whatever the number of variables."""
    training = Training(subject.optimizer(), subject.dtype)
    demand_equal(int(training.optimizer.iterations), 0, "iterations before the first step")
    for made in range(1, _STEPS + 1):
        training.steps(1)
        demand_equal(int(training.optimizer.iterations), made, f"iterations after {made} steps")
    demand_equal(training.optimizer.iterations.dtype.name, "int64", "dtype of iterations")


@check(
    "build() was overridden, or state needs a gradient to be created. Create it in _create_slots(var_list).",
    requires=(check_a_first_step_can_be_made,),
)
def check_building_early_changes_nothing(subject: Subject) -> None:
    """``build(var_list)`` creates the state that the first step would have created, and moves no variable."""
    late, early = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    before = early.values
    early.optimizer.build(early.variables)
    demand_same(early.values, before, "weights after build()")
    built = [tuple(weight.shape) for weight in early.optimizer.weights]
    late.steps(_STEPS)
    demand_equal(
        built, [tuple(weight.shape) for weight in late.optimizer.weights], "shapes of the weights after build()"
    )
    demand_same(early.steps(_STEPS).values, late.values, "weights trained after build()")


@check(
    "A variable of the optimizer was made with tf.Variable(...), which is trainable. Use add_slot and add_weight.",
    requires=(check_a_first_step_can_be_made,),
)
def check_state_is_not_trainable(subject: Subject) -> None:
    """A tape around a step watches none of the optimizer's own variables, which are no weights of a model."""
    training = Training(subject.optimizer(), subject.dtype)
    with tf.GradientTape() as tape:
        training.steps(2)
    trained = {id(variable) for variable in training.variables}
    watched = [variable.name for variable in tape.watched_variables() if id(variable) not in trained]
    demand(not watched, "trainable variables of the optimizer", expected="none", received=watched)


def _demand_slot(optimizer: Any, variable: Any, name: str) -> None:
    try:
        optimizer.get_slot(variable, name)
        found = True
    except KeyError:
        found = False
    shape = tuple(variable.shape)
    demand(found, f"slot {name!r} of the variable of shape {shape}", expected="created", received="no such slot")


def _slot_dtype(slot: Slot, dtype: str) -> str:
    wide = slot.at_least and tf.as_dtype(dtype).size < tf.as_dtype(slot.at_least).size
    return slot.at_least if wide else dtype
