"""The whole zoo."""

from __future__ import annotations

from . import bad_hooks, bad_imports, bad_metadata, bad_names
from .animal import Animal

ANIMALS: tuple[Animal, ...] = (
    *bad_imports.ANIMALS,
    *bad_names.ANIMALS,
    *bad_metadata.ANIMALS,
    *bad_hooks.ANIMALS,
)
