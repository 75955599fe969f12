"""The state of a wrapped optimizer in ``.keras`` and ``.weights.h5`` files: what ``state_dict`` returns, laid flat.

A variable goes by its position among those trained, because names of layers are new in every model; ``slots:0:m`` is
the slot ``m`` of the first. Keras itself counts the variables of an optimizer, so that the state of one optimizer can
be read into another; here every value has a name, and what does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidState
from optreg.optimizer.distribution import variable_key
from optreg.optimizer.state.paths import flat

State = dict[str, Any]
"""What ``Optimizer.state_dict`` returns."""


class KnownVariables:
    """Variables in the order in which they were first seen.

    All variables of a step count, also those without gradient, because a model that is loaded starts from all of them.
    """

    def __init__(self) -> None:
        self.variables: list[Any] = []
        self._keys: set[str] = set()

    def learn(self, variables: Any) -> None:
        """Append those that are new. A function, which ``minimize`` takes too, is not called."""
        for variable in () if callable(variables) else tf.nest.flatten(variables):
            key = variable_key(variable)
            if key not in self._keys:
                self._keys.add(key)
                self.variables.append(variable)

    def by_position(self) -> dict[str, Any]:
        """Return ``{"0": variable, ...}``."""
        return {str(position): variable for position, variable in enumerate(self.variables)}


class LoadedState:
    """State that was loaded before the variables were known. An object, so that Keras does not track what is in it."""

    def __init__(self) -> None:
        self._states: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._states)

    def keep(self, state: Any) -> None:
        """Keep the state instead of any kept before."""
        self._states = [state]

    def take(self) -> list[Any]:
        """Return the state kept, if there is one, and keep it no longer."""
        taken, self._states = self._states, []
        return taken


def variables_by_name(optimizer: Any, known: KnownVariables) -> dict[str, Any]:
    """Return the variables of the optimizer by the names that their values have in files."""
    found = optimizer._by_path(known.by_position())
    return {_key(path): variable for path, variable in found.items() if isinstance(variable, tf.Variable)}


def write(optimizer: Any, known: KnownVariables, store: Any) -> None:
    """Write the state into a store of Keras; bfloat16, which files cannot hold, as float32."""
    for path, value in flat(optimizer.state_dict(known.by_position())).items():
        store[_key(path)] = value.astype(np.float32) if value.dtype == tf.bfloat16.as_numpy_dtype else value


def read(store: Any) -> State:
    """Return the state in a store of Keras."""
    return nested({name: np.asarray(store[name]) for name in store.keys()})  # noqa: SIM118 - stores are no dictionaries


def nested(values: Mapping[str, Any]) -> State:
    """Return the state whose values are given by their names in files."""
    state: State = {}
    for name, value in values.items():
        *outer, last = (unquote(part) for part in name.split(":"))
        level = state
        for key in outer:
            level = level.setdefault(key, {})
        level[last] = value
    return state


def load(optimizer: Any, known: KnownVariables, state: State) -> None:
    """Set the state, all or none.

    Raises:
        InvalidState: Listing what is missing, what is unexpected and what has another shape.
    """
    try:
        with tf.init_scope():  # a step may be being traced, which shall not hold the saved values
            optimizer.load_state_dict(state, known.by_position())
    except InvalidState as error:
        raise InvalidState(
            f"{error}. The file holds the state of another optimizer or of other variables. Wrap the optimizer that "
            "was saved; or, to start this one anew, load the weights before compile() or with skip_mismatch=True"
        ) from None


def load_numbers(optimizer: Any, state: State) -> None:
    """Set the counter and the hyperparameters, which exist before any variable is known, as far as they fit."""
    numbers = {name: state[name] for name in ("iterations", "hyperparameters") if name in state}
    optimizer.load_state_dict(numbers, strict=False)


def _key(path: Sequence[str]) -> str:
    return ":".join(quote(part, safe=" ") for part in path)  # a slash would make a folder in the file
