"""Finding the source file of ``package.module`` without importing the package.

``importlib.util.find_spec("package.module")`` runs ``package/__init__.py``, which may drag TensorFlow in. Only the
top-level name is looked up here; the rest of the way is joined path parts.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class SourceFile(NamedTuple):
    """Where a module stands: its path, or the reason why there is none.

    ``compiled`` is true for a module that exists and has no source text to read, such as an extension module.
    """

    path: Path | None = None
    compiled: bool = False
    problem: str = ""


def locate(module: str) -> SourceFile:
    """Return the source file of a dotted module name. Imports nothing."""
    top, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (Exception, SystemExit) as error:  # foreign import finders may raise anything
        return SourceFile(problem=f"looking for package {top!r} failed: {type(error).__name__}: {error}")
    if spec is None:
        return SourceFile(problem=f"there is no package {top!r}")
    if not inner and spec.origin:
        return _existing(Path(spec.origin), module)
    return _inside([Path(place) for place in spec.submodule_search_locations or ()], inner, module)


def _existing(origin: Path, module: str) -> SourceFile:
    if origin.suffix == ".py" and origin.is_file():
        return SourceFile(origin)
    if origin.is_file():
        return SourceFile(origin, compiled=True)
    return SourceFile(compiled=True, problem=f"module {module!r} has no file ({origin})")


def _inside(places: Iterable[Path], inner: list[str], module: str) -> SourceFile:
    """Join the path parts as the import system would: a package wins over a module of the same name."""
    for place in places:
        stem = place.joinpath(*inner)
        for candidate in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if candidate.is_file():
                return SourceFile(candidate)
        for suffix in (*importlib.machinery.EXTENSION_SUFFIXES, ".pyc"):
            if (compiled := stem.with_name(stem.name + suffix)).is_file():
                return SourceFile(compiled, compiled=True)
    return SourceFile(problem=f"there is no module {module!r} in the installed package")
