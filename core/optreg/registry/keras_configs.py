"""What a configuration written by Keras 3 holds beyond this contract, and how to read it.

At their neutral values these options mean "not used" and are left out. Elsewhere they would change the training, so
they are refused by name instead of being dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from optreg.errors import InvalidConfig

SPEED_ONLY = frozenset({"jit_compile", "is_legacy_optimizer"})
"""Options that never change what is computed."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "clipnorm": (None,),
    "clipvalue": (None,),
    "global_clipnorm": (None,),
    "weight_decay": (None, False, 0, 0.0),
    "use_ema": (None, False),
    "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None,),
}
"""Option of Keras 3 to the values at which it does nothing."""

DEPENDENT = {"ema_momentum": "use_ema", "ema_overwrite_frequency": "use_ema"}
"""Option to the one that switches it on."""

REMEDY = {
    "weight_decay": "choose an optimizer with decoupled weight decay",
    "use_ema": "keep the average outside the optimizer",
    "loss_scale_factor": "scale the loss in the training loop",
    "gradient_accumulation_steps": "accumulate gradients in the training loop",
}


def without_unused_options(config: Mapping[str, Any], accepted: Collection[str], *, label: str) -> dict[str, Any]:
    """Return the configuration without the neutral options that the class does not have itself.

    Raises:
        InvalidConfig: An option that the class does not have is in use.
    """
    return {key: value for key, value in config.items() if key in accepted or not _unused(key, config, label)}


def refuse_if_used(option: str, value: Any, *, label: str, setter: str = "you set") -> None:
    """Refuse an option of Keras 3 that an optimizer does not have, unless the value switches it off.

    Raises:
        InvalidConfig: The option is in use; the message says what to do instead.
    """
    if any(value is neutral or (neutral is not None and value == neutral) for neutral in NEUTRAL[option]):
        return
    remedy = f"; {REMEDY[option]}" if option in REMEDY else ""
    raise InvalidConfig(f"{label} has no option {option!r}, which {setter} to {value!r}{remedy}")


def class_name_of(config: Mapping[str, Any]) -> str:
    """Return the class name of ``{"class_name": "Package>Name", ...}`` without its package.

    Raises:
        InvalidConfig: The class name is not text.
    """
    name = config["class_name"]
    if not isinstance(name, str) or not name.strip(" >"):
        raise InvalidConfig(f"'class_name' must be the name of an optimizer class, received {name!r}")
    return name.rpartition(">")[2]


def _unused(key: str, config: Mapping[str, Any], label: str) -> bool:
    """Whether an option may be left out; unknown ones stay, so that the signature check names them."""
    if key in SPEED_ONLY or key in DEPENDENT:
        return True
    if key not in NEUTRAL:
        return False
    refuse_if_used(key, config[key], label=label, setter="this Keras configuration sets")
    return True
