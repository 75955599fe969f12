"""Configurations: what an optimizer is made of, as JSON-clean dictionaries, and back."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from optreg.errors import InvalidConfig, listing
from optreg.optimizer.distribution import describe_value
from optreg.optimizer.pipeline import UNREGISTERED, AttachedStep, check_saved_steps
from optreg.optimizer.schedules import deserialize_schedule
from optreg.registry import default_registry
from optreg.registry.signatures import CONTRACT_OPTIONS, accepted_by, unknown_argument

BASE_OPTIONS = tuple(
    option for option in CONTRACT_OPTIONS if option not in {"name", "gradient_aggregator", "gradient_transformers"}
)
"""Keyword arguments that every optimizer takes, beside its own and those that the base constructor spells out."""


class Configurable:
    """Part of the optimizer that can be taken apart into a dictionary and put together again."""

    _name: str
    _clip: dict[str, float | None]
    _plugins: tuple[Any, ...]
    _transformers: list[AttachedStep]
    _aggregator_step: AttachedStep | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_config" in vars(cls):
            setattr(cls, "get_config", complete(vars(cls)["get_config"]))  # noqa: B010 - mypy knows no assigned methods

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the optimizer, without its state: JSON-clean, complete or an error.

        Override it to add the constructor's own arguments.

        Raises:
            InvalidConfig: It is no dictionary, or leaves out arguments of the constructor.
        """
        config: dict[str, Any] = {"name": self._name}
        config |= {option: threshold for option, threshold in self._clip.items() if threshold is not None}
        if self._aggregator_step is not None:
            config["gradient_aggregator"] = self._aggregator_step.serialize()
        if self._transformers:
            config["gradient_transformers"] = [transformer.serialize() for transformer in self._transformers]
        if self._plugins:
            config["plugins"] = [{UNREGISTERED: type(plugin).__qualname__} for plugin in self._plugins]
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Build an optimizer from ``get_config()``'s dictionary, which is not modified.

        Args:
            config: The dictionary; ``lr`` is read as ``learning_rate``.
            custom_objects: Classes of schedules by name, where they cannot be found otherwise.

        Raises:
            InvalidConfig: Something in it cannot be rebuilt.
        """
        return cls(**constructor_config(cls, config, custom_objects))

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"optimizer", "optreg", "config"}``, from which ``optreg.get_optimizer`` rebuilds the optimizer."""
        cls = type(self)
        name = default_registry().qualified_name_of(cls) or f"{cls.__module__}:{cls.__qualname__}"
        return {"optimizer": name, "optreg": version("optreg"), "config": self.get_config()}


def check_options(cls: type, options: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that neither the class nor the contract knows.

    Raises:
        UnknownHyperparameter: Naming the first unknown one, the allowed ones and the nearest.
    """
    for name in options:
        if name not in BASE_OPTIONS:
            raise unknown_argument(cls.__name__, name, accepted_by(cls).names, word="hyperparameter")


def constructor_arguments(cls: type) -> tuple[str, ...]:
    """Return the names of the arguments of a class's own constructor, without ``self``, ``*args`` and ``**kwargs``."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return tuple(p.name for p in parameters if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD})


def complete(get_config: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Wrap the ``get_config`` of a class so that the outermost one is checked for completeness.

    An incomplete configuration rebuilds another optimizer than the one saved, so it is an error to ask for one.
    """

    @functools.wraps(get_config)
    def checked(self: Any) -> dict[str, Any]:
        config = get_config(self)
        if type(self).get_config is checked:
            _require_complete(type(self), config)
        return config

    return checked


def _require_complete(cls: type, config: Any) -> None:
    if not isinstance(config, Mapping):
        raise InvalidConfig(
            f"{cls.__name__}.get_config() returned {describe_value(config)}: override it to return the dictionary of "
            "super().get_config() with the constructor's own arguments"
        )
    steps = {"gradient_aggregator", "gradient_transformers", *BASE_OPTIONS}
    given = set(config) | ({"lr"} if "learning_rate" in config else set())
    left_out = [name for name in constructor_arguments(cls) if name not in given and name not in steps]
    if left_out:
        raise InvalidConfig(
            f"{cls.__name__}.get_config() leaves out the constructor's {listing(left_out)}: an optimizer rebuilt "
            "from it would differ. Override get_config and add them to the dictionary of super().get_config()"
        )


def require_dictionary(owner: str, config: Any) -> None:
    """Refuse what is no configuration at all.

    Raises:
        InvalidConfig: No dictionary.
    """
    if not isinstance(config, Mapping):
        raise InvalidConfig(
            f"{owner}: from_config() takes the dictionary that get_config() returns, received {describe_value(config)}"
        )


def constructor_config(
    cls: type, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return keyword arguments for the constructor from a configuration, which is not modified.

    Raises:
        InvalidConfig: No dictionary; a function that was not saved; or a schedule whose class is not found.
    """
    require_dictionary(cls.__name__, config)
    check_saved_steps(cls.__name__, config)
    arguments = dict(config)
    if "lr" in arguments and "lr" not in constructor_arguments(cls):
        arguments["learning_rate"] = arguments.pop("lr")
    for name, value in arguments.items():
        if isinstance(value, Mapping) and {"class_name", "config"} <= set(value):
            arguments[name] = deserialize_schedule(value, custom_objects)
    return arguments
