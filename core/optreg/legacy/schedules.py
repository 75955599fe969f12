"""The learning rate schedules of the user's Keras: tf_keras where it is loaded, else Keras 3.

optreg has no schedules of its own; its optimizers follow those of either Keras. TensorFlow itself loads Keras 3, so
only tf_keras among the loaded modules tells of a choice. Neither is imported before a name is used.
"""

from __future__ import annotations

from typing import Any

from optreg.errors import suggestion


def __getattr__(name: str) -> Any:
    """Return a schedule class of the Keras that is loaded; looked up anew each time, as another may be loaded later."""
    if name.startswith("__") and name != "__all__":  # asked for by the import system and by tools
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__all__":
        return _names()
    found = getattr(_of_keras(), name, None)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{suggestion(name, _names())}")
    return found


def __dir__() -> list[str]:
    return sorted({*_names(), *(name for name in globals() if name.startswith("__"))})


def _names() -> list[str]:
    return sorted(name for name in dir(_of_keras()) if not name.startswith("_"))


def _of_keras() -> Any:
    import importlib  # noqa: PLC0415 - nothing but lazy names needs it
    import sys  # noqa: PLC0415 - see above

    return importlib.import_module(f"{'tf_keras' if 'tf_keras' in sys.modules else 'keras'}.optimizers.schedules")
