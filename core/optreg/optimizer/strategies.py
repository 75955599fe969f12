"""Where an optimizer may work: the strategy its variables belong to, and the contexts in which a step is possible."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from optreg.errors import WrongContext
from optreg.optimizer.distribution import shared_name, strategy_of

_SAME_SCOPE = "create the model's variables and the optimizer under the same strategy.scope()"


def common_strategy(owner: str, strategy: Any | None, variables: Iterable[Any]) -> Any | None:
    """Return the strategy that the variables belong to; an optimizer without one takes it over.

    Args:
        owner: Name of the optimizer, for messages.
        strategy: The optimizer's strategy so far, or None.
        variables: Variables that the optimizer has not seen before.

    Raises:
        WrongContext: A variable belongs to another strategy than the optimizer, the active scope or its neighbours.
    """
    variables = list(variables)
    active = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    known = strategy if strategy is not None else active
    if known is None and variables:
        known = strategy_of(variables[0])
    for variable in variables:
        if strategy_of(variable) is not known:
            raise WrongContext(_foreign(owner, variable, known))
    if active is not None and active is not known:
        raise WrongContext(
            f"{owner} belongs to a {strategy_name(known)} and was called under a {strategy_name(active)}, another one: "
            f"{_SAME_SCOPE}"
        )
    return known


def require_replica_context(owner: str, strategy: Any | None, variables: Iterable[Any]) -> None:
    """Refuse a step where the gradients of single replicas do not exist, or the variables belong elsewhere.

    Args:
        owner: Name of the optimizer, for messages.
        strategy: The optimizer's strategy, or None.
        variables: The variables of the step.

    Raises:
        WrongContext: Copied variables outside ``strategy.run``; under a scope but outside ``strategy.run``; in a
            ``tf.function`` inside ``strategy.run``; variables or optimizer of another strategy.
    """
    if not tf.distribute.has_strategy():
        _require_single_copies(owner, variables)
        return
    if tf.distribute.in_cross_replica_context():
        raise WrongContext(
            f"{owner}: apply_gradients() was called in a cross-replica context. Call it in the function given to "
            "strategy.run(), where each replica has its gradients"
        )
    common_strategy(owner, strategy, variables)
    if _in_function_of_one_replica():
        raise WrongContext(
            f"{owner}: apply_gradients() was called in a tf.function, tf.cond or tf.while_loop inside strategy.run(), "
            "where the replicas cannot meet to sum their gradients. Put the tf.function around strategy.run()"
        )


def _require_single_copies(owner: str, variables: Iterable[Any]) -> None:
    """Refuse variables of which only one copy would be updated here."""
    for variable in variables:
        home = strategy_of(variable)
        if isinstance(variable, tf.distribute.DistributedValues) and home and home.num_replicas_in_sync > 1:
            raise WrongContext(
                f"{owner}: variable {shared_name(variable)!r} has a copy in each replica of a "
                f"{strategy_name(home)}, and apply_gradients() was called outside of it. Call it in the "
                "function given to strategy.run()"
            )


def _in_function_of_one_replica() -> bool:
    """Whether the graph of one replica alone is being built; replicas that run in threads know the graph of all."""
    graph = getattr(threading.current_thread(), "graph", None)
    return graph is not None and graph is not tf.compat.v1.get_default_graph()


def _foreign(owner: str, variable: Any, strategy: Any | None) -> str:
    home = strategy_of(variable)
    same_kind = home is not None and strategy_name(home) == strategy_name(strategy)
    where = (
        f"in the scope of {'another' if same_kind else 'a'} {strategy_name(home)}"
        if home is not None
        else "outside its scope"
    )
    belongs = f"a {strategy_name(strategy)}" if strategy is not None else "no strategy"
    return f"{owner} belongs to {belongs}, and variable {shared_name(variable)!r} was created {where}: {_SAME_SCOPE}"


def strategy_name(strategy: Any) -> str:
    """Return the name of a strategy's class as users write it."""
    name = type(strategy).__name__.removesuffix("V2").removesuffix("V1")
    return "MultiWorkerMirroredStrategy" if name == "CollectiveAllReduceStrategy" else name
