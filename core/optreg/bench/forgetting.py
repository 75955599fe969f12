"""Letting go of graphs that TensorFlow would keep until the process ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tensorflow.python.framework import ops


@contextlib.contextmanager
def graphs_forgotten() -> Iterator[None]:
    """Forget the gradient functions that are registered inside the block, whose graphs must not be used after it.

    ``tf.custom_gradient`` registers one for each use in a graph, for ever, and with it the graph and all tensors that
    it has captured. The reductions of ``tf.distribute`` use it, and so every traced step of a Keras optimizer does:
    one with 134 MB of gradient and as much of each slot would stay for each that was measured.
    """
    registry = getattr(ops.gradient_registry, "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in [name for name in registry if name not in before]:
            del registry[name]
