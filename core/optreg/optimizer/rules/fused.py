"""One kernel for the whole rule: XLA reads gradient, value and slots once and writes value and slots once.

Operation by operation, every intermediate result of a large variable travels through memory; compiled, none does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import tensorflow as tf

_LEAST_ELEMENTS = 65_536  # below, starting the kernel costs more than it saves

Step = Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]


def is_worth_fusing(variable: Any) -> bool:
    """Whether a variable is large enough, and in a program that can call compiled functions."""
    elements = variable.shape.num_elements()
    return elements is not None and elements >= _LEAST_ELEMENTS and tf.compat.v1.executing_eagerly_outside_functions()


def fused(functions: dict[Hashable, Any], key: Hashable, step: Step) -> Step:
    """Return ``step`` compiled, from ``functions`` where it is there already; one compilation for each shape and dtype.

    ``step(gradient, state, coefficients)`` assigns to the variables in ``state``; what it returns is dropped.
    """
    if key not in functions:

        def run(gradient: Any, state: Sequence[Any], coefficients: Mapping[str, Any]) -> None:
            step(gradient, state, coefficients)

        functions[key] = tf.function(run, autograph=False, jit_compile=True)
    function: Step = functions[key]
    return function
