"""Importing what entries lead to: each once, after its gates, with a warning where the name is an old one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from optreg.discovery.entries import Entry, State, Verdict
from optreg.registry import lookup
from optreg.registry.loading import LoadFailure, imported, load_target
from optreg.registry.old_name_warnings import OldNameWarnings

Mark = Callable[[Entry, Verdict], Entry]
"""Records what is wrong with an entry, and returns it so marked."""


class Loader:
    """What one registry has imported. No lock is held while a plugin is imported.

    Args:
        mark: Called with an entry that failed to load.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._lock = threading.Lock()
        self._loaded: dict[str, Callable[..., Any]] = {}
        self._warnings = OldNameWarnings()

    def load(self, entry: Entry) -> Callable[..., Any]:
        """Return the class or object of an entry, imported if need be.

        Raises:
            UnusableOptimizer: It may not be imported, or its import failed; its own error is the ``__cause__``.
        """
        if entry.replacement is not None:
            if not entry.usable:
                raise lookup.unusable(entry)
            self._warnings.warn_of(entry)
            return self.load(entry.replacement)
        if entry.live is not None:
            live: Callable[..., Any] = entry.live
            return live
        with self._lock:
            loaded = self._loaded.get(entry.target)
        return loaded if loaded is not None and entry.verdict.usable else self._import(entry)

    def forget(self, target: str) -> None:
        """Take back that something was loaded, because it has turned out to be broken."""
        with self._lock:
            self._loaded.pop(target, None)

    def forget_gone(self) -> None:
        """Take back what is no longer what its target names, because its module was removed or loaded anew."""
        with self._lock:
            self._loaded = {target: loaded for target, loaded in self._loaded.items() if imported(target) is loaded}

    def _import(self, entry: Entry) -> Callable[..., Any]:
        if not entry.usable:
            raise lookup.unusable(entry)
        if entry.state is State.DEPRECATED:
            self._warnings.warn_of(entry)
        try:
            loaded = load_target(entry.target, entry.kind)
        except LoadFailure as failure:
            marked = entry.marked(failure.verdict) if failure.passing else self._mark(entry, failure.verdict)
            raise lookup.unusable(marked) from failure.__cause__
        with self._lock:
            return self._loaded.setdefault(entry.target, loaded)
