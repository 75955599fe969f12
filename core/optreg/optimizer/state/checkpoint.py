"""State as a checkpoint sees it: named scalars, and slots that hang between an optimizer and a variable.

Names and layout are those of Keras 2.9, so that its checkpoints load: ``iter``, the hyperparameters under their
names, and every slot under (variable, slot name). With ``distribution.py`` this is the only file that touches
TensorFlow internals.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from optreg.optimizer.distribution import create_scalar, parts_of, variable_key, whole_of

_tracking = tf.__internal__.tracking


class CheckpointedState(_tracking.Trackable):  # type: ignore[misc, name-defined]
    """Part of the optimizer that ``tf.train.Checkpoint`` talks to."""

    _slot_dtype: Callable[[str, Any], Any]

    def _track(self, name: str, state: Any) -> Any:
        """Make ``state`` a dependency called ``name``; a value already waiting in a checkpoint is restored into it."""
        self._track_trackable(state, name=name, overwrite=True)
        return state

    def _forget(self, name: str) -> None:
        """Drop the dependency called ``name``; nothing happens where there is none."""
        self._maybe_initialize_trackable()
        if self._self_unconditional_dependency_names.pop(name, None) is not None:
            self._self_unconditional_checkpoint_dependencies[:] = [
                dependency for dependency in self._self_unconditional_checkpoint_dependencies if dependency.name != name
            ]

    def _switch_on_for(self, slot_name: str) -> None:
        """Make steps use a slot that a checkpoint holds because its hyperparameter is other than zero there."""
        for slot in self.card.slots:
            brought = slot.name == slot_name and slot.when in self._hyperparameters.values
            if brought and not self._is_switched_on(slot.when):
                self._switch_on(slot.when)

    def _tracked(self) -> dict[str, Any]:
        """Return the dependencies by name: iterations, hyperparameters and weights of the optimizer's own."""
        self._maybe_initialize_trackable()
        return dict(self._self_unconditional_dependency_names)

    def _hyperparameter_variables(self) -> dict[str, Any]:
        """Return the variables of hyperparameters that are numbers, by name."""
        return {name: value for name, value in self._hyperparameters.values.items() if isinstance(value, tf.Variable)}

    def _own_weights(self) -> dict[str, Any]:
        """Return the variables tracked by name that are neither iterations nor hyperparameters."""
        others = {id(self._iterations), *(id(value) for value in self._hyperparameter_variables().values())}
        return {
            name: tracked
            for name, tracked in self._tracked().items()
            if isinstance(tracked, tf.Variable) and id(tracked) not in others
        }

    def _awaits_checkpoint(self) -> bool:
        """Whether values of a checkpoint wait for state that does not exist yet."""
        self._maybe_initialize_trackable()
        slots = any(waiting for places in self._deferred_slot_restorations.values() for waiting in places.values())
        return slots or (not self._hyperparameters.created and bool(self._deferred_dependencies))

    def _create_hyperparameter(self, name: str, value: Any, dtype: Any) -> Any:
        # tf.compat.v1.train.Saver goes by the name of the variable itself.
        return create_scalar(self._checkpoint_names.get(name, name), value, dtype)

    def _track_hyperparameter(self, name: str, state: Any) -> Any:
        return self._track(self._checkpoint_names.get(name, name), state)

    def _forget_hyperparameter(self, name: str) -> None:
        self._forget(self._checkpoint_names.get(name, name))

    def _track_scalar_of_part(self, name: str, slot: Any) -> None:
        """Save a scalar slot of a part under its name: TensorFlow saves slots of wholes, which scalars do not make."""
        self._maybe_initialize_trackable()
        taken = self._self_unconditional_dependency_names
        names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        self._track(next(free for free in names if free not in taken), slot)

    def _restore_slot_variable(self, slot_name: str, variable: Any, slot_variable: Any) -> None:
        """Restore a slot just created, if a checkpoint read earlier holds its value.

        The value of a partitioned variable's slot is restored once the slots of all parts are there.
        """
        self._restore_waiting(slot_name, variable, slot_variable)
        whole = whole_of(variable)
        joined = self._slot_table.joined(whole, slot_name) if whole is not None else None
        if joined is not None:
            self._restore_waiting(slot_name, whole, joined)

    def _restore_waiting(self, slot_name: str, variable: Any, slot_variable: Any) -> None:
        waiting = self._deferred_slot_restorations.get(slot_name, {}).pop(variable_key(variable), [])
        for position in sorted(waiting, key=lambda position: position.restore_uid, reverse=True):
            _restore_widened(position, slot_variable)
            position.restore(slot_variable)

    def _create_or_restore_slot_variable(
        self, slot_variable_position: Any, slot_name: str, variable: Any, slot_variable_shape: Any = None
    ) -> Any | None:
        """Return the slot that the checkpoint's value belongs to, created now if it can be; TensorFlow restores it.

        Called by ``Checkpoint.restore`` for each slot once both the optimizer and the variable are known.
        In graphs no variable may appear here: the value waits until the slot is created.
        """
        slot = self._find_slot(variable, slot_name)
        if slot is None:
            slot = self._slot_table.joined(variable, slot_name)
        self._switch_on_for(slot_name)
        if slot is None and tf.executing_eagerly() and slot_variable_position.is_simple_variable():
            initializer: Any = _tracking.CheckpointInitialValueCallable(checkpoint_position=slot_variable_position)
            dtype = _saved_dtype(slot_variable_position)
            own = self._slot_dtype(slot_name, variable.dtype)
            if _is_narrower(dtype, own):
                initializer, dtype = "zeros", own
            if parts_of(variable) is not None:
                initializer = "zeros"  # TensorFlow cuts the value into parts when it restores the joined slot.
            shape = slot_variable_shape or slot_variable_position.value_shape()
            slot = self.add_slot(variable, slot_name, initializer=initializer, shape=shape, dtype=dtype)
            self._slot_table.mark_early(slot)
        if slot is None:
            waiting = self._deferred_slot_restorations.setdefault(slot_name, {})
            waiting.setdefault(variable_key(variable), []).append(slot_variable_position)
        else:
            _restore_widened(slot_variable_position, slot)
        return slot


class ForwardedState:
    """Part of a wrapper that ``tf.train.Checkpoint`` talks to: the wrapped optimizer's state, and some beside it."""

    _inner: Any
    _state_beside: Callable[[], dict[str, Any]]

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        return {**self._inner._trackable_children(save_type, **kwargs), **self._state_beside()}


def _saved_dtype(position: Any) -> Any:
    """Return the dtype of the value at a checkpoint position."""
    key = position.object_proto.attributes[0].checkpoint_key
    return position.checkpoint.dtype_map[key]


def _is_narrower(dtype: Any, than: Any) -> bool:
    return bool(dtype.is_floating and than.is_floating and dtype.size < than.size)


def _restore_widened(position: Any, slot: Any) -> None:
    """Restore a slot from a narrower dtype, such as those that Keras 2.9 kept in 16 bits for weights of 16 bits.

    TensorFlow would refuse the value; it leaves a slot alone that is as new as the checkpoint.
    """
    slot._maybe_initialize_trackable()
    if not isinstance(slot, tf.Variable) or not position.is_simple_variable():
        return
    if _is_narrower(_saved_dtype(position), slot.dtype) and slot._update_uid < position.restore_uid:
        [value] = position.value_tensors().values()
        assigned = slot.assign(tf.cast(value, slot.dtype))
        slot._update_uid = position.restore_uid
        if not tf.executing_eagerly():
            position.checkpoint.new_restore_ops([assigned.op])
