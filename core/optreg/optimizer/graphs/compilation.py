"""Whether XLA will compile what is being traced, and what it is told then.

TensorFlow tells nobody publicly, and an optimizer has to know where its kernel exists outside of XLA only. So this file
looks at a private mark on graphs, and takes an operation from where TensorFlow keeps it, as ``distribution.py`` and
``checkpoint.py`` use other internals.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def is_compiled_by_xla() -> bool:
    """Whether the graph being built is traced for ``tf.function(jit_compile=True)``, or is a part of such a graph."""
    if tf.executing_eagerly():
        return False
    graph: Any = tf.compat.v1.get_default_graph()
    while graph is not None:
        context = graph._get_control_flow_context()
        while context is not None:
            if context.IsXLAContext():
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


def stored_first(*tensors: Any) -> tuple[Any, ...]:
    """Return results of a step such that XLA stores them before it computes anything from what is returned.

    An expression that two of its loops share, XLA writes to memory as an array of its own, and reads it in both: slower
    than to compute a root twice. What is computed from the tensors returned here is not shared with what led to them.

    Outside of XLA they are returned as they are. For dense updates only: XLA refuses tensors whose length is known when
    the step runs, such as the distinct rows of a sparse gradient.
    """
    if not is_compiled_by_xla():
        return tensors
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops  # noqa: PLC0415 - public nowhere else

    return tuple(gen_xla_ops.xla_optimization_barrier(list(tensors)))
