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
    """Where a module stands: its path, or the reason why there is none.

    ``compiled`` is true for a module that exists and has no source text to read, such as an extension module.
    """

    path: Path | None = None
    compiled: bool = False
    problem: str = ""


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


def locate(module: str, find: Callable[[str], TopLevel] = find_top_level) -> SourceFile:
    """Return the source file of a dotted module name. Imports nothing.

    Args:
        module: Such as ``package.module``.
        find: Finds the first word of it; whoever locates many modules of few packages may remember what it found.
    """
    name, *inner = module.split(".")
    top = find(name)
    if top.problem:
        return SourceFile(problem=top.problem)
    if not inner and top.origin:
        return _existing(top.origin, module)
    return _inside(top.places, inner, module)


def _existing(origin: str, module: str) -> SourceFile:
    if os.path.isfile(origin):
        return SourceFile(Path(origin), compiled=not origin.endswith(".py"))
    return SourceFile(compiled=True, problem=f"module {module!r} has no file ({origin})")


def _inside(places: tuple[str, ...], inner: list[str], module: str) -> SourceFile:
    """Join the path parts as the import system would: a package wins over a module of the same name."""
    for place in places:
        stem = os.sep.join((place, *inner))
        for candidate in (f"{stem}{os.sep}__init__.py", f"{stem}.py"):
            if os.path.isfile(candidate):
                return SourceFile(Path(candidate))
        for suffix in (*importlib.machinery.EXTENSION_SUFFIXES, ".pyc"):
            if os.path.isfile(stem + suffix):
                return SourceFile(Path(stem + suffix), compiled=True)
    return SourceFile(problem=f"there is no module {module!r} in the installed package")
