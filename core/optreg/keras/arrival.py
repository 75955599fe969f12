"""Noticing that a Keras is imported, so that it learns our names without our importing it.

Keras finds classes of other libraries, in saved models and in strings, only in its own table of custom objects. A
program that imports ``optreg`` and then loads a model shall find them there, whichever of the two it imports first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

LIBRARIES = ("keras", "tf_keras")


class Arrivals:
    """Calls a function with each module of a list, as soon as it has been imported.

    On ``sys.meta_path`` it finds nothing itself: it passes on what the other finders find and has the loader report.

    Args:
        names: Names of the modules.
        welcome: Called once with each module when it is complete.
    """

    def __init__(self, names: Sequence[str], welcome: Callable[[Any], None]) -> None:
        self._awaited = set(names)
        self._welcome = welcome

    def watch(self) -> None:
        """Welcome what is imported already, and wait for the rest."""
        for name in sorted(self._awaited & set(sys.modules)):
            if not _is_being_imported(sys.modules[name]):
                self._awaited.discard(name)
                self._welcome(sys.modules[name])
        if self._awaited:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002 - Python's protocol
        """Return what the other finders say of an awaited module, with a loader that reports; else None."""
        if name not in self._awaited:
            return None
        import importlib.util  # noqa: PLC0415 - an import that nobody awaits needs nothing

        self._awaited.discard(name)  # or this finder would ask itself
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._awaited.add(name)
        if spec is not None and spec.loader is not None:
            self._have_reported(name, spec.loader)
        return spec

    def _have_reported(self, name: str, loader: Any) -> None:
        """Make this one loader welcome its module; an import that fails is awaited again."""
        execute = loader.exec_module

        def execute_and_report(module: Any) -> None:
            del loader.exec_module
            execute(module)
            self._awaited.discard(name)
            self._welcome(module)

        loader.exec_module = execute_and_report


def _is_being_imported(module: Any) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def await_libraries() -> None:
    """Offer our names to each Keras that is imported, now or later. Called once, by ``import optreg``."""
    Arrivals(LIBRARIES, _welcome).watch()


def _welcome(library: Any) -> None:
    from optreg.keras.identifiers import offer_names  # noqa: PLC0415 - programs without Keras need none of it

    offer_names(library)
