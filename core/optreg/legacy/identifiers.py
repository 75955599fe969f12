"""``get``, ``serialize`` and ``deserialize`` as ``tf.keras.optimizers`` of Keras 2.9 has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optreg.errors import InvalidConfig, NotAnOptimizer
from optreg.legacy.family import present_family
from optreg.legacy.registrations import registered_class, registered_name
from optreg.registry.building import build_optimizer
from optreg.registry.keras_configs import class_name_of
from optreg.registry.loading import is_optimizer

if TYPE_CHECKING:
    from optreg.optimizer.contract import Optimizer


def get(identifier: Any, *, use_legacy_optimizer: bool | None = None) -> Optimizer:
    """Return an optimizer for a name in any case, a configuration, a class, or an instance, which is passed through.

    Args:
        identifier: What describes the optimizer; a name or class name may be one registered with a loaded Keras.
        use_legacy_optimizer: As later versions of Keras 2 take it. There are no others here, so False is refused.

    Raises:
        UnknownOptimizer: The family has no optimizer of that name; the message suggests the nearest.
        InvalidConfig, UnknownHyperparameter: The configuration cannot be read.
        InvalidConfig: ``use_legacy_optimizer`` is False.
        NotAnOptimizer: None of these; an optimizer of Keras is recognised by name.
    """
    if use_legacy_optimizer not in {None, True}:
        raise InvalidConfig(
            f"optreg.legacy.get() builds the optimizers of tf.keras.optimizers.legacy only, received "
            f"use_legacy_optimizer={use_legacy_optimizer!r}: leave it out, and take others from your Keras"
        )
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    return build_optimizer(present_family(), registered_class(identifier) or identifier, {})


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return ``{"class_name", "config"}``, JSON-clean, from which ``deserialize`` rebuilds the optimizer without state.

    The class name is the one under which a loaded Keras has the class registered, such as ``"Mine>Adam"``.

    Raises:
        NotAnOptimizer: The argument is not an instance of ``optreg.Optimizer``.
        InvalidConfig: The configuration of the optimizer cannot be saved.
    """
    if not is_optimizer(type(optimizer)):
        raise NotAnOptimizer(f"serialize() takes an instance of optreg.Optimizer, received {optimizer!r}")
    return {"class_name": registered_name(type(optimizer)), "config": optimizer.get_config()}


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that a configuration describes. The configuration is not modified.

    Args:
        config: ``{"class_name", "config"}`` from ``serialize`` or from Keras; the class name in any case.
        custom_objects: The user's own classes, of optimizers and of schedules, by class name. They win over classes
            registered with a loaded Keras, and those over the family.

    Raises:
        UnknownOptimizer: Neither the family nor ``custom_objects`` nor a loaded Keras has the class.
        InvalidConfig, UnknownHyperparameter: The configuration cannot be read.
    """
    if not isinstance(config, Mapping):
        raise InvalidConfig(f"deserialize() takes a dictionary such as serialize() returns, received {config!r}")
    registered = registered_class(config.get("class_name"))
    if registered is not None:
        custom_objects = {class_name_of(config): registered, **(custom_objects or {})}
    return build_optimizer(present_family(custom_objects), config, {}, custom_objects)
