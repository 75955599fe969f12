"""Hyperparameters: numbers, tensors, callables and schedules behind one interface.

A number becomes a float32 variable when state is created, so that assigning a new one reaches functions already
traced. Tensors do the same in their own precision. A ``tf.Variable`` is used as it is. A callable without arguments
is called at each step; a schedule, which is a callable of the step with ``get_config``, is called with the step.
"""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.cards import Interval
from optreg.errors import HyperparameterTypeError, InvalidConfig, InvalidHyperparameter, listing
from optreg.optimizer.distribution import describe_value, resource_variable
from optreg.optimizer.graphs.sessions import assign_value, is_deferred, is_readable, read_value

DECAY_RANGE = "[0, inf)"
"""Range of ``decay``, which every optimizer takes and no card declares."""

Create = Callable[[str, Any, Any], Any]
"""(name, initial value, dtype) to a variable, created in the scope of the optimizer."""


class HyperparameterTable:
    """The hyperparameters of one optimizer by name, before and after their variables exist.

    Args:
        owner: Name of the optimizer, for messages.
        ranges: Name to declared range, as in ``Card.ranges``.
        create: Creates the variable of a number.
        track: Called with the name and variable of each hyperparameter that a checkpoint must hold.
        forget: Called with the name of one that it must no longer hold.
    """

    def __init__(
        self,
        owner: str,
        ranges: Mapping[str, str],
        *,
        create: Create,
        track: Callable[[str, Any], Any],
        forget: Callable[[str], None],
    ) -> None:
        self.owner = owner
        self.values: dict[str, Any] = {}
        self.created = False
        self._numbers: dict[str, float] = {}
        self._ranges = ranges
        self._create = create
        self._track = track
        self._forget = forget

    def checked(self, name: str, value: Any) -> Any:
        """Return the value as it can be stored.

        Raises:
            HyperparameterTypeError: Not a number, tensor, callable or schedule.
            InvalidHyperparameter: Outside the declared range.
        """
        value = resource_variable(value)
        check_kind(self.owner, name, value)
        check_range(self.owner, name, value, self._ranges.get(name, ""))
        return value

    def store(self, name: str, value: Any) -> None:
        """Set a hyperparameter to a checked value; a variable that exists is assigned."""
        present = self.values.get(name)
        plain = _is_value(value) and not isinstance(value, tf.Variable) and not is_deferred(value)
        if self.created and isinstance(present, tf.Variable) and plain:
            assign_value(present, value)
        else:
            if self.created and isinstance(present, tf.Variable):
                self._forget(name)
            self.values[name] = self._as_state(name, value) if self.created else value
        self._numbers.pop(name, None)
        if isinstance(value, numbers.Real):
            self._numbers[name] = float(value)

    def create_variables(self) -> None:
        """Turn every number and eager tensor into a variable; later calls do nothing."""
        if self.created:
            return
        self.created = True
        for name in sorted(self.values):
            self.values[name] = self._as_state(name, self.values[name])

    def read(self, name: str, dtype: Any = None) -> Any:
        """Return the present value: a schedule as it is, everything else evaluated and cast to ``dtype``."""
        value = self.values[name]
        if is_schedule(value):
            return value
        if callable(value):
            value = value()
        return tf.cast(value, dtype) if dtype is not None else value

    def serialize(self, name: str) -> Any:
        """Return a JSON-clean value: a number, or the dictionary of a schedule."""
        value = self.values[name]
        if is_schedule(value):
            return serialize_schedule(value)
        if callable(value):
            value = value()
        given = self._numbers.get(name)
        if given is not None and isinstance(value, tf.Variable) and not is_readable(value):
            return given
        number = _plain_number(value)
        # 0.01 as it was given, not as float32 rounds it, unless a checkpoint or an assignment changed the variable.
        return given if given is not None and np.float32(given) == np.float32(number) else number

    def _as_state(self, name: str, value: Any) -> Any:
        if isinstance(value, tf.Variable):
            return self._track(name, value)
        symbolic = isinstance(value, tf.Tensor) and not hasattr(value, "numpy")
        if callable(value) or symbolic:
            return value
        dtype = value.dtype if isinstance(value, tf.Tensor) and value.dtype.is_floating else tf.float32
        if isinstance(value, tf.Tensor):
            value = value.numpy()  # a graph takes no eager tensor
        return self._track(name, self._create(name, tf.cast(value, dtype), dtype))


def is_on(value: Any) -> bool:
    """Whether a checked value may be other than zero: anything but a plain zero."""
    return callable(value) or tf.is_tensor(value) or bool(value != 0)


def is_schedule(value: Any) -> bool:
    """Whether ``value`` is a callable of the step that can be saved: Keras 3's, tf_keras's or the user's own."""
    return callable(value) and hasattr(value, "get_config")


