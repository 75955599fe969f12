"""What is registered in this process, as in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from optreg.discovery.entries import SESSION, Entry, fold
from optreg.discovery.index import NAME, Index
from optreg.errors import InvalidName, NameTaken, NotAnOptimizer, UnknownOptimizer, listing, suggestion
from optreg.registry.loading import misfit, target_of


class Session:
    """The entries of one process, by kind and name. Whoever holds it holds the lock."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is registered now."""
        return tuple(self._entries.values())

    def add(self, entry: Entry) -> None:
        """Put an entry in, in place of one of the same name."""
        self._entries[entry.kind, entry.name] = entry

    def remove(self, name: str, kind: str) -> None:
        """Take an entry out.

        Raises:
            UnknownOptimizer: There is none of that name.
        """
        if self._entries.pop((kind, fold(name)), None) is None:
            mine = [entry.name for entry in self._entries.values() if entry.kind == kind]
            hint = suggestion(fold(name), mine)
            raise UnknownOptimizer(f"{name!r} is not registered in this session.{hint} Registered: {listing(mine)}")

    def forget_unfinished(self, target: str) -> None:
        """Take out what the package of a target registered from modules that are gone, because its import failed."""
        package = target.partition(":")[0].partition(".")[0]
        for key, entry in list(self._entries.items()):
            module = entry.target.partition(":")[0]
            if module.partition(".")[0] == package and module not in sys.modules:
                del self._entries[key]


def session_entry(name: str, cls: Callable[..., Any], kind: str) -> Entry:
    """Return the entry for a class that shall be registered.

    Raises:
        InvalidName: The name is not of the form ``[a-z][a-z0-9_]*`` after folding.
        NotAnOptimizer: The class cannot be registered as that kind.
    """
    folded = fold(name) if isinstance(name, str) else ""
    if not NAME.fullmatch(folded):
        raise InvalidName(f"A registered name has the form [a-z][a-z0-9_]*, received {name!r}")
    problem = misfit(cls, kind)
    if problem:
        raise NotAnOptimizer(f"{getattr(cls, '__qualname__', repr(cls))} {problem}")
    return Entry(folded, kind, SESSION, "", target_of(cls), live=cls)


def refuse_taken(index: Index, entry: Entry) -> None:
    """Compare the name of a new entry with what is there.

    Raises:
        NameTaken: Something else has the name.
    """
    for other in (*index.named(entry.kind, entry.name), *index.aliased(entry.kind, entry.name)):
        again = other.distribution == SESSION and other.target == entry.target
        if other.verdict.usable and not again:
            raise NameTaken(
                f"The name {entry.name!r} belongs to {other.qualified_name} ({other.target}). "
                f"Choose another name, or pass replace=True"
            )
