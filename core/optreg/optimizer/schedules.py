"""Schedules as dictionaries, and back: those of both Kerases and of the user."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from optreg.errors import InvalidConfig, listing


def serialize_schedule(schedule: Any) -> dict[str, Any]:
    """Return ``{"module", "class_name", "config"}``, which ``deserialize_schedule`` reads."""
    cls = type(schedule)
    return {"module": cls.__module__, "class_name": cls.__name__, "config": schedule.get_config()}


def deserialize_schedule(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Rebuild a schedule from its dictionary; one without ``module`` is looked up in the Keras that is loaded.

    Raises:
        InvalidConfig: The class cannot be found.
    """
    name = str(config.get("class_name"))
    cls = (custom_objects or {}).get(name) or _schedule_class(name, config.get("module"))
    if cls is None:
        loaded = [module for module in ("keras", "tf_keras") if module in sys.modules]
        raise InvalidConfig(
            f"schedule {name!r} of module {config.get('module')!r} was not found (Keras libraries loaded: "
            f"{listing(loaded)}): import the module that defines it, or pass custom_objects={{{name!r}: ...}}"
        )
    return cls.from_config(dict(config.get("config") or {}))


def _schedule_class(name: str, module: str | None) -> Any | None:
    if module is not None:
        # A module is used if it is loaded, or belongs to a Keras. A configuration must not import anything else.
        root = module.partition(".")[0]
        if module not in sys.modules and root in {"keras", "tf_keras"}:
            __import__(f"{root}.optimizers.schedules")
        found = getattr(sys.modules.get(module), name, None)
        return found if isinstance(found, type) and hasattr(found, "from_config") else None
    if not {"keras", "tf_keras"} & set(sys.modules):
        __import__("keras.optimizers.schedules")
    for root in ("tf_keras", "keras"):
        keras = sys.modules.get(root)
        found = getattr(keras.optimizers.schedules, name, None) if keras is not None else None
        if found is not None:
            return found
    return None