def check_kind(owner: str, name: str, value: Any) -> None:
    """Refuse what is no hyperparameter value.

    Raises:
        HyperparameterTypeError: ``None``, text, collections, arrays of more than one element, functions of arguments.
    """
    if is_schedule(value):
        return
    if callable(value) and not isinstance(value, tf.Variable):
        if _required_arguments(value):
            raise HyperparameterTypeError(
                f"{owner}: {name} received a callable with required arguments {_required_arguments(value)}. "
                "A callable hyperparameter takes none; a schedule of the step needs a get_config() method"
            )
        return
    if not _is_value(value):
        raise HyperparameterTypeError(
            f"{owner}: {name} must be a number, a scalar tensor, a callable without arguments or a schedule, "
            f"received {describe_value(value)}"
        )


def check_range(owner: str, name: str, value: Any, declared: str) -> None:
    """Refuse a value outside the declared range; values not known before the step are let through.

    Raises:
        InvalidHyperparameter: Outside the range.
        HyperparameterTypeError: ``declared`` is ``"bool"`` and the value is no truth value.
    """
    if declared == "bool":
        if not isinstance(value, (bool, np.bool_)):
            raise HyperparameterTypeError(f"{owner}: {name} must be True or False, received {describe_value(value)}")
        return
    number = _known_number(value)
    if number is None:
        return
    if math.isnan(number) or (declared and number not in _interval(declared)):
        raise InvalidHyperparameter(f"{owner}: {name} must be in {declared or '(-inf, inf)'}, received {number:g}")


def initial_decay(owner: str, value: Any) -> float:
    """Return the constant of inverse time decay given to a constructor; 0 for None.

    Raises:
        HyperparameterTypeError, InvalidHyperparameter: Not a number, or negative.
    """
    if value is None:
        return 0.0
    check_kind(owner, "decay", value)
    check_range(owner, "decay", value, DECAY_RANGE)
    return float(value)


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """Return the hyperparameter that ``name`` was probably meant to be, or None.

    ``beta_3`` is no misspelt ``beta_2``: names that differ in a digit only are different names.
    """
    for candidate in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.8):
        if _without_digits(candidate) != _without_digits(name.lower()) and candidate != name:
            return candidate
    return None


def serialize_schedule(schedule: Any) -> dict[str, Any]:
    """Return ``{"module", "class_name", "config"}``, which ``deserialize_schedule`` reads."""
    cls = type(schedule)
    return {"module": cls.__module__, "class_name": cls.__name__, "config": schedule.get_config()}


def deserialize_schedule(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Rebuild a schedule from its dictionary; one without ``module`` is looked up in the Keras that is loaded.

    Raises:
        InvalidConfig: The class cannot be found.
    """
    name = str(config.get("class_name"))
    cls = (custom_objects or {}).get(name) or _schedule_class(name, config.get("module"))
    if cls is None:
        loaded = [module for module in ("keras", "tf_keras") if module in sys.modules]
        raise InvalidConfig(
            f"schedule {name!r} of module {config.get('module')!r} was not found (Keras libraries loaded: "
            f"{listing(loaded)}): import the module that defines it, or pass custom_objects={{{name!r}: ...}}"
        )
    return cls.from_config(dict(config.get("config") or {}))


def _schedule_class(name: str, module: str | None) -> Any | None:
    if module is not None:
        # A module is used if it is loaded, or belongs to a Keras. A configuration must not import anything else.
        root = module.partition(".")[0]
        if module not in sys.modules and root in {"keras", "tf_keras"}:
            __import__(f"{root}.optimizers.schedules")
        found = getattr(sys.modules.get(module), name, None)
        return found if isinstance(found, type) and hasattr(found, "from_config") else None
    if not {"keras", "tf_keras"} & set(sys.modules):
        __import__("keras.optimizers.schedules")
    for root in ("tf_keras", "keras"):
        keras = sys.modules.get(root)
        found = getattr(keras.optimizers.schedules, name, None) if keras is not None else None
        if found is not None:
            return found
    return None


@cache
def _interval(text: str) -> Interval:
    return Interval.parse(text)


def _is_value(value: Any) -> bool:
    """Whether ``value`` is a real number or a scalar tensor, variable or array of numbers."""
    if isinstance(value, (tf.Tensor, tf.Variable)):
        return value.shape.rank in {0, None} and (value.dtype.is_floating or value.dtype.is_integer)
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and np.issubdtype(value.dtype, np.number)
    return isinstance(value, (numbers.Real, np.number, np.bool_))


def _known_number(value: Any) -> float | None:
    if isinstance(value, (numbers.Real, np.number, np.ndarray)) or (
        isinstance(value, tf.Tensor) and hasattr(value, "numpy")
    ):
        return float(value)
    return None


def _plain_number(value: Any) -> Any:
    if tf.is_tensor(value):
        value = read_value(value)
    return value.item() if isinstance(value, (np.generic, np.ndarray)) else value


def _required_arguments(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind in kinds]


def _without_digits(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())
