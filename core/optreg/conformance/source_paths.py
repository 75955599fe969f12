"""``path/to/file.py:Class``: an optimizer that is validated where it stands, without being installed."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from optreg.errors import InvalidName, UnusableOptimizer
from optreg.registry.loading import not_an_optimizer

_FORM = "a path has the form path/to/file.py:Class, such as ./my_optimizer.py:MyOptimizer"


class SourcePath(NamedTuple):
    """A class in a file: the folder to import from, the dotted module below it, and the class."""

    root: Path
    module: str
    attribute: str
    file: Path

    @classmethod
    def parse(cls, text: str) -> SourcePath | None:
        """Read ``file.py:Class``; None for what is no path. Siblings and the file's own packages can be imported.

        Raises:
            InvalidName: It looks like a path, and there is no such file or no class is named.
        """
        place, colon, attribute = text.rpartition(":")
        place = place if colon else text
        has_folder = "/" in place or os.sep in place
        if not (place.endswith(".py") or (has_folder and colon)):
            return None  # a name; a qualified one holds a slash, but no colon
        file = Path(place).resolve()
        if not file.is_file() or file.suffix != ".py":
            raise InvalidName(f"There is no Python file {place!r}; {_FORM}")
        if not colon or not attribute.isidentifier():
            raise InvalidName(f"{text!r} names no class; {_FORM}")
        return cls(*_module_of(file), attribute, file)


@contextlib.contextmanager
def loadable(optimizer: str) -> Iterator[Any]:
    """Yield what ``validate`` takes for a name or path; of a path nothing is left in ``sys.path`` and ``sys.modules``.

    Raises:
        InvalidName, UnusableOptimizer: As for ``SourcePath.parse`` and ``load_class``.
    """
    path = SourcePath.parse(optimizer)
    if path is None:
        yield optimizer
        return
    before = set(sys.modules)
    sys.path.insert(0, str(path.root))
    importlib.invalidate_caches()
    try:
        yield load_class(path)
    finally:
        sys.path.remove(str(path.root))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and path.root in Path(file).resolve().parents:
                del sys.modules[name]


def load_class(path: SourcePath) -> type:
    """Import the class; its folder must be on ``sys.path`` already.

    Raises:
        UnusableOptimizer: The import fails, another module has the name, or it is no optimizer class.
    """
    shown = f"{path.file.name}:{path.attribute}"
    try:
        module = importlib.import_module(path.module)
    except (Exception, SystemExit) as error:
        raise UnusableOptimizer(f"{shown} cannot be imported: {type(error).__name__}: {error}") from error
    if Path(str(module.__file__)).resolve() != path.file:
        raise UnusableOptimizer(
            f"{shown} cannot be imported: {path.module!r} is the module {module.__file__} here. Rename the file"
        )
    found: Any = getattr(module, path.attribute, None)
    if found is None:
        raise UnusableOptimizer(f"{path.file.name} defines no {path.attribute!r}")
    problem = not_an_optimizer(found)
    if problem:
        raise UnusableOptimizer(f"{shown} {problem}")
    loaded: type = found
    return loaded


def _module_of(file: Path) -> tuple[Path, str]:
    """Return the folder above the outermost package that the file is in, and the dotted name from there."""
    names = [] if file.name == "__init__.py" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)
