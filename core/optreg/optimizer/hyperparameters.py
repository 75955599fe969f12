"""Hyperparameters: numbers, tensors, callables and schedules behind one interface.

A number becomes a float32 variable when state is created, so that assigning a new one reaches functions already
traced. Tensors do the same in their own precision. An integer or a truth value stays one, as in Keras 2.9, but for
what is known to be real: the learning rate, its decay, and what has an interval on the card or was a float before. A
``tf.Variable`` is used as it is. A callable without arguments is called at each step; a schedule, which is a callable
of the step with ``get_config``, is called with the step.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.cards import Interval
from optreg.errors import HyperparameterTypeError, InvalidHyperparameter
from optreg.optimizer.distribution import describe_value, resource_variable
from optreg.optimizer.graphs.sessions import assign_value, is_deferred, is_readable, read_value
from optreg.optimizer.schedules import serialize_schedule

_DECAY_RANGE = "[0, inf)"  # every optimizer takes a decay, and no card declares it
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
        self._numbers: dict[str, Any] = {}
        self._ranges = {"decay": _DECAY_RANGE, **ranges}
        self._real = {"learning_rate", "decay", *(name for name, declared in ranges.items() if declared != "bool")}
        self._create = create
        self._track = track
        self._forget = forget

    def checked(self, name: str, value: Any) -> Any:
        """Return the value as it can be stored.

        Raises:
            HyperparameterTypeError: Not a number, tensor, callable or schedule.
            InvalidHyperparameter: Outside the declared range; or a fraction for a variable that holds integers.
        """
        value = resource_variable(value)
        check_kind(self.owner, name, value)
        check_range(self.owner, name, value, self._ranges.get(name, ""))
        self._require_representable(name, value)
        return value

    def _require_representable(self, name: str, value: Any) -> None:
        """Refuse what an integer or boolean variable would round, as Keras 2.9 does."""
        present, number = self.values.get(name), _known_number(value)
        if not (self.created and isinstance(present, tf.Variable)) or number is None or isinstance(value, tf.Variable):
            return
        if present.dtype.is_floating or number in (0.0, 1.0) or (present.dtype.is_integer and number.is_integer()):
            return
        kind = "an integer" if present.dtype.is_integer else "a truth value"
        raise InvalidHyperparameter(
            f"{self.owner}: {name} is {kind} since the optimizer was built with one, and cannot become {number:g}: "
            "build it with a float"
        )

    def declare_real(self, names: Iterable[str]) -> None:
        """Let these be real numbers, also where an integer is given for them."""
        self._real.update(names)

    def store(self, name: str, value: Any) -> None:
        """Set a hyperparameter to a checked value; a variable that exists is assigned."""
        present = self.values.get(name)
        plain = _is_value(value) and not isinstance(value, tf.Variable) and not is_deferred(value)
        assigned = self.created and isinstance(present, tf.Variable) and plain
        if assigned:
            assign_value(present, value)
        else:
            if self.created and isinstance(present, tf.Variable):
                self._forget(name)
            self.values[name] = self._as_state(name, value) if self.created else value
        self._numbers.pop(name, None)
        if isinstance(value, numbers.Real):
            if not assigned and isinstance(value, (float, np.floating)):
                self._real.add(name)
            self._numbers[name] = float(value) if name in self._real else _plain_number(value)

    def create_variables(self) -> None:
        """Turn every number and eager tensor into a variable; later calls do nothing."""
        if self.created:
            return
        self.created = True
        for name in sorted(self.values):
            self.values[name] = self._as_state(name, self.values[name])

    def read(self, name: str, dtype: Any = None) -> Any:
        """Return the present value: a schedule as it is, everything else evaluated and cast to ``dtype``.

        Raises:
            HyperparameterTypeError: A callable returned no number.
        """
        value = self.values[name]
        if is_schedule(value):
            return value
        if callable(value):
            value = self._returned(name, "callable", value())
        return tf.cast(value, dtype) if dtype is not None else value

    def scheduled(self, name: str, step: Any) -> Any:
        """Return the value of a schedule at a step.

        Raises:
            HyperparameterTypeError: It returned no number.
        """
        return self._returned(name, "schedule", self.values[name](step))

    def _returned(self, name: str, source: str, value: Any) -> Any:
        value = resource_variable(value)
        if not _is_value(value):
            raise HyperparameterTypeError(
                f"{self.owner}: the {source} given as {name} must return a number or a scalar tensor, and returned "
                f"{describe_value(value)}"
            )
        return value

    def serialize(self, name: str) -> Any:
        """Return a JSON-clean value: a number, or the dictionary of a schedule."""
        value = self.values[name]
        if is_schedule(value):
            return plain(serialize_schedule(value))
        if callable(value):
            value = self._returned(name, "callable", value())
        given = self._numbers.get(name)
        if given is not None and isinstance(value, tf.Variable) and not is_readable(value):
            return given
        number = _plain_number(value)
        # 0.01 as it was given, not as float32 rounds it, unless a checkpoint or an assignment changed the variable.
        unchanged = given is not None and name in self._real and np.float32(given) == np.float32(number)
        return given if unchanged else number

    def _as_state(self, name: str, value: Any) -> Any:
        if isinstance(value, tf.Variable):
            return self._track(name, value)
        symbolic = isinstance(value, tf.Tensor) and not hasattr(value, "numpy")
        if callable(value) or symbolic:
            return value
        dtype = self._state_dtype(name, value)
        if isinstance(value, tf.Tensor):
            value = value.numpy()  # a graph takes no eager tensor
        return self._track(name, self._create(name, tf.cast(value, dtype), dtype))

    def _state_dtype(self, name: str, value: Any) -> Any:
        is_tensor = isinstance(value, tf.Tensor)
        own = value.dtype if is_tensor else tf.convert_to_tensor(value).dtype
        if own.is_floating:
            return own if is_tensor else tf.float32
        return tf.float32 if name in self._real else own


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
    if _known_number(value) is None:
        raise HyperparameterTypeError(
            f"{owner}: decay must be a number when the optimizer is built, received {describe_value(value)}"
        )
    check_range(owner, "decay", value, _DECAY_RANGE)
    return float(value)


@cache
def _interval(text: str) -> Interval:
    return Interval.parse(text)


def _is_value(value: Any) -> bool:
    """Whether ``value`` is a real number or truth value, or a scalar tensor, variable or array of them."""
    if isinstance(value, (tf.Tensor, tf.Variable)):
        dtype = value.dtype
        return value.shape.rank in {0, None} and (dtype.is_floating or dtype.is_integer or dtype.is_bool)
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and (np.issubdtype(value.dtype, np.number) or value.dtype == np.bool_)
    return isinstance(value, (numbers.Real, np.number, np.bool_))


def _known_number(value: Any) -> float | None:
    if isinstance(value, (numbers.Real, np.number, np.ndarray)) or (
        isinstance(value, tf.Tensor) and hasattr(value, "numpy")
    ):
        return float(value)
    return None


def plain(value: Any) -> Any:
    """Return NumPy numbers, arrays and tensors that have a value as numbers and lists of Python, also in a nest."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(part) for part in value)
    return _plain_number(value) if _has_value(value) else value


def _has_value(value: Any) -> bool:
    if isinstance(value, tf.Variable):
        return is_readable(value)
    return isinstance(value, (np.generic, np.ndarray)) or (isinstance(value, tf.Tensor) and hasattr(value, "numpy"))


def _plain_number(value: Any) -> Any:
    if tf.is_tensor(value):
        value = read_value(value)
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def _required_arguments(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind in kinds]
