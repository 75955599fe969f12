"""The forms of dictionary that describe an optimizer, brought to one: which optimizer, and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optreg.errors import InvalidConfig, listing
from optreg.registry.keras_configs import class_name_of

FORMS = (
    "{'optimizer': 'optreg/<name>', 'config': {...}} from to_dict(), "
    "{'class_name': '<Class>', 'config': {...}} from Keras, "
    "or {'name': '<name>', ...} from get_config()"
)

_OURS = {"optimizer", "optreg", "config"}
_KERAS = {"class_name", "config", "module", "registered_name", "build_config", "compile_config", "shared_object_id"}

WRAPPERS = {"LossScaleOptimizer": "optreg.optimizer.loss_scaling.loss_scale:LossScaleOptimizer"}
"""Classes around an optimizer, which have no entry of their own: name in a Keras configuration to ``module:Class``."""


@dataclass(frozen=True)
class Description:
    """Which optimizer a dictionary asks for, and with which configuration.

    ``by_class`` is true where ``identifier`` is the name of a class, as in configurations of Keras.
    """

    identifier: str
    config: Mapping[str, Any]
    by_class: bool = False


def describe(config: Mapping[str, Any]) -> Description:
    """Recognise the form of a configuration. The argument is not modified.

    Raises:
        InvalidConfig: It has none of the known forms.
    """
    if "optimizer" in config:
        _refuse_further_keys(config, _OURS)
        return Description(_text(config, "optimizer"), _inner(config))
    if "class_name" in config:
        _refuse_further_keys(config, _KERAS)
        name = class_name_of(config)
        return Description(WRAPPERS.get(name, name), _inner(config), by_class=name not in WRAPPERS)
    if "name" in config:
        return Description(_text(config, "name"), dict(config), by_class=True)
    keys = listing(map(repr, config))
    raise InvalidConfig(f"A dictionary with the keys {keys} does not describe an optimizer. Known forms: {FORMS}")


def _inner(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = config.get("config")
    if inner is not None and not isinstance(inner, Mapping):
        raise InvalidConfig(f"'config' must be a dictionary of hyperparameters, received {inner!r}")
    return dict(inner or {})


def _text(config: Mapping[str, Any], key: str) -> str:
    if not isinstance(config[key], str):
        raise InvalidConfig(f"{key!r} must be the name of an optimizer, received {config[key]!r}. Known forms: {FORMS}")
    return str(config[key])


def _refuse_further_keys(config: Mapping[str, Any], known: set[str]) -> None:
    further = [key for key in config if key not in known]
    if further:
        raise InvalidConfig(
            f"Key {further[0]!r} is not part of an optimizer configuration; hyperparameters belong into 'config'. "
            f"Known keys: {listing(known)}"
        )
