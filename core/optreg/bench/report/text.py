"""Text of a results file on its way into a page: names, summaries and errors of plugins are not trusted."""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections.abc import Sequence
from typing import Any

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST = 400


def clean(value: object) -> str:
    """Return the text on one line, without control characters, which HTML and SVG may not hold, and not too long."""
    kept = "".join(" " if unicodedata.category(char) in _UNSAFE else char for char in str(value))
    line = " ".join(kept.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def number(value: Any, digits: int = 3) -> str:
    """Return a number with that many significant digits, without an exponent where it reads well; a dash for None."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:  # noqa: PLR2004 - where decimals read better than exponents
        decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0) if value else 0
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits - 1}e}"


def seconds(value: Any, digits: int = 3) -> str:
    """Return a time with the unit that suits it."""
    if not isinstance(value, int | float):
        return "–"
    scale, unit = next(((s, u) for s, u in ((1, "s"), (1e3, "ms"), (1e6, "µs")) if value * s >= 1), (1e9, "ns"))
    return f"{number(value * scale, digits)} {unit}"


def interval(low: Any, high: Any, digits: int = 3) -> str:
    """Return an interval, or a dash where there is none."""
    return "–" if low is None or high is None else f"{number(low, digits)} … {number(high, digits)}"


def command(*words: str) -> str:
    """Return a command line that a shell reads as these words."""
    return shlex.join(["optreg", *(clean(word) for word in words)])


def series_name(optimizer: str, implementation: str = "optreg", setting: str = "default") -> str:
    """Return what a curve is called: the optimizer, whose it is unless ours, and whether it was tuned."""
    parts = [clean(optimizer), "" if implementation == "optreg" else f"({clean(implementation)})"]
    return " ".join([*filter(None, parts), *(["tuned"] if setting == "tuned" else [])])


def unique(values: Sequence[Any]) -> list[Any]:
    """Return the values in their order, each once."""
    return list(dict.fromkeys(values))
