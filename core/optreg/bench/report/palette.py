"""Which colour and line an optimizer has, the same in all drawings of one exhibit."""

from __future__ import annotations

from collections.abc import Iterable

from optreg.bench.report.text import unique


class Palette:
    """Colours by optimizer; where it was tuned as well, what it does by default is dashed."""

    def __init__(self, keys: Iterable[tuple[str, str, str]]) -> None:
        self._keys = list(keys)
        self._owners = unique([key[:2] for key in self._keys])

    def place(self, key: tuple[str, str, str]) -> int:
        """Return the number of the colour and shape."""
        return self._owners.index(key[:2])

    def dash(self, key: tuple[str, str, str]) -> str:
        """Return the line style."""
        return "--" if key[2] == "default" and (*key[:2], "tuned") in self._keys else "-"
