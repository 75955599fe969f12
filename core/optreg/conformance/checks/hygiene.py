"""Hygiene: an optimizer changes its variables and its state, and nothing else in the process."""

from __future__ import annotations

import ast
import contextlib
import gc
import inspect
import io
import random
import sys
import warnings
import weakref
from typing import Any

import numpy as np

from optreg.cards.reader import describe_class
from optreg.conformance.checks.structure import check_a_first_step_can_be_made, check_it_can_be_built
from optreg.conformance.definition import Skipped, check
from optreg.conformance.demands import demand, demand_equal
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.settings import kept_settings, present_settings
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training
from optreg.errors import listing

_SEED = 1729
_PRIVATE = ("tensorflow.python.", "tensorflow.core.", "keras.src.", "tf_keras.src.")


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
    """Eager mode, XLA, devices, Keras's precision policy, the environment and the warning filters are as before."""
    before = present_settings()
    with kept_settings():
        Training(subject.optimizer(), subject.dtype).steps(2)
        for name, value in present_settings().items():
            demand_equal(value, before.get(name, value), f"{name} after training")


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


@check(
    "Optimizers or variables are kept in a list of the module or in a cache of a function. Keep them in the optimizer.",
    requires=(check_a_first_step_can_be_made,),
    every_variant=False,
)
def check_an_optimizer_that_is_dropped_is_freed(subject: Subject) -> None:
    """Nothing holds on to an optimizer that is no longer used: its slots are memory of the accelerator."""
    training = Training(subject.optimizer(), subject.dtype).steps(2)
    dropped = weakref.ref(training.optimizer)
    del training
    gc.collect()
    demand(dropped() is None, "a dropped optimizer", expected="freed", received="still held by something")


@check(
    "A private module is imported, which the next release may move. Use the public names of TensorFlow and Keras.",
    requires=(check_it_can_be_built,),
    severity="should",
    every_variant=False,
)
def check_only_public_modules_are_imported(subject: Subject) -> None:
    """The module of the class imports nothing of ``tensorflow.python``, ``keras.src`` or ``tf_keras.src``."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[subject.cls.__module__]))
    except (OSError, TypeError, KeyError, SyntaxError) as error:
        raise Skipped(f"the source of {subject.cls.__module__} cannot be read: {error}") from error
    imported = [name for node in ast.walk(tree) for name in _imported_by(node)]
    private = [name for name in imported if f"{name}.".startswith(_PRIVATE)]
    demand(not private, f"imports of {subject.cls.__module__}", expected="public modules", received=listing(private))


@check(
    "The docstring has no section Arguments, or leaves one out; optreg info shows what it says.",
    requires=(check_it_can_be_built,),
    severity="should",
    every_variant=False,
    group="structure",
)
def check_every_hyperparameter_is_explained(subject: Subject) -> None:
    """The docstring says in one sentence what the optimizer does, and what each hyperparameter means."""
    described = describe_class(subject.cls)
    blank = [item.name for item in described.hyperparameters if not item.meaning]
    demand(described.summary, f"the docstring of {subject.cls.__name__}", expected="a sentence", received="none")
    demand(not blank, "hyperparameters without a meaning", expected="none", received=listing(blank))


def _imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


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
