"""Copies, pickles and dictionaries: each carries the whole state, and refuses what does not fit."""

from __future__ import annotations

import copy
import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

from optreg.conformance.checks.persistence import (
    STEPS,
    beside,
    check_an_optimizer_rebuilt_from_its_config_takes_the_same_steps,
    check_training_continues_from_a_checkpoint,
    checkpoint_of,
    demand_same_future,
)
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import Skipped, check
from optreg.conformance.demands import demand_equal, demand_refusal, demand_same
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training
from optreg.registry.loading import target_of

needs_a_step = (check_a_first_step_can_be_made,)


@check(
    "A slot, or state of its own, is restored only while it is created. Create state with add_slot and add_weight.",
    requires=(check_training_continues_from_a_checkpoint,),
    group="persistence",
)
def check_a_checkpoint_overwrites_a_running_optimizer(subject: Subject) -> None:
    """Restored after other steps were made, as to go back to the best epoch, training goes on bit by bit."""
    original = Training(subject.brisk(), subject.dtype).steps(STEPS)
    continued = Training(subject.brisk(), subject.dtype)
    for number in (7, 8):
        continued.apply(continued.gradients(number))
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint_of(original).write(str(Path(folder, "training")))
        checkpoint_of(continued).read(path).assert_existing_objects_matched()
    continued.made = original.made
    demand_same_future(continued, original, "a checkpoint read after other steps")


@check(
    "State is kept outside slots and weights, or state_dict was overridden. Use add_slot and add_weight.",
    requires=needs_a_step,
    group="persistence",
)
def check_training_continues_from_the_state_dict(subject: Subject) -> None:
    """``load_state_dict(state_dict())`` on a fresh optimizer, and training goes on bit by bit."""
    original = Training(subject.brisk(), subject.dtype).steps(STEPS)
    continued = beside(subject, original)
    continued.optimizer.load_state_dict(original.optimizer.state_dict(), continued.variables)
    demand_same_future(continued, original, "load_state_dict(state_dict())")


@check(
    "load_state_dict was overridden and takes what it finds. Call super(), which compares first.",
    requires=(check_training_continues_from_the_state_dict,),
    every_variant=False,
    group="persistence",
)
def check_a_state_dict_that_does_not_fit_is_refused(subject: Subject) -> None:
    """A missing, unexpected or misshapen entry is an error that names it, and leaves the optimizer as it was."""
    training = Training(subject.brisk(), subject.dtype).steps(1)
    before = training.state
    fitting = training.optimizer.state_dict()
    without_iterations = {name: value for name, value in fitting.items() if name != "iterations"}
    wrong = {
        "a missing": ("iterations", without_iterations),
        "an unexpected": ("ghost", {**fitting, "weights": {**fitting["weights"], "ghost": before[0] if before else 0}}),
        "a misshapen": ("iterations", {**fitting, "iterations": [1, 2]}),
    }
    for what, (named, state) in wrong.items():
        with demand_refusal(f"load_state_dict() with {what} entry", ValueError, naming=named):
            training.optimizer.load_state_dict(state, training.variables)
        demand_same(training.state, before, f"slots after load_state_dict() with {what} entry was refused")
        demand_equal(int(training.optimizer.iterations), 1, f"iterations after {what} entry was refused")


@check(
    "An attribute cannot be pickled: a lambda, a lock, a tensor. Build it when it is needed, or leave it out in "
    "__getstate__.",
    requires=needs_a_step,
    group="persistence",
)
def check_training_continues_from_a_pickle(subject: Subject) -> None:
    """A pickle holds the whole state: loaded beside equal variables, training goes on bit by bit."""
    if "<locals>" in target_of(subject.cls):
        raise Skipped("pickle finds classes at the top level of a module only: put the class there")
    original = Training(subject.brisk(), subject.dtype).steps(STEPS)
    continued = beside(subject, original)
    continued.optimizer = pickle.loads(pickle.dumps(original.optimizer))  # noqa: S301 - written one call before
    demand_same_future(continued, original, "a pickle")


@check(
    "An attribute of the copy is that of the original: a list or a dictionary of variables. Keep state in slots and "
    "weights.",
    requires=needs_a_step,
    group="persistence",
)
def check_a_deep_copy_continues_on_its_own(subject: Subject) -> None:
    """``copy.deepcopy`` of optimizer and variables goes on like the original, and neither moves the other."""
    original = Training(subject.brisk(), subject.dtype).steps(STEPS)
    continued = copy.deepcopy(original)
    values, state = original.values, original.state
    continued.steps(1)
    demand_same(original.values, values, "weights after a step of their deep copy")
    demand_same(original.state, state, "slots after a step of their deep copy")
    original.steps(1)
    demand_same(continued.values, original.values, "weights of a deep copy after a step")
    demand_same(continued.state, original.state, "slots of a deep copy after a step")


@check(
    "get_config turns the learning rate into a number. Use self._serialize_hyperparameter('learning_rate').",
    requires=(check_an_optimizer_rebuilt_from_its_config_takes_the_same_steps,),
    group="persistence",
)
def check_a_schedule_survives_the_config(subject: Subject) -> None:
    """A schedule is rebuilt from the configuration, by way of JSON, and goes on falling."""
    if not subject.takes_learning_rate:
        raise Skipped(f"{subject.cls.__name__} has no hyperparameter learning_rate")
    original = subject.optimizer(learning_rate=_falling())
    rebuilt = subject.cls.from_config(json.loads(json.dumps(original.get_config(), allow_nan=False)))
    expected = Training(original, subject.dtype).steps(STEPS).values
    received = Training(rebuilt, subject.dtype).steps(STEPS).values
    demand_same(received, expected, "weights trained by an optimizer rebuilt with a schedule")


def _falling() -> Any:
    return tf.keras.optimizers.schedules.ExponentialDecay(0.2, decay_steps=1, decay_rate=0.5)
