"""Finding the source file of ``package.module`` without importing the package.

``importlib.util.find_spec("package.module")`` runs ``package/__init__.py``, which may drag TensorFlow in. Only the
top-level name is looked up here; the rest of the way is joined path parts.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class SourceFile(NamedTuple):
    """Where a module stands, as text, or the reason why it stands nowhere.

    ``compiled`` is true for a module that exists and has no source text to read, such as an extension module.
    """

    file: str = ""
    compiled: bool = False
    problem: str = ""

    @property
    def path(self) -> Path | None:
        """The file, where there is one."""
        return Path(self.file) if self.file else None


class TopLevel(NamedTuple):
    """A package or module of one word: its own file, the folders that its submodules stand in, or a problem."""

    origin: str = ""
    places: tuple[str, ...] = ()
    problem: str = ""


def find_top_level(name: str) -> TopLevel:
    """Ask the import system for a name without dots. Imports nothing."""
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit) as error:  # foreign import finders may raise anything
        return TopLevel(problem=f"looking for package {name!r} failed: {type(error).__name__}: {error}")
    if spec is None:
        return TopLevel(problem=f"there is no package {name!r}")
    return TopLevel(spec.origin or "", tuple(spec.submodule_search_locations or ()))


def names_in_folder(folder: str) -> frozenset[str]:
    """Return the names of what a folder holds; nothing for one that is not there."""
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def locate(
    module: str,
    find: Callable[[str], TopLevel] = find_top_level,
    names_in: Callable[[str], frozenset[str]] = names_in_folder,
) -> SourceFile:
    """Return the source file of a dotted module name. Imports nothing.

    Whoever locates many modules of few packages gives functions that remember what they found.

    Args:
        module: Such as ``package.module``.
        find: Finds the first word of it.
        names_in: Lists a folder.
    """
    name, *inner = module.split(".")
    top = find(name)
    if top.problem:
        return SourceFile(problem=top.problem)
    if not inner and top.origin:
        return _existing(top.origin, module)
    return _inside(top.places, inner, module, names_in)


def _existing(origin: str, module: str) -> SourceFile:
    if os.path.isfile(origin):
        return SourceFile(origin, compiled=not origin.endswith(".py"))
    return SourceFile(compiled=True, problem=f"module {module!r} has no file ({origin})")


def _inside(
    places: tuple[str, ...], inner: list[str], module: str, names_in: Callable[[str], frozenset[str]]
) -> SourceFile:
    """Join the path parts as the import system would: a package wins over a module of the same name."""
    for place in places:
        folder, last = os.sep.join((place, *inner[:-1])), inner[-1] if inner else ""
        names, stem = names_in(folder), f"{folder}{os.sep}{last}".rstrip(os.sep)
        package = f"{stem}{os.sep}__init__.py"
        if (not last or last in names) and os.path.isfile(package):
            return SourceFile(package)
        if f"{last}.py" in names:
            return SourceFile(f"{stem}.py")
        for suffix in (*importlib.machinery.EXTENSION_SUFFIXES, ".pyc"):
            if last + suffix in names:
                return SourceFile(stem + suffix, compiled=True)
    return SourceFile(problem=f"there is no module {module!r} in the installed package")
