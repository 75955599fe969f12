"""Classes that a program registered with its Keras: ``@keras.utils.register_keras_serializable(package="Mine")``.

They are looked up in the Kerases that are loaded; none is imported for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from optreg.registry.loading import is_optimizer

_LIBRARIES = ("tf_keras", "keras")


def registered_name(cls: type) -> str:
    """Return the name under which a class is registered, such as ``"Mine>Adam"``, else its own."""
    names = [library.get_registered_name(cls) for library in _loaded()]
    return next((str(name) for name in names if name != cls.__name__), cls.__name__)


def registered_class(name: object) -> Callable[..., Any] | None:
    """Return the optimizer class registered under ``name``, or given to a ``custom_object_scope``; None for none."""
    found = [library.get_registered_object(name) for library in _loaded()] if isinstance(name, str) else []
    return next((cls for cls in found if isinstance(cls, type) and is_optimizer(cls)), None)


def _loaded() -> Iterator[Any]:
    """Yield the ``utils`` of each Keras that is loaded, as far as it holds registrations."""
    for name in _LIBRARIES:
        utils = getattr(sys.modules.get(name), "utils", None)
        if hasattr(utils, "get_registered_object") and hasattr(utils, "get_registered_name"):
            yield utils
