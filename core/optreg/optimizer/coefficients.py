"""Coefficients of a step of which some are computed only where something reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf


class Coefficients(dict[str, Any]):
    """The coefficients of one step for one device and dtype, in part computed when they are first read.

    A class derived from a built-in optimizer may read all that Keras 2.9 prepares, more than the step itself needs.
    Prepared in every eager step, each would cost an operation; here it costs none until it is read.

    Args:
        values: Name to coefficient, as a dictionary has them.
        later: Name to a function that computes the coefficient from what the step has read already.
        finish: The ``_finish_step`` of the optimizer that prepared them, for the step of another one around it: whoever
            makes a step with these coefficients calls it once, before the step is counted.
    """

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        later: Mapping[str, Callable[[], Any]] | None = None,
        finish: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(values or {})
        self._later = later or {}
        self.finish = finish

    def __missing__(self, name: str) -> Any:
        value = self._later[name]()
        if tf.executing_eagerly():
            # Not in a graph: it may be that of a branch or of one replica, and others could not read its tensors.
            self[name] = value
        return value

    def _names(self) -> dict[str, None]:
        return dict.fromkeys((*super().keys(), *self._later))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._later

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def copy(self) -> dict[str, Any]:
        """Return all coefficients, computed, in a dictionary of the usual kind."""
        return {name: self[name] for name in self}

    def get(self, name: str, default: Any = None) -> Any:
        """Return one coefficient, or the default where there is none of the name."""
        return self[name] if name in self else default  # noqa: SIM401 - that would call itself

    def keys(self) -> Any:
        """Return the names of all coefficients."""
        return self._names().keys()

    def items(self) -> Any:
        """Return the names and values of all coefficients, computed."""
        return self.copy().items()

    def values(self) -> Any:
        """Return the values of all coefficients, computed."""
        return self.copy().values()
