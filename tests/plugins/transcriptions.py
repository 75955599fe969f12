"""The NumPy transcriptions of the update rules, with sparse gradients applied as a card declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optreg.registry import default_registry
from optreg_classic import references

FAMILY = {
    entry.target.rpartition(":")[2]: entry
    for entry in default_registry().index.entries
    if entry.distribution == "optreg" and entry.target.startswith("optreg_classic.")
}
"""Class name to entry, for the optimizers that the legacy namespace holds."""

RULES = {kind: getattr(references, kind.lower()) for kind in FAMILY}
"""Class name to rule in NumPy."""


def float32_rounded(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as float32 variables hold them, which is what the optimizers compute with."""
    plain = ("epsilon", "initial_accumulator_value", "l2_shrinkage_regularization_strength")
    return {key: float(np.float32(v)) if type(v) is float and key not in plain else v for key, v in options.items()}


class Transcription:
    """One optimizer in NumPy.

    Each row of a variable has a state of its own, so that a sparse gradient can move some of them only. The precision
    is that of the values given; hyperparameters are rounded to float32, as the variables that hold them.

    Args:
        optimizer: Built; it tells the class and the hyperparameters, and takes no other part.
        values: Name to starting value of each variable.
        stored: Dtype that the variables are rounded to after each step; the state is not.
    """

    def __init__(self, optimizer: Any, values: Mapping[str, Any], *, stored: Any = None) -> None:
        self._rule = RULES[type(optimizer).__name__]
        config = {name: value for name, value in optimizer.get_config().items() if name in self._rule.__kwdefaults__}
        self._options = float32_rounded(config)
        self._mode = optimizer.card.given(config).sparse
        self._rows = {name: [np.array(row) for row in np.atleast_1d(value)] for name, value in values.items()}
        self._states: dict[str, list[dict[str, Any]]] = {name: [{} for _ in rows] for name, rows in self._rows.items()}
        self._shapes = {name: (np.shape(value), np.asarray(value).dtype) for name, value in values.items()}
        self._step = 0
        self._stored = stored

    def apply(self, gradients: Mapping[str, Any]) -> None:
        """Make one step: an array for each variable, or (rows, indices)."""
        self._step += 1
        for name, gradient in gradients.items():
            if isinstance(gradient, tuple):
                self._apply_rows(name, *gradient)
            else:
                for row, part in enumerate(np.atleast_1d(gradient)):
                    self._move(name, row, part)

    def _apply_rows(self, name: str, parts: Any, indices: Any) -> None:
        for row, value in enumerate(self._rows[name]):
            present = np.asarray(indices) == row
            if present.any() or self._mode == "exact":
                self._move(name, row, np.asarray(parts)[present].sum(axis=0))
            elif self._mode == "decaying":
                self._move(name, row, np.zeros_like(value))
                self._rows[name][row] = value

    def _move(self, name: str, row: int, gradient: Any) -> None:
        value, state = self._rows[name][row], self._states[name][row]
        moved = self._rule(value, gradient, state, self._step, **self._options)
        self._rows[name][row] = moved if self._stored is None else moved.astype(self._stored).astype(moved.dtype)

    def value(self, name: str) -> Any:
        """The present value of a variable."""
        shape, dtype = self._shapes[name]
        return np.array(self._rows[name], dtype=dtype).reshape(shape)
