"""Optimizers of optreg in Keras models: Keras 3 and ``tf_keras`` (Keras 2) through one function.

::

    model.compile(optimizer=optreg.keras.wrap("adam", learning_rate=3e-4), loss="mse")
    model.compile(optimizer="optreg>adam", loss="mse")  # the same with default hyperparameters

Importing this package imports no Keras. ``wrap`` imports the one it is asked for, and never the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optreg.keras.wrapping import wrap

__all__ = ["wrap"]


def __getattr__(name: str) -> Any:
    """Load ``wrap`` when it is first used; its module brings TensorFlow."""
    import importlib  # noqa: PLC0415 - nothing but lazy names needs it

    from optreg.errors import suggestion  # noqa: PLC0415 - only the error needs it

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{suggestion(name, __all__)}")
    value = getattr(importlib.import_module(f"{__name__}.wrapping"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
