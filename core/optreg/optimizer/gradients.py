"""Gradients on their way in: computed from a loss, paired with variables, checked, and summed where rows repeat."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidGradients, InvalidHook, InvalidVariable, listing
from optreg.optimizer.distribution import Pair, describe_value, parts_of, resource_variable, shared_name, variable_key
from optreg.optimizer.graphs.graph_tape import GraphTape
from optreg.optimizer.sparse_gradients import fitting_slices
from optreg.optimizer.state.partitioned import in_parts, split_gradient


def record_loss(loss: Any, var_list: Any, tape: Any | None) -> tuple[Any, Any, list[Any]]:
    """Return (loss tensor, tape that recorded it, variables as a flat list).

    A callable ``loss`` is called once under the tape; a callable ``var_list`` is called after it, so that variables
    which the loss creates are found. In a graph a tensor needs no tape: the graph knows how it was computed.

    Raises:
        InvalidGradients: An eager tensor as loss without the tape that recorded it, a loss that is no tensor, or no
            variables.
    """
    if tape is None:
        tape = tf.GradientTape() if callable(loss) else _tape_of(loss)
    if callable(loss):
        with tape:
            if not callable(var_list):
                tape.watch(_listed_variables(var_list))
            loss = loss()
    require_loss(loss, "minimize()")
    return loss, tape, _listed_variables(var_list() if callable(var_list) else var_list)


def _tape_of(loss: Any) -> Any:
    if tf.is_symbolic_tensor(loss):
        return GraphTape()
    raise InvalidGradients(
        f"minimize() received {describe_value(loss)} as loss and no tape: pass the tf.GradientTape that "
        "recorded it as tape=..., or pass a function without arguments that computes the loss"
    )


def require_loss(loss: Any, method: str) -> None:
    """Refuse as loss of a method what is no tensor, in a nest too.

    Raises:
        InvalidGradients: Naming the first.
    """
    for item in tf.nest.flatten(loss):
        if not tf.is_tensor(item):
            raise InvalidGradients(
                f"the loss of {method} is {describe_value(item)} and no tensor: compute it from the variables with "
                "TensorFlow, and return it where the loss is a function"
            )


def _listed_variables(var_list: Any) -> list[Any]:
    if var_list is None:
        raise InvalidGradients(
            "minimize() received None as var_list: pass the variables to update, such as model.trainable_variables, or "
            "in a graph tf.compat.v1.trainable_variables()"
        )
    variables = [require_variable(variable) for variable in in_parts(var_list)]
    if not variables:
        raise InvalidGradients("minimize() received an empty var_list: pass the variables to update")
    return variables


def require_variable(variable: Any) -> Any:
    """Return the TensorFlow variable behind ``variable``.

    Raises:
        InvalidVariable: Not a variable; a ``tf.Tensor`` cannot be updated.
    """
    variable = resource_variable(variable)
    if not isinstance(variable, tf.Variable):
        raise InvalidVariable(
            f"expected a tf.Variable or a Keras variable to update, received {describe_value(variable)}"
        )
    return variable


def check_dtypes(owner: str, variables: Iterable[Any], allowed: Iterable[Any]) -> None:
    """Refuse variables of a dtype that cannot be trained.

    Raises:
        InvalidVariable: Naming the variable and the dtypes allowed.
    """
    allowed = frozenset(allowed)
    for variable in variables:
        if variable.dtype.base_dtype not in allowed:
            raise InvalidVariable(
                f"{owner}: variable {shared_name(variable)!r} has dtype {variable.dtype.base_dtype.name}; "
                f"allowed: {listing(dtype.name for dtype in allowed)}"
            )


def paired(grads_and_vars: Iterable[Any]) -> tuple[list[Pair], dict[str, Any]]:
    """Return the pairs with variables unwrapped, and the constraints of Keras variables by variable key.

    Raises:
        InvalidGradients: Not an iterable of (gradient, variable) pairs, or what cannot be cut for a partitioned one.
        InvalidVariable: The second of a pair is no variable.
    """
    try:
        entries = list(grads_and_vars)
    except TypeError:
        raise InvalidGradients(
            f"expected an iterable of (gradient, variable) pairs, received {describe_value(grads_and_vars)}"
        ) from None
    pairs: list[Pair] = []
    constraints = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, (tuple, list)) or len(entry) != 2:  # noqa: PLR2004 - a pair
            raise InvalidGradients(
                f"expected (gradient, variable) pairs, received {describe_value(entry)} at position {position}; "
                "use zip(gradients, variables)"
            )
        gradient, given = entry
        parts = parts_of(given)
        if parts is not None:
            if isinstance(gradient, tf.IndexedSlices):
                gradient = _fitting_gradient(gradient, given)  # rows of the whole, before they are cut
            pairs.extend(zip(split_gradient(gradient, given), parts, strict=True))
            continue
        variable = require_variable(given)
        pairs.append((gradient, variable))
        if variable is not given and getattr(given, "constraint", None) is not None:
            # Keras 3 keeps the constraint on its own variable, not on TensorFlow's.
            constraints[variable_key(variable)] = given.constraint
    return pairs, constraints


def drop_missing(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that have a gradient and warn about the rest, by name.

    Raises:
        InvalidGradients: There are pairs and none has a gradient.
    """
    present = [pair for pair in pairs if pair[0] is not None]
    if len(present) == len(pairs):
        return present
    missing = ", ".join(shared_name(variable) for gradient, variable in pairs if gradient is None)
    if not present:
        raise InvalidGradients(
            f"no gradient for any variable ({missing}): the loss does not depend on them, or was computed outside "
            "the tape"
        )
    warnings.warn(
        f"no gradient for the variables {missing}; they are not updated. Does the loss depend on them?", stacklevel=5
    )
    return present


