"""Persistence: what is saved is complete, and training goes on from it as if it had not been interrupted."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import CheckFailure, check
from optreg.conformance.demands import demand, demand_equal, demand_refusal, demand_same
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training

STEPS = 3


@check(
    "get_config returns tensors, arrays or objects. Use self._serialize_hyperparameter(name) for hyperparameters.",
    requires=(check_a_first_step_can_be_made,),
)
def check_the_config_is_clean_json(subject: Subject) -> None:
    """The configuration is the same after a round trip through JSON, before and after training."""
    training = Training(subject.optimizer(**subject.unusual), subject.dtype)
    for moment in ("when just built", "after a step"):
        config = training.optimizer.get_config()
        try:
            reread = json.loads(json.dumps(config, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise CheckFailure(f"get_config() {moment}", expected="JSON", received=f"{config} ({error})") from error
        demand_equal(reread, config, f"get_config() {moment}, read back from JSON")
        training.steps(1)


@check(
    "get_config leaves out a hyperparameter or returns its default. Add every argument of the constructor, at "
    "its present value.",
    requires=(check_a_first_step_can_be_made, check_the_config_is_clean_json),
)
def check_an_optimizer_rebuilt_from_its_config_takes_the_same_steps(subject: Subject) -> None:
    """No hyperparameter is lost: with each at a value other than its default, the rebuilt optimizer trains alike."""
    for setting in ({}, {"clipnorm": 0.5}, *({name: value} for name, value in subject.unusual.items())):
        original = subject.optimizer(**setting)
        config = original.get_config()
        given = copy.deepcopy(config)
        rebuilt = subject.cls.from_config(given)
        shown = ", ".join(f"{name}={value!r}" for name, value in setting.items()) or "its defaults"
        demand_equal(given, config, "the dictionary given to from_config, afterwards")
        demand_equal(rebuilt.get_config(), config, f"get_config() of an optimizer rebuilt with {shown}")
        expected = Training(original, subject.dtype).steps(STEPS).values
        received = Training(rebuilt, subject.dtype).steps(STEPS).values
        demand_same(received, expected, f"weights trained by an optimizer rebuilt with {shown}")


@check(
    "get_config returns what the constructor got. Hyperparameters change: use self._serialize_hyperparameter(name).",
    requires=(check_the_config_is_clean_json,),
)
def check_the_config_follows_assignments(subject: Subject) -> None:
    """A hyperparameter assigned after a step stands in the configuration at its new value."""
    training = Training(subject.optimizer(), subject.dtype).steps(1)
    for name in subject.held(training.optimizer):
        if name not in subject.switches:
            value, _ = subject.two_values(name)
            setattr(training.optimizer, name, value)
            demand_equal(
                training.optimizer.get_config().get(name), value, f"{name} in get_config() after its assignment"
            )


@check(
    "State is kept outside the weights, in a variable of its own or in Python. Use add_slot, or count with "
    "self.iterations.",
    requires=(check_a_first_step_can_be_made,),
)
def check_training_continues_from_weights(subject: Subject) -> None:
    """``set_weights(get_weights())`` on a fresh optimizer, and training goes on bit by bit."""
    original = Training(subject.brisk(), subject.dtype).steps(STEPS)
    continued = beside(subject, original)
    continued.optimizer.build(continued.variables)
    continued.optimizer.set_weights(original.optimizer.get_weights())
    demand_same_future(continued, original, "set_weights(get_weights())")


@check(
    "set_weights was overridden and pairs arrays with weights without counting. Call super().",
    requires=(check_a_first_step_can_be_made,),
    every_variant=False,
)
def check_weights_that_do_not_fit_are_refused(subject: Subject) -> None:
    """Too few, too many or misshapen arrays are an error, and leave the optimizer as it was."""
    training = Training(subject.brisk(), subject.dtype).steps(1)
    weights = training.optimizer.get_weights()
    before = training.state
    misshapen = [*weights[:-1], weights[-1][None, ..., None]]
    for what, wrong in (("too few", weights[:-1]), ("too many", [*weights, weights[0]]), ("misshapen", misshapen)):
        with demand_refusal(f"set_weights() with {what} arrays", ValueError):
            training.optimizer.set_weights([array * 0 for array in wrong])
        demand_same(training.state, before, f"slots after set_weights() with {what} arrays was refused")
        demand_equal(int(training.optimizer.iterations), 1, f"iterations after set_weights() with {what} arrays")


@check(
    "State is kept where tf.train.Checkpoint does not see it. Use add_slot for each variable, add_weight for "
    "the optimizer's own.",
    requires=(check_a_first_step_can_be_made,),
)
def check_training_continues_from_a_checkpoint(subject: Subject) -> None:
    """A checkpoint read into fresh objects before their first step, and training goes on bit by bit."""
    original = Training(subject.brisk(), subject.dtype).steps(STEPS)
    continued = Training(subject.optimizer(), subject.dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint_of(original).write(str(Path(folder, "training")))
        status = checkpoint_of(continued).read(path)
        # Read within the folder's life: slots that wait for their creation read the file then.
        continued.optimizer.build(continued.variables)
        status.expect_partial()
    continued.made = original.made
    demand_same_future(continued, original, "a checkpoint")


def checkpoint_of(training: Training) -> Any:
    """Return a checkpoint of optimizer and variables."""
    return tf.train.Checkpoint(optimizer=training.optimizer, variables=training.variables)


def beside(subject: Subject, original: Training) -> Training:
    """Return a training that stands where the original does, with a fresh optimizer."""
    beside = Training(subject.brisk(), subject.dtype)
    for variable, source in zip(beside.variables, original.variables, strict=True):
        variable.assign(source)
    beside.made = original.made
    return beside


def demand_same_future(continued: Training, original: Training, source: str) -> None:
    """Raise ``CheckFailure`` unless both trainings stand where they do and make the same next steps."""
    iterations = int(continued.optimizer.iterations)
    demand(iterations == STEPS, f"iterations read from {source}", expected=STEPS, received=iterations)
    demand_same(continued.values, original.values, f"weights read from {source}")
    original.steps(STEPS)
    continued.steps(STEPS)
    demand_same(continued.values, original.values, f"weights {STEPS} steps after {source}")
