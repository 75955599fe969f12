"""Warning of old names, once for each, at the line that uses them."""

from __future__ import annotations

import sys
import warnings

from optreg.discovery.entries import Entry
from optreg.errors import DeprecatedName

_OURS = ("optreg", "optreg_cli")


class OldNameWarnings:
    """Knows which old names one registry has warned of."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def warn_of(self, entry: Entry) -> None:
        """Warn that an entry is deprecated, unless it has been told before."""
        if entry.qualified_name in self._told:
            return
        self._told.add(entry.qualified_name)
        means = f" and means {entry.replacement.qualified_name!r}" if entry.replacement else ""
        text = f"{entry.name!r} is {entry.reason} of {entry.origin}{means}. Next step: {entry.next_step}."
        warnings.warn(text, DeprecatedName, stacklevel=_depth_of_caller())


def _depth_of_caller() -> int:
    """Return the ``stacklevel``, seen from the caller, of the first frame outside of optreg."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, depth = frame.f_back, depth + 1
    return depth
