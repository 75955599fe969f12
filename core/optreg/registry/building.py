"""From whatever a user calls an optimizer to an instance."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from optreg.errors import HyperparameterTypeError, InvalidConfig, InvalidName, NotAnOptimizer, OptregError, listing
from optreg.registry.configs import WRAPPERS, Description, describe
from optreg.registry.keras_configs import without_unused_options
from optreg.registry.loading import is_optimizer, library_of, not_an_optimizer, target_of
from optreg.registry.signatures import accepted_by, check_arguments

if TYPE_CHECKING:
    from optreg.optimizer.contract import Optimizer


_MISCALLED = re.compile(r"\(\) (missing|got|takes) ")  # as Python words it


class ClassFinder(Protocol):
    """Leads from names to classes; the registry is one."""

    def get_class(self, name: str, kind: str = "optimizer") -> Callable[..., Any]:
        """Return the class for a name or ``module:Class``."""

    def get_class_of_keras(self, class_name: str) -> Callable[..., Any]:
        """Return the class for a class name as Keras writes it."""


def build_optimizer(
    finder: ClassFinder,
    optimizer: Any,
    hyperparameters: Mapping[str, Any],
    custom_objects: Mapping[str, Any] | None = None,
) -> Optimizer:
    """Return an instance for a name, ``module:Class``, configuration, class or instance.

    ``custom_objects`` goes to the ``from_config`` of classes that take it.

    Raises:
        NotAnOptimizer: It is none of these.
        UnknownHyperparameter: The class has no such hyperparameter.
        InvalidConfig: The configuration cannot be read, or an instance came with hyperparameters.
    """
    if isinstance(optimizer, str):
        return _construct(finder.get_class(optimizer), hyperparameters)
    if isinstance(optimizer, Mapping):
        return _from_config(finder, describe(optimizer), hyperparameters, custom_objects)
    if isinstance(optimizer, type):
        return _construct(_checked_class(optimizer), hyperparameters)
    if not is_optimizer(type(optimizer)):
        if not is_optimizer(type(getattr(optimizer, "wrapped", None))):
            raise _not_an_optimizer(optimizer)
        optimizer = optimizer.wrapped  # what optreg.keras.wrap() made of one of ours
    if hyperparameters:
        raise InvalidConfig(
            f"{type(optimizer).__name__} is built already and cannot take {listing(hyperparameters)}. "
            f"Assign them (optimizer.{next(iter(hyperparameters))} = ...), or pass the name or the class"
        )
    return cast("Optimizer", optimizer)


def name_and_arguments(kind: str, spec: Any) -> tuple[str, Mapping[str, Any]]:
    """Read what a user writes for a transformer or an aggregator: a name, or (name, arguments).

    Raises:
        InvalidName: The specification is neither.
    """
    match spec:
        case str():
            return spec, {}
        case (str(name), Mapping() as arguments):
            return name, arguments
    raise InvalidName(f"A {kind} is given by its name or by (name, arguments), received {spec!r}")


def _construct(cls: Callable[..., Any], hyperparameters: Mapping[str, Any]) -> Optimizer:
    check_arguments(cls, hyperparameters)
    try:
        return cast("Optimizer", cls(**hyperparameters))
    except TypeError as error:
        if isinstance(error, OptregError) or not _MISCALLED.search(str(error)):
            raise
        # The names of the arguments were right, so a call inside the constructor is wrong.
        whose = f"the constructor of {target_of(cls)} calls another wrongly ({error})"
        raise HyperparameterTypeError(f"{cls.__name__}: {whose}. Next step: report it to its authors") from error


def _from_config(
    finder: ClassFinder,
    description: Description,
    hyperparameters: Mapping[str, Any],
    custom_objects: Mapping[str, Any] | None,
) -> Optimizer:
    """Build from a configuration; hyperparameters given beside it win."""
    name = description.identifier
    find = finder.get_class_of_keras if description.by_class else finder.get_class
    cls: Any = find(name)
    accepted = accepted_by(cls)
    config = without_unused_options(description.config, accepted.names, label=cls.__name__)
    config |= hyperparameters
    check_arguments(cls, config)
    takes_objects = custom_objects and "custom_objects" in inspect.signature(cls.from_config).parameters
    return cast("Optimizer", cls.from_config(config, **({"custom_objects": custom_objects} if takes_objects else {})))


def _checked_class(cls: type) -> type:
    problem = not_an_optimizer(cls)
    if problem:
        raise NotAnOptimizer(f"The class {cls.__qualname__} {problem}.{_way_out(cls)}")
    return cls


def _not_an_optimizer(given: object) -> NotAnOptimizer:
    forms = "a name such as 'adam', 'module:Class', a configuration, or a class or instance of optreg.Optimizer"
    library = library_of(type(given))
    if library:
        kind = f"an object of {library} ({type(given).__qualname__})"
        return NotAnOptimizer(f"Received {kind}, which is not an optimizer of optreg.{_way_out(type(given))}")
    return NotAnOptimizer(f"An optimizer is given by {forms}; received {given!r}")


def _way_out(cls: type) -> str:
    if cls.__name__ in WRAPPERS:
        return f" Write optreg.{cls.__name__}(optimizer) around an optimizer of optreg instead"
    if library_of(cls):
        return f' Write optreg.get_optimizer("{cls.__name__.lower()}", ...) instead'
    return " Make it derive from optreg.Optimizer"
