"""Broken optimizers, one module for each group of checks. ``caught_by`` names the check that must catch each."""

from __future__ import annotations

import importlib
from typing import Any

from optreg.conformance import groups


def all_mutants() -> list[Any]:
    """Return every mutant, in the order of the groups."""
    modules = [importlib.import_module(f"{__name__}.{group}") for group in groups()]
    found = [item for module in modules for item in vars(module).values()]
    return list(dict.fromkeys(item for item in found if "caught_by" in getattr(item, "__dict__", {})))
