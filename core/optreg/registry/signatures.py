"""Checking argument names against a constructor before it is called, so that a misspelt one gets a suggestion."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optreg.errors import HyperparameterTypeError, UnknownHyperparameter, suggestion
from optreg.registry.keras_configs import REMEDY
from optreg.registry.loading import is_optimizer

CONTRACT_OPTIONS = (
    "name",
    "clipvalue",
    "clipnorm",
    "global_clipnorm",
    "lr",
    "decay",
    "gradient_aggregator",
    "gradient_transformers",
    "plugins",
)
"""Options that every optimizer takes whose constructor passes ``**kwargs`` on to the contract."""


@dataclass(frozen=True)
class Accepted:
    """Argument names that a class or function takes; ``anything`` where only calling it can tell."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    anything: bool = False


def accepted_by(target: Callable[..., Any]) -> Accepted:
    """Return what a constructor accepts, following ``**kwargs`` up the base classes. Found out once for each class."""
    if not isinstance(target, type):
        return _signature(target)
    return _accepted_by_class(target, target.__init__)  # type: ignore[misc]  # a replaced constructor is another one


@functools.lru_cache(maxsize=512)
def _accepted_by_class(target: type, _constructor: Callable[..., None]) -> Accepted:
    constructors = [vars(base)["__init__"] for base in target.__mro__ if "__init__" in vars(base)]
    names: list[str] = []
    first = _signature(constructors[0], bound=True)
    for constructor in constructors:
        signature = _signature(constructor, bound=True)
        names += signature.names
        if not signature.anything:
            return Accepted(tuple(dict.fromkeys(names)), first.required)
        if is_optimizer(target) and constructor.__module__.startswith("optreg.optimizer"):
            break
    return Accepted(tuple(dict.fromkeys((*names, *CONTRACT_OPTIONS))), first.required, not is_optimizer(target))


def check_arguments(target: Callable[..., Any], arguments: Mapping[str, Any], *, word: str = "hyperparameter") -> None:
    """Compare argument names with the signature.

    Raises:
        UnknownHyperparameter: A name is not accepted; the message suggests the nearest and lists all.
        HyperparameterTypeError: An argument without default is missing.
    """
    check_names(target, arguments, word=word)
    missing = [name for name in accepted_by(target).required if name not in arguments]
    if missing:
        raise HyperparameterTypeError(f"{_label(target)}: {word} {missing[0]!r} is required and was not given")


def check_names(target: Callable[..., Any], arguments: Iterable[str], *, word: str = "hyperparameter") -> None:
    """Compare argument names with the signature, where further arguments may have been given by position.

    Raises:
        UnknownHyperparameter: A name is not accepted; the message suggests the nearest and lists all.
    """
    accepted = accepted_by(target)
    unknown = [name for name in arguments if name not in accepted.names]
    if unknown and not accepted.anything:
        raise unknown_argument(_label(target), unknown[0], accepted.names, word=word)


def _label(target: Callable[..., Any]) -> str:
    return str(getattr(target, "__name__", None) or repr(target))


def unknown_argument(label: str, name: str, allowed: Iterable[str], *, word: str) -> UnknownHyperparameter:
    """Return the error for one unknown argument."""
    names = list(allowed)
    known = ", ".join(names) or "none"
    hint = f" Instead of this option of Keras 3, {REMEDY[name]}." if name in REMEDY else suggestion(name, names)
    return UnknownHyperparameter(f"{label}: unknown {word} {name!r}.{hint} Allowed: {known}")


def _signature(target: Callable[..., Any], *, bound: bool = False) -> Accepted:
    """Return what a function accepts; ``bound``: after its first argument, the instance, whatever its name."""
    parameters = list(inspect.signature(target).parameters.values())[bound:]
    named = [item for item in parameters if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)]
    required = tuple(item.name for item in named if item.default is item.empty)
    catches_all = any(item.kind is item.VAR_KEYWORD for item in parameters)
    return Accepted(tuple(item.name for item in named), required, catches_all)