def fitting(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with every gradient a tensor or ``IndexedSlices`` of the variable's shape and dtype.

    Raises:
        InvalidGradients: A gradient whose shape or dtype differs, or whose indices are no rows, naming the variable.
    """
    return [(_fitting_gradient(gradient, variable), variable) for gradient, variable in pairs]


def _fitting_gradient(gradient: Any, variable: Any) -> Any:
    dtype = variable.dtype.base_dtype
    if not isinstance(gradient, (tf.Tensor, tf.IndexedSlices)):
        if not isinstance(gradient, tf.distribute.DistributedValues):
            gradient = _as_tensor(gradient, variable)
        else:
            return gradient
    if isinstance(gradient, tf.IndexedSlices):
        gradient = fitting_slices(gradient, variable)
    if gradient.dtype != dtype:
        raise InvalidGradients(
            f"gradient of dtype {gradient.dtype.name} for variable {shared_name(variable)!r} of dtype {dtype.name}: "
            "cast it, or compute the loss in the variable's dtype"
        )
    if not isinstance(gradient, tf.IndexedSlices) and not gradient.shape.is_compatible_with(variable.shape):
        raise InvalidGradients(
            f"gradient of shape {gradient.shape} for variable {shared_name(variable)!r} of shape {variable.shape}"
        )
    return gradient


def _as_tensor(gradient: Any, variable: Any) -> Any:
    try:
        return tf.convert_to_tensor(gradient)
    except (TypeError, ValueError):
        raise InvalidGradients(
            f"gradient for variable {shared_name(variable)!r} must be a tensor or tf.IndexedSlices, "
            f"received {describe_value(gradient)}"
        ) from None


def sum_repeated_rows(values: Any, indices: Any) -> tuple[Any, Any]:
    """Return (values, indices) in which each index stands once, with the sum of its rows.

    Args:
        values: Rows, shape [n, ...].
        indices: Row numbers, shape [n].
    """
    unique, position = tf.unique(indices)
    return tf.math.unsorted_segment_sum(values, position, tf.shape(unique)[0]), unique


def unique_slices(gradient: Any) -> Any:
    """Return the gradient with repeated rows summed; a dense one is returned as it is."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    values, indices = sum_repeated_rows(gradient.values, gradient.indices)
    return tf.IndexedSlices(values, indices, gradient.dense_shape)


def map_values(function: Callable[[Any], Any], gradient: Any) -> Any:
    """Apply ``function`` to a dense gradient, or to the rows of a sparse one."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(function(gradient.values), gradient.indices, gradient.dense_shape)
    return function(gradient)


def checked_pairs(result: Any, pairs: Sequence[Pair], *, source: str) -> list[Pair]:
    """Return what a user's aggregator or transformer returned, if it is pairs over the variables it was given.

    Raises:
        InvalidHook: Anything else, saying what was returned.
    """
    known = {id(variable) for _, variable in pairs}
    try:
        returned = [(gradient, resource_variable(variable)) for gradient, variable in result]
    except (TypeError, ValueError):
        raise InvalidHook(
            f"{source} must return a list of (gradient, variable) pairs, returned {describe_value(result)}"
        ) from None
    for gradient, variable in returned:
        if id(variable) not in known:
            raise InvalidHook(f"{source} returned a pair with {describe_value(variable)}, which it was not given")
        if gradient is None:
            raise InvalidHook(
                f"{source} returned None as gradient of {shared_name(variable)!r}; leave the pair out to skip "
                "the variable"
            )
    return fitting(returned)
