"""Which classes belong to the family: the optimizers of one package that optreg itself ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optreg.discovery.entries import Entry, fold
from optreg.errors import NotAnOptimizer, OptregError, UnknownOptimizer, listing, suggestion
from optreg.registry import Registry, default_registry
from optreg.registry.loading import not_an_optimizer

PACKAGE = "optreg_classic"
"""The package of optimizers that Keras 2.9 has; its entry points say which and how they are called."""


class Family:
    """Leads from names to the classes of the family, and to no others.

    Args:
        registry: Where the classes are found.
        custom_objects: Classes of the user's own by class name, which win over the family.
    """

    def __init__(self, registry: Registry, custom_objects: Mapping[str, Any] | None = None) -> None:
        self._registry = registry
        self._custom = {name.rpartition(">")[2]: found for name, found in (custom_objects or {}).items()}

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, sorted; nothing is imported for it."""
        return sorted(_class_name(entry) for entry in self._entries)

    def get_class(self, name: str, kind: str = "optimizer") -> Callable[..., Any]:
        """Return the class for its own name or its registered one, in any case.

        Raises:
            UnknownOptimizer: The family has no such class.
            NotAnOptimizer: ``custom_objects`` holds something else under the name.
        """
        if name in self._custom:
            return _checked(name, self._custom[name])
        wanted = fold(name)
        for entry in self._entries:
            if entry.kind == kind and wanted in {_class_name(entry).lower(), entry.name, entry.qualified_name}:
                return self._registry.load(entry)
        raise UnknownOptimizer(f"{self._unknown(name)}{self._elsewhere(name)}")

    get_class_of_keras = get_class

    @property
    def _entries(self) -> list[Entry]:
        inside = f"{PACKAGE}."
        return [entry for entry in self._registry.index.entries if entry.built_in and entry.target.startswith(inside)]

    def _unknown(self, name: str) -> str:
        near = suggestion(name, [*self.class_names, *self._custom])
        return f"optreg.legacy has no optimizer {name!r}.{near} It has: {listing(self.class_names)}."

    def _elsewhere(self, name: str) -> str:
        try:
            found = self._registry.optimizer_info(name)
        except OptregError:
            return f" A class of your own is found with custom_objects={{{name!r}: the class}}."
        return f" optreg.get_optimizer({name!r}) builds the one of {found.origin or found.distribution}."


def present_family(custom_objects: Mapping[str, Any] | None = None) -> Family:
    """Return the family as the registry of this process has it, with classes of the user's own."""
    return Family(default_registry(), custom_objects)


def _class_name(entry: Entry) -> str:
    return entry.target.rpartition(":")[2]


def _checked(name: str, found: Any) -> Callable[..., Any]:
    problem = not_an_optimizer(found)
    if problem:
        raise NotAnOptimizer(f"custom_objects[{name!r}] {problem}")
    cls: Callable[..., Any] = found
    return cls
