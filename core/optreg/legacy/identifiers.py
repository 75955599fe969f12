"""``get``, ``serialize`` and ``deserialize`` as ``tf.keras.optimizers`` of Keras 2.9 has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optreg.errors import InvalidConfig, NotAnOptimizer
from optreg.legacy.family import present_family
from optreg.registry.building import build_optimizer
from optreg.registry.loading import is_optimizer

if TYPE_CHECKING:
    from optreg.optimizer.contract import Optimizer


def get(identifier: Any) -> Optimizer:
    """Return an optimizer for a name in any case, a configuration, a class, or an instance, which is passed through.

    Raises:
        UnknownOptimizer: The family has no optimizer of that name; the message suggests the nearest.
        InvalidConfig, UnknownHyperparameter: The configuration cannot be read.
        NotAnOptimizer: None of these; an optimizer of Keras is recognised by name.
    """
    return build_optimizer(present_family(), identifier, {})


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return ``{"class_name", "config"}``, JSON-clean, from which ``deserialize`` rebuilds the optimizer without state.

    Raises:
        NotAnOptimizer: The argument is not an instance of ``optreg.Optimizer``.
        InvalidConfig: The configuration of the optimizer cannot be saved.
    """
    if not is_optimizer(type(optimizer)):
        raise NotAnOptimizer(f"serialize() takes an instance of optreg.Optimizer, received {optimizer!r}")
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that a configuration describes. The configuration is not modified.

    Args:
        config: ``{"class_name", "config"}`` from ``serialize`` or from Keras; the class name in any case.
        custom_objects: The user's own classes, of optimizers and of schedules, by class name.

    Raises:
        UnknownOptimizer: Neither the family nor ``custom_objects`` has the class.
        InvalidConfig, UnknownHyperparameter: The configuration cannot be read.
    """
    if not isinstance(config, Mapping):
        raise InvalidConfig(f"deserialize() takes a dictionary such as serialize() returns, received {config!r}")
    return build_optimizer(present_family(custom_objects), config, {}, custom_objects)
