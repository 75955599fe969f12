"""The namespace of ``tf.keras.optimizers.legacy`` on today's TensorFlow: change the import, keep the program.

::

    from optreg.legacy import Adam             # was: from tensorflow.keras.optimizers.legacy import Adam
    import optreg.legacy as optimizers         # was: from tensorflow.keras import optimizers

It holds the optimizer classes that optreg itself offers of that family, under their class names; ``Optimizer``, their
base; ``schedules``; and ``get``, ``serialize`` and ``deserialize``. The classes come from the registry and are
imported when first used; importing this module imports neither TensorFlow nor Keras. What other distributions offer
does not appear here, whatever its name: ``optreg.get_optimizer`` builds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optreg.errors import suggestion
from optreg.legacy.family import present_family
from optreg.legacy.identifiers import deserialize as deserialize
from optreg.legacy.identifiers import get as get
from optreg.legacy.identifiers import serialize as serialize

if TYPE_CHECKING:
    from optreg.legacy import schedules as schedules
    from optreg.optimizer.contract import Optimizer as Optimizer

_FIXED = ("Optimizer", "deserialize", "get", "schedules", "serialize")


def __getattr__(name: str) -> Any:
    """Load a class of the family, ``Optimizer`` or ``schedules`` when it is first used, and the list of names."""
    if name == "__all__":
        return _names()
    if name.startswith("__"):  # asked for by the import system and by tools, which shall load nothing
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _loaded(name)
    if value is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{suggestion(name, _names())}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_names(), *(name for name in globals() if name.startswith("__"))})


def _names() -> list[str]:
    return sorted((*_FIXED, *present_family().class_names))


def _loaded(name: str) -> Any | None:
    import importlib  # noqa: PLC0415 - nothing but lazy names needs it

    if name == "Optimizer":
        return importlib.import_module("optreg.optimizer.contract").Optimizer
    if name == "schedules":
        return importlib.import_module(f"{__name__}.schedules")
    return present_family().get_class(name) if name in present_family().class_names else None
