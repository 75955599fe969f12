"""Variables, replicas and strategies: who a variable is, where it lives, and how an update reaches every copy.

With ``checkpoint.py`` this is the only file that touches TensorFlow internals.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import tensorflow as tf

from optreg.errors import InvalidVariable

Pair = tuple[Any, Any]
"""A gradient and its variable."""

Function = TypeVar("Function", bound=Callable[..., Any])

_PartitionedVariable = tf.__internal__.distribute.ShardedVariable


def resource_variable(variable: Any) -> Any:
    """Return the TensorFlow variable behind a Keras 3 variable; anything else is returned unchanged."""
    if isinstance(variable, tf.Variable):
        return variable
    inner = getattr(variable, "_value", None)
    return inner if isinstance(inner, tf.Variable) else variable


_keys: dict[int, tuple[weakref.ref[Any], str]] = {}
"""The keys of variables that live, by the ``id`` of the variable: each is asked for several times a step."""


def variable_key(variable: Any) -> str:
    """Return what identifies a variable: the same for a distributed variable and each of its copies.

    Raises:
        InvalidVariable: Not a variable.
    """
    known = _keys.get(id(variable))
    if known is not None and known[0]() is variable:
        return known[1]
    key = _key_of(_whole_variable(resource_variable(variable)))
    if isinstance(variable, tf.Variable):
        _remember(variable, key)
    return key


def _remember(variable: Any, key: str) -> None:
    place, forget = id(variable), _keys.pop
    _keys[place] = (weakref.ref(variable, lambda _: forget(place, None)), key)


def _key_of(variable: Any) -> str:
    parts = parts_of(variable)
    if parts is not None:
        # TensorFlow's own identity of an unnamed partitioned variable is that of its first part.
        return f"parts of {variable_key(parts[0])}"
    try:
        # Variables of a TensorFlow 1 graph are recreated under the same name; eager ones have an identity.
        return str(variable._shared_name if getattr(variable, "_in_graph_mode", False) else variable._unique_id)
    except AttributeError:
        raise InvalidVariable(f"expected a tf.Variable, received {describe_value(variable)}") from None


def _whole_variable(variable: Any) -> Any:
    """Return the distributed variable of which ``variable`` is one replica's copy, or ``variable`` itself."""
    if isinstance(variable, tf.distribute.DistributedValues):
        return variable
    # A copy knows its container by itself or, as resource variables do, by its handle.
    container = getattr(variable, "_distributed_container", None) or getattr(
        getattr(variable, "handle", None), "_distributed_container", None
    )
    whole = container() if container is not None else None
    return variable if whole is None else whole


def parts_of(variable: Any) -> tuple[Any, ...] | None:
    """Return the parts of a variable that is partitioned over parameter servers, or None for any other."""
    return tuple(variable.variables) if isinstance(variable, _PartitionedVariable) else None


def whole_of(part: Any) -> Any | None:
    """Return the partitioned variable that ``part`` belongs to, or None."""
    container = getattr(part, "_sharded_container", None)
    return container() if container is not None else None


def join_parts(parts: Sequence[Any], name: str) -> Any:
    """Return variables as the parts, in this order, of one partitioned along the first axis."""
    with tf.init_scope():
        return _PartitionedVariable(list(parts), name=name)


def shared_name(variable: Any) -> str:
    """Return the variable's name without the output suffix, as slots and messages use it."""
    variable = resource_variable(variable)
    parts = parts_of(variable)
    if parts is not None:
        return shared_name(parts[0]).removesuffix("/part_0")
    return str(getattr(variable, "_shared_name", None) or getattr(variable, "name", "?")).split(":")[0]


def describe_value(value: Any) -> str:
    """Return a short text for an error message: kind, shape and dtype of a tensor, else type and value."""
    if isinstance(value, (tf.Tensor, tf.Variable, tf.IndexedSlices, _PartitionedVariable)):
        shape = tuple(value.shape) if value.shape.rank is not None else "unknown"
        return f"a {type(value).__name__} of shape {shape} and dtype {value.dtype.name}"
    return f"{value!r} of type {type(value).__name__}"


