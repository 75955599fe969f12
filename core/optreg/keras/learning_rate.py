"""Setting the learning rate of a wrapped optimizer as Keras's callbacks do."""

from __future__ import annotations

import warnings
from typing import Any

from optreg.errors import HyperparameterTypeError
from optreg.optimizer.hyperparameters import is_schedule


def set_learning_rate(optimizer: Any, value: Any) -> None:
    """Set the learning rate; a number does not silently displace a schedule or a function.

    A model compiles its step once. A number put in the place of a schedule would never reach that step, so callbacks
    such as ``LearningRateScheduler`` and ``ReduceLROnPlateau`` would appear to work and change nothing. The other way
    round there is a warning, because compiling the model again is a way to go on.

    Raises:
        HyperparameterTypeError: The optimizer has a schedule or a function as learning rate, and ``value`` is neither.
    """
    present = optimizer._hyper.get("learning_rate")
    if callable(present) and not callable(value):
        kind = "a schedule" if is_schedule(present) else "a function"
        raise HyperparameterTypeError(
            f"{type(optimizer).__name__}: learning_rate is {kind} ({_name_of(present)}) and cannot be set to "
            f"{value!r}, as LearningRateScheduler and ReduceLROnPlateau do. Wrap the optimizer with a number as "
            f"learning_rate, or leave such callbacks out"
        )
    if callable(value) and not callable(present) and optimizer._stepped_in_graph:
        warnings.warn(
            f"{type(optimizer).__name__}: {_name_of(value)} does not reach the step that the model has compiled with a "
            "number as learning_rate. Compile the model again: model.compile(optimizer=model.optimizer, ...)",
            stacklevel=3,
        )
    optimizer.learning_rate = value


def _name_of(source: Any) -> str:
    return str(getattr(source, "__qualname__", type(source).__name__))
