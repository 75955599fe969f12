"""What stands in for a tape in a graph, where a loss tensor itself leads back to everything it was computed from."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import tensorflow as tf


class GraphTape:
    """The part of ``tf.GradientTape`` that a step uses, answered by the graph. Nothing has to be recorded."""

    def __enter__(self) -> GraphTape:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the errors of the block as they are."""

    def gradient(self, loss: Any, variables: Any, grad_loss: Any = None) -> list[Any]:
        """Return the gradients of ``loss``, None for a variable that it does not depend on."""
        return list(tf.gradients(loss, variables, grad_loss))
