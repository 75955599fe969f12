"""A wrapped optimizer as a configuration, and back, as saved models need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optreg.errors import InvalidConfig
from optreg.registry import default_registry
from optreg.registry.loading import imported, is_optimizer

FindCustom = Callable[[str], Any]
"""Name of a class to the class that the user gave Keras as a custom object, or None."""


def configuration_of(optimizer: Any, registered_name: Callable[[type], str]) -> dict[str, Any]:
    """Return what ``optimizer_from`` reads; JSON-clean.

    Args:
        optimizer: The wrapped optimizer.
        registered_name: Returns the name under which the Keras that saves knows a class.
    """
    saved = optimizer.to_dict()
    if ":" in saved["optimizer"]:
        saved["registered_name"] = registered_name(type(optimizer))
    return {"name": optimizer._name, "optimizer": saved}


def optimizer_from(config: Mapping[str, Any], find_custom: FindCustom) -> Any:
    """Rebuild an optimizer from ``configuration_of``.

    A saved model may come from anywhere, so nothing in it decides what is imported: a class is found by its registered
    name, among the modules that are imported already, or among the custom objects given to Keras.

    Raises:
        InvalidConfig: The configuration does not describe an optimizer, or its class is found nowhere.
        UnknownOptimizer, UnusableOptimizer: The registered name leads nowhere here.
    """
    saved = config.get("optimizer")
    if not isinstance(saved, Mapping) or not isinstance(saved.get("optimizer"), str):
        raise InvalidConfig(f"the saved model holds no configuration of an optimizer of optreg, but {saved!r}")
    return _class_of(saved["optimizer"], saved.get("registered_name"), find_custom).from_config(
        dict(saved.get("config") or {}), custom_objects=_CustomObjects(find_custom)
    )


def _class_of(identifier: str, registered_name: Any, find_custom: FindCustom) -> Any:
    if ":" not in identifier:
        return default_registry().get_class(identifier)
    qualified_name = identifier.rpartition(":")[2]
    class_name = qualified_name.rpartition(".")[2]
    names = [qualified_name, class_name, *([registered_name] if isinstance(registered_name, str) else [])]
    for found in (imported(identifier), *map(find_custom, names)):
        if is_optimizer(found):
            return found
    raise InvalidConfig(
        f"the model was saved with the optimizer class {identifier!r}, which is not registered with optreg and not "
        f"imported: import its module first, or pass custom_objects={{{class_name!r}: ...}}"
    )


class _CustomObjects(Mapping[str, Any]):
    """The custom objects given to Keras, as the dictionary that ``from_config`` takes."""

    def __init__(self, find: FindCustom) -> None:
        self._find = find

    def __getitem__(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Any:
        return iter(())  # Keras answers for one name at a time

    def __len__(self) -> int:
        return 1  # never taken for an empty dictionary
