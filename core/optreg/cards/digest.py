"""What a listing needs of a card, for many entries at once.

A digest holds nothing but texts, numbers and tuples of them, so that it can be kept on disk (see ``digest_store``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from optreg.cards.source_files import SourceFile

MOST_REEXPORTS = 5  # `from .inner import X` steps followed; a longer chain is a cycle

WHOLE_FILE = "*"
"""Stands among the names of a file for what holds for every other name in it."""

MODULE = ""
"""Stands among the names of a file for the module itself."""


NO_CARD = "not written out in its module: no card to read"
"""The note on a name that a module binds in another way than by ``class`` or ``def``."""


class Digest(NamedTuple):
    """The part of a card that decides an entry's state and its line in a listing.

    Args:
        summary: First sentence of the docstring.
        aliases: As the card has them.
        capabilities: Words of ``Card.capabilities``, sorted.
        declared: Whether the class has a card.
        api: Plugin API version it was written for; 0 and ``declared`` false where nothing is said.
        tensorflow: Range of TensorFlow versions it works with.
        requires: Requirements of this one optimizer, as pip writes them.
        deprecated: Old names, each as (name, since, removal, replacement).
        hooks: Names of the functions marked ``hookimpl``.
        problem: Why it cannot work.
        next_step: What to do about the problem.
        note: Why nothing could be read although it may work.
        onward: ``module:name`` where the definition stands in another file.
    """

    summary: str = ""
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    declared: bool = False
    api: int = 0
    tensorflow: str = ""
    requires: tuple[str, ...] = ()
    deprecated: tuple[tuple[str, str, str, str], ...] = ()
    hooks: tuple[str, ...] = ()
    problem: str = ""
    next_step: str = ""
    note: str = ""
    onward: str = ""

    @classmethod
    def thawed(cls, fields: Sequence[Any]) -> Digest:
        """Return the digest with these fields, of whose tuples JSON has made lists. Written out, for it is quick."""
        summary, aliases, capabilities, declared, api, tensorflow, requires, deprecated, hooks, *texts = fields
        names = (tuple(aliases), tuple(capabilities), declared, api, tensorflow, tuple(requires))
        return cls(summary, *names, tuple(map(tuple, deprecated)), tuple(hooks), *texts)


class Library(Protocol):
    """Knows where modules stand and what their source files say; ``DigestStore`` is one."""

    def locate(self, module: str) -> SourceFile:
        """Return the source file of a module."""

    def look_up(self, file: str, module: str, name: str) -> Digest | None:
        """Return the digest of what a source file binds to a name, or None where it does not bind it."""


def digest_of(target: str, distribution: str, library: Library) -> Digest:
    """Return the digest of ``module:Class``, or of ``module``. Never raises, never imports.

    Args:
        target: Of the entry point.
        distribution: Whom to turn to when something is wrong.
        library: Where to look.
    """
    for _ in range(MOST_REEXPORTS):
        module, _, name = target.partition(":")
        found = library.locate(module)
        if found.compiled:
            return Digest(note="compiled module: no source text to read the card from")
        if not found.file:
            return Digest(problem=found.problem, next_step=f"pip install --force-reinstall {distribution}")
        digest = _named(library, found.file, module, name)
        if digest.problem:
            return digest._replace(next_step=f"report it to the authors of {distribution}")
        if not digest.onward:
            return digest
        target = digest.onward
    return Digest(note="re-exported through too many modules: no card to read")


def _named(library: Library, file: str, module: str, name: str) -> Digest:
    outer, dot, _ = name.partition(".")
    found = library.look_up(file, module, outer)
    if found and dot:
        return Digest(note=NO_CARD)
    whole = found or library.look_up(file, module, WHOLE_FILE)
    return whole or Digest(problem=f"module {module!r} defines no {name!r}")
