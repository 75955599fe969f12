"""Internals of Keras 2.9 that optimizers around an optimizer reach for, as views of what there is here instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from optreg.optimizer.attributes import OptionAttributes
from optreg.optimizer.authoring import ApplyState
from optreg.optimizer.distribution import Pair, Updates, as_written, strategy_scope, update_across_replicas
from optreg.optimizer.state.slots import SlotTable


class _View:
    """A property in whose place a class may put an attribute of its own, as it could in Keras 2.9."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else self._read(optimizer)


class KerasInternals(OptionAttributes):
    """Part of the optimizer that old code knows by names which were never public: nothing here is kept twice."""

    _distribution_strategy: Any
    _resource_apply_dense: Callable[..., Any]
    _resource_apply_sparse: Callable[..., Any]
    _slot_table: SlotTable
    _joint_updates: Callable[[ApplyState], Updates]

    _clipvalue = OptionAttributes.clipvalue
    _clipnorm = OptionAttributes.clipnorm
    _global_clipnorm = OptionAttributes.global_clipnorm

    @_View
    def _dense_apply_args(self) -> list[str]:
        """The names of the arguments of ``_resource_apply_dense``, ``self`` included."""
        return inspect.getfullargspec(self._resource_apply_dense).args

    @_View
    def _sparse_apply_args(self) -> list[str]:
        """The names of the arguments of ``_resource_apply_sparse``, ``self`` included."""
        return inspect.getfullargspec(self._resource_apply_sparse).args

    @property
    def _hypers_created(self) -> bool:
        """Whether the hyperparameters are variables by now."""
        return self._hyperparameters.created

    @_hypers_created.setter
    def _hypers_created(self, created: bool) -> None:
        self._hyperparameters.created = created

    @property
    def _hyper(self) -> dict[str, Any]:
        """The hyperparameters by name."""
        return self._hyperparameters.values

    @_View
    def _slots(self) -> Mapping[str, Mapping[str, Any]]:
        """The slots by the key of their variable and by name, to be read; ``add_slot`` makes new ones."""
        return self._slot_table.by_key()

    def _distribution_strategy_scope(self) -> AbstractContextManager[Any]:
        """Return the scope of the optimizer's strategy, for variables that are created beside its own."""
        return strategy_scope(self._distribution_strategy)

    def _create_slots_for_sharded_variables(self, var_list: Sequence[Any]) -> None:
        """Do nothing: the slot of a partitioned variable is joined from those of its parts when it is asked for."""

    @as_written
    def _distributed_apply(
        self, distribution: Any, grads_and_vars: Sequence[Pair], apply_state: ApplyState, name: str | None = None
    ) -> Any:
        """Apply the pairs inside a ``merge_call``; where a class overrides it, every step goes this way."""
        return update_across_replicas(distribution, grads_and_vars, self._joint_updates(apply_state))