def devices_of(variable: Any) -> tuple[str, ...]:
    """Return the devices of every copy of a variable."""
    if isinstance(variable, tf.distribute.DistributedValues):
        return tuple(variable._devices)
    return (variable.device,)


def strategy_of(variable: Any) -> Any | None:
    """Return the strategy in whose scope a variable was created, or None."""
    return getattr(variable, "_distribute_strategy", None)


def present_strategy() -> Any | None:
    """Return the strategy whose scope is active, or None outside every scope."""
    return tf.distribute.get_strategy() if tf.distribute.has_strategy() else None


@contextmanager
def state_scope(strategy: Any | None) -> Iterator[None]:
    """Enter the scope in which shared state is created: outside traced functions, under ``strategy``."""
    with tf.init_scope(), strategy_scope(strategy):
        yield


def strategy_scope(strategy: Any | None) -> AbstractContextManager[Any]:
    """Return the scope of ``strategy``, or none where there is no strategy or a scope is active."""
    if strategy is None or tf.distribute.has_strategy():
        return nullcontext()
    scope: AbstractContextManager[Any] = strategy.scope()
    return scope


def create_scalar(name: str, value: Any, dtype: Any) -> Any:
    """Create a scalar variable that every replica reads and one replica writes."""
    return tf.Variable(
        value,
        name=name,
        dtype=dtype,
        trainable=False,
        shape=(),
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def create_beside(variable: Any, *, name: str, initial_value: Any, shape: Any, dtype: Any) -> Any:
    """Create a variable that is placed and copied as ``variable`` is, under the active strategy."""
    strategy = tf.distribute.get_strategy()
    with strategy.extended.colocate_vars_with(variable):
        return tf.Variable(initial_value, name=name, dtype=dtype, trainable=False, shape=shape)


def as_written(function: Function) -> Function:
    """Keep AutoGraph from rewriting a function: its Python control flow is meant to run while tracing.

    Rewritten, a step over 500 variables takes four times as long to trace.
    """
    kept: Function = tf.autograph.experimental.do_not_convert(function)
    return kept


def operation_scope(name: str) -> AbstractContextManager[Any]:
    """Return the name scope of a step in a graph; eagerly names mean nothing and cost time."""
    return nullcontext() if tf.executing_eagerly() else tf.name_scope(name)


def naming_scope(name: str) -> AbstractContextManager[Any]:
    """Return the name scope of state that is created eagerly, so that its names are those that it has in a graph."""
    return tf.name_scope(name) if tf.executing_eagerly() else nullcontext()


def where_replicas_meet(action: Callable[[], None]) -> None:
    """Call a function once, outside of the replicas, which all have to come here; or where there are none."""
    if not tf.distribute.has_strategy() or tf.distribute.in_cross_replica_context():
        action()
    else:
        tf.distribute.get_replica_context().merge_call(as_written(lambda _: action()))


def sum_across_replicas(grads_and_vars: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with each gradient summed over all replicas; the same pairs where there is one."""
    if not grads_and_vars or not tf.distribute.has_strategy():
        return list(grads_and_vars)

    def reduce(strategy: Any, pairs: Sequence[Pair]) -> Any:
        return strategy.extended.batch_reduce_to(tf.distribute.ReduceOp.SUM, pairs)

    pairs = [(_of_this_replica(gradient, variable), variable) for gradient, variable in grads_and_vars]
    reduced = tf.distribute.get_replica_context().merge_call(reduce, args=(pairs,))
    return [(gradient, variable) for gradient, (_, variable) in zip(reduced, grads_and_vars, strict=True)]


def gathered_from_replicas(gradients: Sequence[Any]) -> list[Any]:
    """Return the gradients of all replicas, each dense one as ``[replicas, *shape]``, the same in every replica.

    Raises:
        NotImplementedError: The strategy does not hand them out.
    """
    replica = tf.distribute.get_replica_context()
    number = tf.TensorShape([tf.distribute.get_strategy().num_replicas_in_sync])
    return [
        # In a graph the collectives of several workers forget every shape.
        tf.ensure_shape(
            replica.all_gather(tf.identity(gradient)[tf.newaxis], axis=0), number.concatenate(gradient.shape)
        )
        for gradient in gradients
    ]


def _of_this_replica(gradient: Any, variable: Any) -> Any:
    """Return the gradient as reductions need it: an object of this replica's own, a sparse one all of tensors.

    One and the same tensor from every replica, such as a constant that they share, would be taken for their sum.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return tf.identity(gradient)
    shape = variable.shape if gradient.dense_shape is None else gradient.dense_shape
    return tf.IndexedSlices(gradient.values, tf.convert_to_tensor(gradient.indices), tf.convert_to_tensor(shape))


@dataclass(frozen=True)
class Updates:
    """The three parts of applying gradients, as ``update_every_copy`` calls them.

    Args:
        offer: Takes all pairs at once and returns (operations, pairs left over); None if there is nothing to offer to.
        update: Updates one variable from one gradient and returns the operation.
        finish: Ends the step, given all operations.
    """

    offer: Callable[[Sequence[Pair]], tuple[Sequence[Any], Sequence[Pair]]] | None
    update: Callable[[Any, Any], Any]
    finish: Callable[[list[Any]], Any]


def update_every_copy(grads_and_vars: Sequence[Pair], updates: Updates) -> Any:
    """Apply the pairs to every copy of their variables and return what ``updates.finish`` returns.

    Outside a strategy nothing stands between the caller and the updates: going through the default strategy's
    machinery costs more than the update of a small variable.
    """
    if not tf.distribute.has_strategy():
        pairs: Sequence[Pair] = [(_as_own_node(gradient), variable) for gradient, variable in grads_and_vars]
        operations, pairs = updates.offer(pairs) if updates.offer else ((), pairs)
        return updates.finish([*operations, *(updates.update(gradient, variable) for gradient, variable in pairs)])

    def merged(strategy: Any, pairs: Sequence[Pair]) -> Any:
        return update_across_replicas(strategy, pairs, updates)

    return tf.distribute.get_replica_context().merge_call(merged, args=(list(grads_and_vars),))


def update_across_replicas(strategy: Any, pairs: Sequence[Pair], updates: Updates) -> Any:
    """Apply the pairs as ``update_every_copy`` does, from inside its ``merge_call``."""
    operations, pairs = _offer_copies(strategy, pairs, updates.offer) if updates.offer else ([], pairs)
    for gradient, variable in pairs:
        done = strategy.extended.update(
            variable, lambda copy, part: updates.update(part, copy), args=(gradient,), group=False
        )
        operations.extend(tf.nest.flatten(strategy.experimental_local_results(done)))
    return updates.finish(operations)


def _offer_copies(strategy: Any, pairs: Sequence[Pair], offer: Any) -> tuple[list[Any], Sequence[Pair]]:
    """Offer each replica's copies of all pairs at once; every replica must leave the same ones."""
    operations: list[Any] = []
    left: list[int] = []

    def offer_one_replica(_: Any, gradients: Sequence[Any], copies: Sequence[Any]) -> None:
        position = {id(copy): number for number, copy in enumerate(copies)}
        done, rest = offer(list(zip(gradients, copies, strict=True)))
        operations.extend(done)
        left[:] = [position[id(copy)] for _, copy in rest]

    gradients, variables = zip(*pairs, strict=True)
    strategy.extended.update(variables[0], offer_one_replica, args=(list(gradients), list(variables)), group=False)
    return operations, [pairs[number] for number in left]


def _as_own_node(gradient: Any) -> Any:
    """Return a gradient that is a node of the present graph.

    A kernel fed by an argument of the function, beside its coefficients, starts about a tenth later than one fed by a
    node (1000 small variables, TensorFlow 2.21). Where a node computes the gradient already, the identity is optimised
    away.
    """
    if tf.executing_eagerly() or isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.identity(gradient)


def graph_operations(results: Sequence[Any]) -> list[Any]:
    """Return the graph operations and symbolic tensors among the results of updates."""
    return [r for r in results if isinstance(r, (tf.Operation, tf.Tensor)) and not hasattr(r, "numpy")] + [
        r.op for r in results if isinstance(r, tf.Variable) and not tf.executing_eagerly() and r.op is not None
    ]
