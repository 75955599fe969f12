"""Which ways of each foreign library are measured."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One way in which a library makes its steps; ``execution`` is the one of ours that it is compared with."""

    library: str
    name: str
    execution: str

    @property
    def implementation(self) -> str:
        """As it stands in tables."""
        return f"{self.library} {self.name}" if self.name else self.library


@dataclass(frozen=True)
class Foreign:
    """One variant of one optimizer: everything that its process has to know but the shapes."""

    variant: Variant
    class_name: str
    hyperparameters: Mapping[str, Any]


FOREIGN: Mapping[str, Sequence[Variant]] = {
    "torch": (Variant("torch", "", "eager"), Variant("torch", "fused", "eager"), Variant("torch", "compiled", "xla")),
    "optax": (Variant("optax", "", "xla"),),
}
"""Without a name: torch's own default (its foreach kernels where it has them), and optax under ``jax.jit``."""


def is_installed(library: str) -> bool:
    """Tell whether the library can be found; it is not imported here."""
    return importlib.util.find_spec(library) is not None
