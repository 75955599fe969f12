"""Whether XLA will compile what is being traced.

TensorFlow tells nobody publicly, and an optimizer has to know where its kernel exists outside of XLA only. So this file
looks at a private mark on graphs, as ``distribution.py`` and ``checkpoint.py`` look at other internals.
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
