"""optreg: the home of optimizers for TensorFlow.

Importing it imports neither TensorFlow nor Keras. What needs them (``Optimizer`` and the submodules ``optimizer``,
``conformance`` and ``bench``) is loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optreg import errors
from optreg.errors import (
    AmbiguousOptimizer,
    DeprecatedName,
    HyperparameterTypeError,
    IncompleteOptimizer,
    InvalidConfig,
    InvalidFilter,
    InvalidGradients,
    InvalidHook,
    InvalidHyperparameter,
    InvalidName,
    InvalidProject,
    InvalidState,
    InvalidVariable,
    MissingExtra,
    NameTaken,
    NotAnOptimizer,
    OptregError,
    PolicyViolation,
    UnknownHyperparameter,
    UnknownOptimizer,
    UnknownSlot,
    UnusableOptimizer,
    WrongContext,
)
from optreg.keras.arrival import await_libraries

if TYPE_CHECKING:
    from optreg import bench, conformance, keras, legacy, optimizer
    from optreg.cards import Card, Deprecated, ExpectedFailure, Paper, Slot
    from optreg.hookspecs import hookimpl
    from optreg.optimizer.contract import Optimizer
    from optreg.optimizer.loss_scaling.loss_scale import LossScaleOptimizer
    from optreg.optimizer.rules.update_rule import UpdateRule
    from optreg.optimizer.steps import GradientAggregator, GradientTransformer
    from optreg.registry.default import get_optimizer, list_optimizers, optimizer_info, refresh, register, unregister

    __version__: str

__all__ = [
    "AmbiguousOptimizer",
    "Card",
    "Deprecated",
    "DeprecatedName",
    "ExpectedFailure",
    "GradientAggregator",
    "GradientTransformer",
    "HyperparameterTypeError",
    "IncompleteOptimizer",
    "InvalidConfig",
    "InvalidFilter",
    "InvalidGradients",
    "InvalidHook",
    "InvalidHyperparameter",
    "InvalidName",
    "InvalidProject",
    "InvalidState",
    "InvalidVariable",
    "LossScaleOptimizer",
    "MissingExtra",
    "NameTaken",
    "NotAnOptimizer",
    "Optimizer",
    "OptregError",
    "Paper",
    "PolicyViolation",
    "Slot",
    "UnknownHyperparameter",
    "UnknownOptimizer",
    "UnknownSlot",
    "UnusableOptimizer",
    "UpdateRule",
    "WrongContext",
    "__version__",
    "bench",
    "conformance",
    "errors",
    "get_optimizer",
    "hookimpl",
    "keras",
    "legacy",
    "list_optimizers",
    "optimizer",
    "optimizer_info",
    "refresh",
    "register",
    "unregister",
]

# Imported when first asked for: the first two bring dataclasses and pluggy, the last TensorFlow.
_HOMES = {
    **dict.fromkeys(("Card", "Deprecated", "ExpectedFailure", "Paper", "Slot"), "optreg.cards"),
    "hookimpl": "optreg.hookspecs",
    **dict.fromkeys(
        ("get_optimizer", "list_optimizers", "optimizer_info", "refresh", "register", "unregister"),
        "optreg.registry.default",
    ),
    "Optimizer": "optreg.optimizer.contract",
    "LossScaleOptimizer": "optreg.optimizer.loss_scaling.loss_scale",
    "UpdateRule": "optreg.optimizer.rules.update_rule",
    **dict.fromkeys(("GradientAggregator", "GradientTransformer"), "optreg.optimizer.steps"),
}
_SUBMODULES = ("bench", "conformance", "keras", "legacy", "optimizer")


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    import importlib  # noqa: PLC0415 - nothing but lazy names needs it

    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _SUBMODULES:
        value = importlib.import_module(f"optreg.{name}")
    elif name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        value = version("optreg")
    else:
        raise AttributeError(f"module 'optreg' has no attribute {name!r}.{errors.suggestion(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


await_libraries()
