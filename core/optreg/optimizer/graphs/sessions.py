"""Variables of TensorFlow 1 graphs, whose values live in a session and not in the variable.

Eagerly a variable is read with ``numpy()`` and set with ``assign()``. In a graph both only describe what a session
would do, so the functions here go through the default session, the one of ``with tf.compat.v1.Session():``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidVariable, WrongContext
from optreg.optimizer.distribution import describe_value, shared_name


def graph_of(variable: Any) -> Any | None:
    """Return the graph that a variable was created in; None for an eager one."""
    return getattr(variable, "graph", None)


def is_deferred(tensor: Any) -> bool:
    """Whether a tensor of a TensorFlow 1 graph, such as a placeholder, has a value only while a session runs."""
    return tf.is_symbolic_tensor(tensor) and not tf.inside_function()


def require_one_graph(owner: str, variables: Iterable[Any]) -> None:
    """Refuse to make a step over variables that live elsewhere than the step itself.

    Args:
        owner: Name of the optimizer, for the message.
        variables: Those of the optimizer and of the model.

    Raises:
        WrongContext: One lives in another graph, or eagerly where the step is made in a graph.
    """
    with tf.init_scope():
        here = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    for variable in variables:
        home = graph_of(variable)
        if home is not here:
            raise WrongContext(
                f"{owner}: variable {shared_name(variable)!r} was created {_place(home, other=here)}, and the step is "
                f"made {_place(here, other=None)}: create the model's variables and one optimizer in each graph"
            )


def require_resource_variables(owner: str, variables: Iterable[Any]) -> None:
    """Refuse reference variables, the kind that TensorFlow 1 made before resource variables.

    Raises:
        InvalidVariable: Naming the variable and the ways out.
    """
    for variable in variables:
        if variable.dtype != variable.dtype.base_dtype:
            raise InvalidVariable(
                f"{owner}: variable {shared_name(variable)!r} is a reference variable of TensorFlow 1 "
                f"({variable.dtype.name}), which no update of an optimizer reaches: create it with use_resource=True, "
                "or call tf.compat.v1.enable_resource_variables() before the model is built"
            )


def read_values(variables: Sequence[Any]) -> list[Any]:
    """Return the values of variables as NumPy arrays.

    Raises:
        WrongContext: They live in a graph, and no session is open or it has not initialized them.
    """
    if not any(graph_of(variable) for variable in variables):
        return [variable.numpy() for variable in variables]
    try:
        values: list[Any] = _session("reading").run(list(variables))
    except tf.errors.FailedPreconditionError as error:
        raise _uninitialized(variables) from error
    return values


def read_value(tensor: Any) -> Any:
    """Return the value of one variable or tensor as a NumPy array.

    Raises:
        WrongContext: As for ``read_values``; or a placeholder, which has no value of its own.
    """
    if isinstance(tensor, tf.Variable):
        return read_values([tensor])[0]
    if is_deferred(tensor):
        raise WrongContext(
            f"{describe_value(tensor)} has a value only while a session runs, so it cannot be read or saved; give a "
            "number or a variable instead"
        )
    return tensor.numpy()


def assign_value(variable: Any, value: Any) -> None:
    """Set a variable to a number, array or tensor.

    Raises:
        WrongContext: As for ``read_values``.
    """
    if graph_of(variable) is None or tf.inside_function():
        variable.assign(tf.cast(value, variable.dtype))
        return
    # An initializer that ran later would undo the assignment.
    read_values([variable])
    # Fed to the initializer, the value needs no new operation, and the graph may be finalized.
    initializer = variable.initializer
    _session("assigning").run(initializer, {initializer.inputs[1]: value})


def is_readable(variable: Any) -> bool:
    """Whether a variable has a value now: always eagerly, in a graph once the default session has initialized it."""
    try:
        read_values([variable])
    except WrongContext:
        return False
    return True


def _session(doing: str) -> Any:
    session = tf.compat.v1.get_default_session()
    if session is None:
        raise WrongContext(
            f"{doing} a variable of a graph needs a session: call this inside `with tf.compat.v1.Session():` or "
            "`with session.as_default():`"
        )
    return session


def _uninitialized(variables: Sequence[Any]) -> WrongContext:
    names = ", ".join(shared_name(variable) for variable in variables)
    return WrongContext(
        f"the session has not initialized all of {names}: run tf.compat.v1.global_variables_initializer() first"
    )


def _place(graph: Any | None, *, other: Any | None) -> str:
    if graph is None:
        return "eagerly"
    return "in another graph" if other is not None else "in a graph"
