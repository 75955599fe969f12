"""Kernels of TensorFlow that optimizers share, and which of two makes the same step sooner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_REAL = frozenset({tf.float32, tf.float64})
_NEEDLESS_THREADS = range(512, 8193)
"""Numbers of elements for which the threads that Adam's kernel starts cost more than they save."""

_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""The name that TensorFlow reserves for what nobody else can find, and which lives as long as its handle."""


def apply_adam(optimizer: Any, var: Any, arguments: Mapping[str, Any]) -> Any:
    """Make one step of Adam (Kingma and Ba, 2015, with the epsilon of Keras) and return the operation.

    In eager steps the kernel of AMSGrad, which starts threads only where they pay, may make the same step sooner. Never
    in a graph: one that is traced now may be compiled by XLA or exported to LiteRT later, which have no such kernel.

    Args:
        optimizer: Whose step it is; it keeps what the kernel of AMSGrad needs, which is no state.
        var: The variable, of the dtype of its slots.
        arguments: Those of ``tf.raw_ops.ResourceApplyAdam``, handles for ``var``, ``m`` and ``v``.
    """
    if (
        tf.executing_eagerly()
        and var.shape.num_elements() in _NEEDLESS_THREADS
        and var.dtype in _REAL
        and "/job:localhost/" in var.device
        and "/device:CPU:" in var.device
    ):
        vhat = _vhat_of_nothing(var, optimizer.__dict__.setdefault("_scratch", {}))
        return tf.raw_ops.ResourceApplyAdamWithAmsgrad(vhat=vhat, **arguments)
    return tf.raw_ops.ResourceApplyAdam(**arguments)


def _vhat_of_nothing(var: Any, kept: dict[Any, Any]) -> Any:
    """Return the handle of a -inf beside ``var``, with which AMSGrad is Adam: the larger of v̂ and v is v, NaN included.

    One for each device, dtype and shape is kept, and overwritten in every step: it is no state.
    """
    place = (var.device, var.dtype, tuple(var.shape))
    if place not in kept:
        with tf.device(var.device):
            lowest = tf.fill(var.shape, tf.constant(float("-inf"), var.dtype))
            # Not a tf.Variable, of which a strategy would make one for each replica.
            handle = tf.raw_ops.VarHandleOp(dtype=var.dtype, shape=var.shape, shared_name=_ANONYMOUS)
        kept[place] = lowest, handle
    lowest, handle = kept[place]
    tf.raw_ops.AssignVariableOp(resource=handle, value=lowest)
    return handle
