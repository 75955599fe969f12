"""What a listing needs of a card, for many entries at once.

A digest holds nothing but texts, numbers and tuples of them, so that it can be kept on disk (see ``digest_store``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from optreg.cards.source_files import SourceFile, locate

MOST_REEXPORTS = 5  # `from .inner import X` steps followed; a longer chain is a cycle

WHOLE_FILE = "*"
"""Stands among the names of a file for what holds for every other name in it."""

MODULE = ""
"""Stands among the names of a file for the module itself."""


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


Names = Mapping[str, Digest]
"""Every name that a file defines, to its digest."""


def digest_of(
    target: str,
    distribution: str,
    names_in: Callable[[SourceFile, str], Names],
    find: Callable[[str], SourceFile] = locate,
) -> Digest:
    """Return the digest of ``module:Class``, or of ``module``. Never raises, never imports.

    Args:
        target: Of the entry point.
        distribution: Whom to turn to when something is wrong.
        names_in: Digests a source file, given with the name of its module.
        find: Finds the source file of a module.
    """
    for _ in range(MOST_REEXPORTS):
        module, _, name = target.partition(":")
        found = find(module)
        if found.compiled:
            return Digest(note="compiled module: no source text to read the card from")
        if found.path is None:
            return Digest(problem=found.problem, next_step=f"pip install --force-reinstall {distribution}")
        digest = _named(names_in(found, module), module, name)
        if digest.problem:
            return digest._replace(next_step=f"report it to the authors of {distribution}")
        if not digest.onward:
            return digest
        target = digest.onward
    return Digest(note="re-exported through too many modules: no card to read")


def _named(names: Names, module: str, name: str) -> Digest:
    outer, dot, _ = name.partition(".")
    if dot and outer in names:
        return Digest(note="not written out in its module: no card to read")
    return names.get(name) or names.get(WHOLE_FILE) or Digest(problem=f"module {module!r} defines no {name!r}")
