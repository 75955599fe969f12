"""How much state an optimizer keeps for each parameter, from the slots that its card declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optreg.cards import OptimizerCard

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16}


def bytes_per_parameter(card: OptimizerCard, dtype: str = "float32", **hyperparameters: Any) -> int | None:
    """Return the bytes of slots for each parameter of a large variable; None where the card declares nothing.

    Slots of one number for each variable do not count.
    """
    if card.declared is None:
        return None
    present = card.slot_names(**hyperparameters)
    own = _BYTES[dtype]
    return sum(
        max(own, _BYTES.get(slot.at_least, 0))
        for slot in card.declared.slots
        if slot.name in present and not slot.scalar
    )


def variants(card: OptimizerCard) -> Mapping[str, int]:
    """Return the bytes per float32 parameter where a hyperparameter changes them: ``{"amsgrad=True": 12}``."""
    if card.declared is None:
        return {}
    defaults = {item.name: item.default for item in card.hyperparameters}
    normal = bytes_per_parameter(card)
    found = {}
    for name in dict.fromkeys(slot.when for slot in card.declared.slots if slot.when):
        switched = not defaults.get(name)
        changed: dict[str, Any] = {name: switched}
        size = bytes_per_parameter(card, **changed)
        if size is not None and size != normal:
            found[_setting(name, defaults.get(name), switched=switched)] = size
    return found


def _setting(name: str, default: Any, *, switched: bool) -> str:
    if isinstance(default, bool) or default is None or not switched:
        return f"{name}={switched}"
    return f"{name}>0"
