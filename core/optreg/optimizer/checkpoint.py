"""State as a checkpoint sees it: named scalars, and slots that hang between an optimizer and a variable.

Names and layout are those of Keras 2.9, so that its checkpoints load: ``iter``, the hyperparameters under their
names, and every slot under (variable, slot name). With ``distribution.py`` this is the only file that touches
TensorFlow internals.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.optimizer.distribution import variable_key

_tracking = tf.__internal__.tracking


class CheckpointedState(_tracking.Trackable):  # type: ignore[misc, name-defined]
    """Part of the optimizer that ``tf.train.Checkpoint`` talks to."""

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

    def _track_hyperparameter(self, name: str, state: Any) -> Any:
        return self._track(self._checkpoint_names.get(name, name), state)

    def _forget_hyperparameter(self, name: str) -> None:
        self._forget(self._checkpoint_names.get(name, name))

    def _restore_slot_variable(self, slot_name: str, variable: Any, slot_variable: Any) -> None:
        """Restore a slot just created, if a checkpoint read earlier holds its value."""
        waiting = self._deferred_slot_restorations.get(slot_name, {}).pop(variable_key(variable), [])
        for position in sorted(waiting, key=lambda position: position.restore_uid, reverse=True):
            position.restore(slot_variable)

    def _create_or_restore_slot_variable(
        self, slot_variable_position: Any, slot_name: str, variable: Any, slot_variable_shape: Any = None
    ) -> Any | None:
        """Return the slot that the checkpoint's value belongs to, created now if it can be; TensorFlow restores it.

        Called by ``Checkpoint.restore`` for each slot once both the optimizer and the variable are known.
        In graphs no variable may appear here: the value waits until the slot is created.
        """
        slot = self._slot_table.find(variable_key(variable), slot_name)
        if slot is None and tf.executing_eagerly() and slot_variable_position.is_simple_variable():
            initializer = _tracking.CheckpointInitialValueCallable(checkpoint_position=slot_variable_position)
            shape = slot_variable_shape or slot_variable_position.value_shape()
            dtype = _saved_dtype(slot_variable_position)
            slot = self.add_slot(variable, slot_name, initializer=initializer, shape=shape, dtype=dtype)
        if slot is None:
            waiting = self._deferred_slot_restorations.setdefault(slot_name, {})
            waiting.setdefault(variable_key(variable), []).append(slot_variable_position)
        return slot


def _saved_dtype(position: Any) -> Any:
    """Return the dtype of the value at a checkpoint position."""
    key = position.object_proto.attributes[0].checkpoint_key
    return position.checkpoint.dtype_map[key]
