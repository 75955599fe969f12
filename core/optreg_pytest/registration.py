"""Names that classes have in the registry in use until a test ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from optreg.discovery.entries import OPTIMIZER, SESSION, Entry, fold
from optreg.errors import UnknownOptimizer
from optreg.registry import Registry, default_registry

Registered = TypeVar("Registered")


class _Given(NamedTuple):
    registry: Registry
    name: str
    kind: str
    before: Entry | None


class TemporaryNames:
    """Registers as ``optreg.register`` does, and takes it back."""

    def __init__(self) -> None:
        self._given: list[_Given] = []

    def __call__(self, name: str, cls: Registered, *, kind: str = OPTIMIZER, replace: bool = False) -> Registered:
        """Give a class, factory or hook object a name, and return it.

        Args:
            name: Registered name.
            cls: The class; for other kinds, what an entry point of theirs may lead to.
            kind: ``"optimizer"``, ``"transformer"``, ``"aggregator"`` or ``"plugin"``.
            replace: Take the name even if it belongs to something else, which has it back afterwards.

        Raises:
            NameTaken, InvalidName, NotAnOptimizer: As for ``optreg.register``.
        """
        registry = default_registry()
        before = registry.index.of(kind, SESSION, fold(name)) if isinstance(name, str) else None
        registered: Any = cls
        registry.register(name, registered, kind=kind, replace=replace)
        self._given.append(_Given(registry, name, kind, before))
        return cls

    def take_back(self) -> None:
        """Leave the registry as it was; what the test has taken back itself is passed over."""
        while self._given:
            given = self._given.pop()
            with suppress(UnknownOptimizer):
                given.registry.unregister(given.name, kind=given.kind)
            if given.before is not None:
                live: Callable[..., Any] = given.before.live
                given.registry.register(given.name, live, kind=given.kind, replace=True)
