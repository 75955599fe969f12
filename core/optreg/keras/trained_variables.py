"""The variables that a wrapped optimizer trains, in the order in which files hold their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from optreg.optimizer.distribution import shared_name, variable_key


class TrainedVariables:
    """The variables seen so far, each once.

    Also those without gradient, because a model that is loaded starts from all of them.
    """

    def __init__(self) -> None:
        self.all: list[Any] = []
        self.in_order = False
        """Whether they are in the order of the model."""
        self._keys: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def names(self) -> list[str]:
        """The name of each."""
        return [shared_name(variable) for variable in self.all]

    def knows(self, given: Mapping[str, Any]) -> bool:
        """Whether all variables of ``by_key`` were seen before."""
        return self._keys.issuperset(given)

    def admit(self, given: Mapping[str, Any]) -> list[Any]:
        """Take note of variables of ``by_key`` and return the new ones.

        Where new ones come together with all others, theirs is the order from now on: layers that are trained later
        stand where the model has them.
        """
        new = [variable for key, variable in given.items() if key not in self._keys]
        self._keys.update(given)
        self.all.extend(new)
        if new:
            self.in_order = len(given) == len(self.all)
            if self.in_order:
                self.all = list(given.values())
        return new

    def by_position(self) -> dict[str, Any]:
        """Return ``{"0": variable, ...}`` for those that an optimizer keeps state for."""
        return {str(position): v for position, v in enumerate(self.all) if not is_overwritten(v)}


def by_key(variables: Any) -> dict[str, Any]:
    """Return variables, each once, by what identifies them. A function, which ``minimize`` takes too, is not called."""
    given: dict[str, Any] = {}
    for variable in () if callable(variables) else tf.nest.flatten(variables):
        given.setdefault(variable_key(variable), variable)
    return given


def is_overwritten(variable: Any) -> bool:
    """Whether a variable is replaced by what comes as its gradient, as 8-bit layers want it; it has no state."""
    return bool(getattr(variable, "overwrite_with_gradient", False))
