"""Durations as people write them: ``120``, ``120s``, ``2m``, ``1h``."""

from __future__ import annotations

import re

import typer

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_seconds(text: str | float) -> float:
    """Return the seconds that a duration stands for, at least one.

    Raises:
        typer.BadParameter: It is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|)\s*", str(text))
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds < 1:
        raise typer.BadParameter(f"a time is at least one second, such as 120, 120s, 2m or 1h; received {text!r}")
    return seconds
