"""Copies of an optimizer with its state: ``copy.deepcopy``, ``pickle`` and whatever builds on it.

A copy holds every value that the original holds. Its slots belong to the copies of the variables where these are made
in the same call, and wait for their variables otherwise; ``detached.py`` says which ones they accept.
"""

from __future__ import annotations

import copy
import sys
import weakref
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidState, WrongContext
from optreg.optimizer import distribution
from optreg.optimizer.hyperparameters import HyperparameterTable
from optreg.optimizer.pipeline import AttachedStep, pipeline_of
from optreg.optimizer.state.attaching import AttachableState
from optreg.optimizer.state.detached import DetachedSlots, description_of
from optreg.optimizer.state.slots import SlotTable
from optreg.optimizer.strategies import strategy_name

_REBUILT = {
    "_aggregator_step",
    "_compiled",
    "_constraints",
    "_deferred_slot_restorations",
    "_detached",
    "_distribution_strategy",
    "_known_variables",
    "_pipeline",
    "_scratch",
    "_slot_table",
    "_stepped_in_graph",
    "_transformers",
}
"""Attributes that a copy makes anew: they speak of the original's variables, functions or context."""


class CopyableState(AttachableState):
    """Part of the optimizer that can be copied and pickled."""

    _aggregator_step: AttachedStep | None
    _hyperparameters: HyperparameterTable
    _plugins: tuple[Any, ...]
    _transformers: list[AttachedStep]

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return what pickles the optimizer: class and state, with the variables only where names are ambiguous.

        Raises:
            WrongContext: In a graph or a ``tf.function``, or under a ``tf.distribute`` strategy.
            InvalidState: A checkpoint waits to be restored, or a callable cannot be pickled.
        """
        self._require_picklable_callables()
        state = self._carried()
        descriptions = [slots.description for slots in state["detached"]]
        ambiguous = {description for description in descriptions if descriptions.count(description) > 1}
        state["owners"] = [_owner_to_pickle(s) if s.description in ambiguous else None for s in state["detached"]]
        state["detached"] = [(slots.description, slots.slots) for slots in state["detached"]]
        return _blank, (type(self),), state

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return an optimizer with the same values; its slots belong to the copies of variables in the same call.

        Raises:
            WrongContext, InvalidState: As for ``pickle``.
        """
        state = self._carried()
        detached = state.pop("detached")
        copied = memo[id(self)] = _blank(type(self))
        state = copy.deepcopy(state, memo)
        state["owners"] = [copy.deepcopy(slots.owner, memo) for slots in detached]
        state["origins"] = [weakref.ref(slots.owner) if slots.owner is not None else None for slots in detached]
        state["detached"] = [(slots.description, copy.deepcopy(slots.slots, memo)) for slots in detached]
        copied.__setstate__(state)
        return copied

    def __copy__(self) -> Any:
        raise WrongContext(
            f"a shallow copy of {type(self).__name__} would share the slots of the original: use copy.deepcopy(opt) "
            "for a copy with its state, or type(opt).from_config(opt.get_config()) for a fresh one"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state["attributes"])
        self._slot_table = SlotTable()
        self._slot_table.names[:] = state["slot_names"]
        self._deferred_slot_restorations: dict[str, dict[str, list[Any]]] = {}
        self._constraints: dict[str, Any] = {}
        self._known_variables: set[str] = set()
        self._distribution_strategy = distribution.present_strategy()
        self._transformers = [AttachedStep("transformer", given) for given in state["transformers"]]
        aggregator = state["aggregator"]
        self._aggregator_step = AttachedStep("aggregator", aggregator) if aggregator is not None else None
        self._pipeline = pipeline_of(self, self._plugins)
        for name, tracked in state["tracked"].items():
            self._track(name, tracked)
        twins = [weakref.ref(owner) if owner is not None else None for owner in state["owners"]]
        origins = state.get("origins") or [None] * len(twins)
        self._detached = tuple(
            DetachedSlots(description, slots, twin, origin)
            for (description, slots), twin, origin in zip(state["detached"], twins, origins, strict=True)
        )

    def _carried(self) -> dict[str, Any]:
        """Return the state that a copy is made of, each owner still the original's."""
        self._require_copyable()
        owned = [DetachedSlots(description_of(v), slots, origin=weakref.ref(v)) for v, slots in self._owned_slots()]
        orphaned = [DetachedSlots(description, slots) for description, slots in self._slot_table.orphaned()]
        steps = self._transformers, self._aggregator_step
        return {
            "attributes": {
                name: value
                for name, value in self.__dict__.items()
                if name not in _REBUILT and not name.startswith("_self_")
            },
            "slot_names": list(self._slot_table.names),
            "transformers": [step.given for step in steps[0]],
            "aggregator": steps[1].given if steps[1] is not None else None,
            "tracked": self._tracked(),
            "detached": [*owned, *orphaned, *self._detached],
        }

    def _require_copyable(self) -> None:
        owner = type(self).__name__
        if not tf.executing_eagerly():
            raise WrongContext(
                f"{owner} can be copied and pickled in eager mode only, where its variables have values: do it outside "
                "tf.function and graphs"
            )
        if self._distribution_strategy is not None:
            raise WrongContext(
                f"{owner} lives under {strategy_name(self._distribution_strategy)} and cannot be copied or pickled: "
                "save it with tf.train.Checkpoint, or carry state_dict() over"
            )
        if self._awaits_checkpoint():
            raise InvalidState(
                f"{owner} waits for a checkpoint to be restored, which a copy would lose: call build(var_list) first"
            )

    def _require_picklable_callables(self) -> None:
        if _pickled_by_value():
            return
        attached = [*self._transformers, *([self._aggregator_step] if self._aggregator_step is not None else [])]
        parts = [
            *((name, value) for name, value in self._hyperparameters.values.items() if callable(value)),
            *((step.kind, step.given) for step in attached if callable(step.given)),
            *(("plugin", plugin) for plugin in self._plugins),
        ]
        for name, value in parts:
            if not tf.is_tensor(value) and not _is_importable(value):
                raise InvalidState(
                    f"{type(self).__name__} cannot be pickled: its {name} is {value!r}, which no other process can "
                    "import. Define it at the top level of a module, or use cloudpickle, which joblib does"
                )


def _blank(cls: type[Any]) -> Any:
    """Return an instance without attributes, to be filled with the state of another.

    Raises:
        WrongContext: In a graph or a ``tf.function``.
    """
    if not tf.executing_eagerly():
        raise WrongContext(f"{cls.__name__} can be copied and unpickled in eager mode only: do it outside tf.function")
    return object.__new__(cls)


def _owner_to_pickle(slots: DetachedSlots) -> Any | None:
    """Return the variable of slots, unless it could not be pickled."""
    constraint = getattr(slots.owner, "constraint", None)
    return slots.owner if constraint is None or _is_importable(constraint) or _pickled_by_value() else None


def _is_importable(value: Any) -> bool:
    """Whether another process finds a function, or the class of an object, under its name."""
    named = value if hasattr(value, "__qualname__") else type(value)
    found: Any = sys.modules.get(getattr(named, "__module__", None) or "")
    for part in named.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is named or (found is not None and found == named)


def _pickled_by_value() -> bool:
    """Whether a pickler that takes functions apart, where pickle only names them, is at work."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").rpartition(".")[2] in {"cloudpickle", "_dill"}:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
