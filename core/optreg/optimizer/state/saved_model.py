"""The optimizer in a SavedModel: its state as ordinary children that every TensorFlow can load.

TensorFlow writes the slots of an optimizer as entries between optimizer and variable, in a checkpoint and in a
SavedModel alike. A SavedModel with such entries can be loaded only where a class is registered that has ``add_slot``:
everybody who serves the model would need optreg. So an export holds slots as plain lists and dictionaries instead,
and whoever loads it needs TensorFlow alone. Checkpoints keep the entries, which Keras 2.9 reads and writes.

Like ``checkpoint.py`` this file overrides what TensorFlow calls on trackable objects.
"""

from __future__ import annotations

import threading
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidState
from optreg.optimizer.distribution import describe_value
from optreg.optimizer.state.checkpoint import CheckpointedState

_tracking = tf.__internal__.tracking

_CHILD = "exported_state"

_exporting = threading.local()
"""The ids of the optimizers whose children this thread listed last for a SavedModel, not for a checkpoint."""


class ExportedState(CheckpointedState):
    """Part of the optimizer that ``tf.saved_model.save`` talks to."""

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        """Return the named state; for a SavedModel the slots too."""
        children: dict[str, Any] = dict(super()._trackable_children(save_type, **kwargs))
        _exporting.ids = getattr(_exporting, "ids", set()) - {id(self)}
        if save_type == "savedmodel":
            _exporting.ids.add(id(self))
            children[_CHILD] = self._exported_state()
        return children

    def __dir__(self) -> list[str]:
        # TensorFlow writes slot entries for objects whose dir() holds this name, and asks right after the children.
        hidden = {"get_slot_names"} if id(self) in getattr(_exporting, "ids", ()) else set()
        return sorted({*super().__dir__()} - hidden)

    def _exported_state(self) -> Any:
        entries = self._owned_slots()
        names = dict.fromkeys(name for _, slots in entries for name in slots)
        state = {
            "hyperparameters": self._hyperparameter_variables(),
            "weights": self._own_weights(),
            "slots": {name: [slots[name] for _, slots in entries if name in slots] for name in names},
            "slot_owners": {name: [variable for variable, slots in entries if name in slots] for name in names},
        }
        return _tracking.wrap(state)


def exported_state(loaded: Any) -> tuple[dict[str, Any], list[tuple[Any, dict[str, Any]]]]:
    """Take apart what ``tf.saved_model.load`` returns in the place of an optimizer.

    Returns:
        (variables of the optimizer by kind and name, (variable, its slots by name) in the order of their creation).

    Raises:
        InvalidState: The object was not exported by an optimizer of optreg.
    """
    found = getattr(loaded, _CHILD, None)
    if found is None:
        raise InvalidState(
            f"expected the optimizer of a loaded SavedModel, such as tf.saved_model.load(path).optimizer, received "
            f"{describe_value(loaded)}, which holds no state exported by optreg"
        )
    slots: dict[int, tuple[Any, dict[str, Any]]] = {}
    for name, values in found["slots"].items():
        for variable, value in zip(found["slot_owners"][name], values, strict=True):
            slots.setdefault(id(variable), (variable, {}))[1][name] = value
    scalars = {"iterations": loaded.iter} if hasattr(loaded, "iter") else {}
    named = {kind: dict(found[kind].items()) for kind in ("hyperparameters", "weights")}
    return {**scalars, **named}, list(slots.values())
