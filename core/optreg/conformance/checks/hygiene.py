"""Hygiene: an optimizer changes its variables and its state, and nothing else in the process."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import warnings
from typing import Any

import numpy as np

from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand, demand_equal
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training

_SEED = 1729


@check(
    "A seed is set, or random numbers are drawn from the global stream. Use a tf.random.Generator of the "
    "optimizer's own.",
    requires=(check_a_first_step_can_be_made,),
    every_variant=False,
)
def check_random_streams_are_untouched(subject: Subject) -> None:
    """Building an optimizer and training leaves the streams of Python, NumPy and TensorFlow where they were."""
    python, generator = random.getstate(), _numpy_stream()
    undisturbed = _drawn_after(lambda: None)
    disturbed = _drawn_after(lambda: Training(subject.optimizer(), subject.dtype).steps(2))
    demand_equal(disturbed, undisturbed, "the next number of TensorFlow's global stream")
    demand(random.getstate() == python, "state of the module random", expected="unchanged", received="changed")
    demand(_numpy_stream() == generator, "global state of numpy.random", expected="unchanged", received="changed")


@check(
    "A setting of the process is changed. Settings are the user's: leave them, or restore them in a with statement.",
    requires=(check_a_first_step_can_be_made,),
    every_variant=False,
)
def check_settings_of_the_process_are_untouched(subject: Subject) -> None:
    """Eager mode, XLA, devices, Keras's precision policy and the warning filters are as before."""
    before = _settings()
    Training(subject.optimizer(), subject.dtype).steps(2)
    for name, value in _settings().items():
        demand_equal(value, before[name], f"{name} after training")


@check(
    "A print() was left in. Use the warnings or logging module for what a user must know.",
    requires=(check_a_first_step_can_be_made,),
)
def check_nothing_is_printed(subject: Subject) -> None:
    """Standard output belongs to the program, which may write JSON to it."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        Training(subject.optimizer(), subject.dtype).steps(2)
    demand_equal(printed.getvalue(), "", "text on standard output while training")


@check(
    "A deprecated function is called, or a warning is meant for the author. Users run their tests with "
    "warnings as errors.",
    requires=(check_a_first_step_can_be_made,),
    severity="should",
)
def check_nothing_is_warned_of(subject: Subject) -> None:
    """A plain training with default hyperparameters warns of nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Training(subject.optimizer(), subject.dtype).steps(2)
    messages = [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    demand_equal(messages, [], "warnings while training")


def _drawn_after(action: Any) -> float:
    """Return the first number that TensorFlow draws after a fixed seed and the action."""
    tf.random.set_seed(_SEED)
    try:
        action()
        return float(tf.random.uniform(()))
    finally:
        # TensorFlow does not tell the seed there was; without one its stream is random, as it is by default.
        tf.random.set_seed(None)


def _numpy_stream() -> str:
    return str(np.random.get_state())


def _settings() -> dict[str, Any]:
    settings = {
        "eager mode": tf.executing_eagerly(),
        "tf.config.functions_run_eagerly()": tf.config.functions_run_eagerly(),
        "tf.config.optimizer.get_jit()": tf.config.optimizer.get_jit(),
        "tf.config.get_soft_device_placement()": tf.config.get_soft_device_placement(),
        "the default graph": tf.compat.v1.get_default_graph() if not tf.executing_eagerly() else None,
        "warnings.filters": list(warnings.filters),
    }
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        settings["keras.config.floatx()"] = keras.config.floatx()
        settings["keras.config.dtype_policy()"] = keras.config.dtype_policy().name
    return settings
