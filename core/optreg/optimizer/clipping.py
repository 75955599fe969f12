"""Gradient clipping: by value, by the norm of each gradient, or by the norm of all together.

A sparse gradient with repeated indices stands for the sum of its rows, so the rows are summed before anything is
measured. Norms of 16-bit gradients are computed in float32: the square of 300 is infinite in float16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from optreg.errors import HyperparameterTypeError, InvalidHyperparameter
from optreg.optimizer.distribution import Pair, describe_value
from optreg.optimizer.gradients import map_values, unique_slices
from optreg.optimizer.measures import of_whole_variables, scaled, sum_of_squares, values_of, widened

CLIP_NAMES = ("clipvalue", "clipnorm", "global_clipnorm")


def clip_threshold(owner: str, name: str, value: Any) -> float | None:
    """Return a threshold as a float, or None for no clipping.

    Raises:
        HyperparameterTypeError: Not a number.
        InvalidHyperparameter: Negative or not a number in the IEEE sense.
    """
    if value is None:
        return None
    try:
        threshold = float(value) if not isinstance(value, (str, bytes, bool)) else None
    except (TypeError, ValueError):
        threshold = None
    if threshold is None:
        raise HyperparameterTypeError(
            f"{owner}: {name} must be a number in [0, inf) or None, received {describe_value(value)}"
        )
    if not threshold >= 0.0:
        raise InvalidHyperparameter(f"{owner}: {name} must be in [0, inf), received {threshold:g}")
    return threshold


def clip_thresholds(owner: str, given: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the thresholds by name, checked alone and together.

    Raises:
        HyperparameterTypeError: Not a number.
        InvalidHyperparameter: Negative, or ``clipnorm`` together with ``global_clipnorm``.
    """
    thresholds = {name: clip_threshold(owner, name, given.get(name)) for name in CLIP_NAMES}
    if thresholds["clipnorm"] is not None and thresholds["global_clipnorm"] is not None:
        raise InvalidHyperparameter(
            f"{owner}: clipnorm and global_clipnorm cannot be used together; clipnorm limits each gradient, "
            "global_clipnorm all gradients as one"
        )
    return thresholds


def clip(
    pairs: Sequence[Pair], *, clipvalue: float | None, clipnorm: float | None, global_clipnorm: float | None
) -> Sequence[Pair]:
    """Return the pairs with gradients clipped, in the order value, norm, global norm.

    Args:
        clipvalue: Each element is limited to [-clipvalue, clipvalue].
        clipnorm: Each gradient is scaled down to this 2-norm.
        global_clipnorm: All gradients are scaled down together so that the 2-norm over all of them is this.
    """
    if clipvalue is None and clipnorm is None and global_clipnorm is None:
        return pairs
    pairs = [(unique_slices(gradient), variable) for gradient, variable in pairs]
    if clipvalue is not None:
        pairs = [(map_values(lambda g: tf.clip_by_value(g, -clipvalue, clipvalue), g), v) for g, v in pairs]
    if clipnorm is not None:
        pairs = of_whole_variables(pairs, lambda parts: _clip_by_norm(parts, clipnorm))
    if global_clipnorm is not None:
        pairs = _clip_by_global_norm(pairs, global_clipnorm)
    return pairs


def _clip_by_norm(parts: Sequence[Pair], limit: float) -> list[Any]:
    """Return the gradients of one variable, which may be partitioned, scaled down together."""
    gradients = [gradient for gradient, _ in parts]
    if len(gradients) == 1:
        return [map_values(lambda values: _scaled_to_norm(values, limit), gradients[0])]
    norm = tf.sqrt(sum_of_squares(gradients))
    # With a limit of 0 the quotient is 0, also for a zero gradient.
    factor = limit / tf.maximum(norm, limit) if limit else tf.zeros_like(norm)
    return [scaled(gradient, factor) for gradient in gradients]


def _scaled_to_norm(values: Any, limit: float) -> Any:
    if limit == 0.0:
        # 0 / 0 for a zero gradient otherwise
        return tf.zeros_like(values)
    if values.dtype.is_complex:
        scale = limit / tf.maximum(tf.norm(tf.abs(values)), limit)
        return values * tf.cast(scale, values.dtype)
    return tf.cast(tf.clip_by_norm(widened(values), limit), values.dtype)


def _clip_by_global_norm(pairs: Sequence[Pair], limit: float) -> list[Pair]:
    gradients = [gradient for gradient, _ in pairs]
    if limit == 0.0:
        return [(map_values(tf.zeros_like, gradient), variable) for gradient, variable in pairs]
    norm = _norm_over_all([values_of(gradient) for gradient in gradients])
    clipped, _ = tf.clip_by_global_norm(gradients, limit, use_norm=norm)
    return [(gradient, variable) for gradient, (_, variable) in zip(clipped, pairs, strict=True)]


def _norm_over_all(tensors: Sequence[Any]) -> Any:
    """Return the 2-norm over tensors of any mix of dtypes, in the widest real precision among them."""
    magnitudes = [tf.abs(values) if values.dtype.is_complex else widened(values) for values in tensors]
    widest = tf.float64 if any(values.dtype == tf.float64 for values in magnitudes) else tf.float32
    return tf.linalg.global_norm([tf.cast(values, widest) for values in magnitudes])
