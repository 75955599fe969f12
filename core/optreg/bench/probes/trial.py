"""What a probe works with: an optimizer set up anew for each question, and the path it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Gradient = Callable[[np.ndarray, int], Any]
"""From the weights ``[n]`` in float64 and the number of the step to the gradient ``[n]``."""

RATES = (0.1, 0.3, 0.03, 1.0, 0.01)
"""Learning rates a probe may choose from where it asks what an optimizer can do, not what it does by default."""


class NotApplicable(Exception):
    """The question makes no sense for this optimizer; the text says why."""


class Trial:
    """One optimizer under examination.

    Args:
        make: Returns a fresh optimizer for hyperparameters that differ from those chosen.
        dtypes: Names of the dtypes that its card declares; all when it has none.
    """

    def __init__(self, make: Callable[..., Any], dtypes: Sequence[str] = ()) -> None:
        self.make = make
        self._dtypes = frozenset(dtypes)

    def optimizer(self, rate: float | None = None) -> Any:
        """Return a fresh optimizer with its own learning rate, or with this one.

        Raises:
            NotApplicable: It takes no learning rate.
        """
        if rate is None:
            return self.make()
        if not self.has_learning_rate:
            raise NotApplicable("it has no hyperparameter learning_rate")
        return self.make(learning_rate=rate)

    @property
    def has_learning_rate(self) -> bool:
        """Whether the learning rate can be chosen."""
        return "learning_rate" in self.make().get_config()

    def require(self, dtype: str) -> None:
        """Do nothing where the optimizer can train weights of the dtype.

        Raises:
            NotApplicable: Its card does not declare the dtype.
        """
        if self._dtypes and dtype not in self._dtypes:
            raise NotApplicable(f"it does not train {dtype} weights")

    def path(
        self,
        gradient: Gradient,
        start: Sequence[float] | np.ndarray,
        *,
        steps: int,
        rate: float | None = None,
        dtype: str = "float32",
    ) -> np.ndarray:
        """Return the weights before, between and after the steps, ``[steps + 1, ...]`` in float64."""
        self.require(dtype)
        walker = Walker(self.optimizer(rate), [np.asarray(start, np.float64)], dtype)
        seen = [walker.weights[0]]
        with np.errstate(all="ignore"):  # gradients of weights that have left the numbers
            for step in range(steps):
                walker.step([gradient(seen[-1], step)])
                seen.append(walker.weights[0])
        return np.stack(seen)

    def manages(
        self,
        gradient: Gradient,
        start: Sequence[float] | np.ndarray,
        *,
        steps: int,
        when: Callable[[np.ndarray], object],
        rates: Sequence[float] = RATES,
    ) -> bool:
        """Tell whether the path of one of the learning rates fulfils the condition; paths that break do not."""
        paths = (self.path(gradient, start, steps=steps, rate=rate) for rate in rates)
        return any(bool(np.isfinite(path).all() and when(path)) for path in paths)


class Walker:
    """Variables and the optimizer that moves them, eagerly, one given gradient for each variable at a time."""

    def __init__(self, optimizer: Any, starts: Sequence[np.ndarray], dtype: str = "float32") -> None:
        self.optimizer = optimizer
        self.variables = [tf.Variable(tf.cast(np.asarray(start, np.float64), dtype)) for start in starts]
        optimizer.build(self.variables)

    def step(self, gradients: Sequence[Any]) -> None:
        """Apply one gradient to each variable; None where it has none."""
        pairs = [
            (_as_gradient(gradient, variable), variable)
            for gradient, variable in zip(gradients, self.variables, strict=True)
        ]
        self.optimizer.apply_gradients(pairs)

    @property
    def weights(self) -> list[np.ndarray]:
        """The variables' values in float64."""
        return [tf.cast(variable, tf.float64).numpy() for variable in self.variables]


def _as_gradient(gradient: Any, variable: tf.Variable) -> Any:
    if gradient is None or isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.cast(tf.constant(np.asarray(gradient, np.float64)), variable.dtype)
