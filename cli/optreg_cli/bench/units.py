"""Numbers with their units, as the tables of the benchmark show them."""

from __future__ import annotations

NOTHING = "-"
"""Stands where there is no number."""


def duration(seconds: float) -> str:
    """Return a duration with three digits and the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
