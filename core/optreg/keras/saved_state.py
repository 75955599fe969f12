"""What a ``.keras`` or ``.weights.h5`` file holds of a wrapped optimizer: what ``state_dict`` returns, laid flat.

``slots:0:m`` is the slot ``m`` of the first variable. A table beside the values holds the class of the optimizer and
the names of the variables. Keras itself counts the variables of an optimizer, so that the state of one can be read
into another; here what does not fit is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidState
from optreg.optimizer.state.paths import flat

State = dict[str, Any]
"""What ``Optimizer.state_dict`` returns."""

WAY_OUT = (
    "Wrap the optimizer that was saved; or, to start this one anew, load the weights before compile() or with "
    "skip_mismatch=True"
)
_TABLE = "about"


@dataclass(frozen=True)
class SavedState:
    """What a file holds.

    Args:
        optimizer: Name of the class.
        names: Names of the variables.
        in_order: Whether that is their order in the model.
        functions: Hyperparameters that were functions, which a configuration holds as the number they returned.
        state: The state, its slots under the positions of the variables among ``names``.
    """

    optimizer: str
    names: tuple[str, ...]
    in_order: bool
    functions: tuple[str, ...]
    state: State

    @classmethod
    def in_store(cls, store: Any) -> SavedState:
        """Return what a store of Keras holds.

        Raises:
            InvalidState: Nothing that ``write`` wrote.
        """
        values = {name: np.asarray(store[name]) for name in store.keys()}  # noqa: SIM118 - stores are no dictionaries
        table = _table_of(values.pop(_TABLE, None))
        if table is None:
            raise InvalidState(f"the file holds no state that an optimizer of optreg wrote. {WAY_OUT}")
        names, functions = tuple(table["variables"]), tuple(table["functions"])
        return cls(table["optimizer"], names, table["in_order"], functions, nested(values))

    def write(self, store: Any) -> None:
        """Write everything into a store of Keras; bfloat16, which files cannot hold, as float32."""
        table = {
            "optimizer": self.optimizer,
            "variables": self.names,
            "in_order": self.in_order,
            "functions": self.functions,
        }
        store[_TABLE] = np.frombuffer(json.dumps(table).encode(), np.uint8)
        for path, value in flat(self.state).items():
            store[key_of(path)] = value.astype(np.float32) if value.dtype == tf.bfloat16.as_numpy_dtype else value

    def slots_at(self, position: int) -> Mapping[str, Any]:
        """Return slot name to value for the variable at a position among ``names``."""
        slots: Mapping[str, Any] = self.state.get("slots", {}).get(str(position), {})
        return slots

    def with_slots_of(self, others: Sequence[SavedState]) -> SavedState:
        """Return this state and, behind its variables, those of others with their slots."""
        states = [self, *others]
        slots = [state.slots_at(position) for state in states for position in range(len(state.names))]
        names = tuple(name for state in states for name in state.names)
        in_order = self.in_order and len(names) == len(self.names)
        state = {**self.state, "slots": {str(position): own for position, own in enumerate(slots) if own}}
        return SavedState(self.optimizer, names, in_order, self.functions, state)

    def without(self, positions: Sequence[int]) -> SavedState | None:
        """Return the slots of all variables but these, or None where nothing is left."""
        left = [p for p in range(len(self.names)) if p not in positions and self.slots_at(p)]
        slots = {str(new): self.slots_at(old) for new, old in enumerate(left)}
        names = tuple(self.names[position] for position in left)
        return SavedState(self.optimizer, names, False, (), {"slots": slots}) if left else None


def key_of(path: Sequence[str]) -> str:
    """Return the name in a file of the value at a path in the state."""
    return ":".join(quote(part, safe=" ") for part in path)  # a slash would make a folder in the file


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


def _table_of(value: Any) -> Any | None:
    """Return the table of a file, or None where it is none of ours."""
    try:
        table = json.loads(value.tobytes())
    except (AttributeError, ValueError):
        return None
    return (
        table if isinstance(table, dict) and {"optimizer", "variables", "in_order", "functions"} <= set(table) else None
    )
