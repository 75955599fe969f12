"""The names under which a Keras finds our optimizers: ``"optreg>adam"``, and the class in saved models.

Both Kerases look a string up in their table of custom objects and call ``from_config`` of what they find. The table
has no lookup of last resort, so it gets one small entry for each known name, from which the optimizer is resolved when
it is asked for. Nothing is imported for that: neither TensorFlow, nor a plugin, nor a Keras.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from optreg.keras.arrival import LIBRARIES
from optreg.registry import Registry, default_registry
from optreg.registry.process import registry_of_the_process

PACKAGE = "optreg"
CLASS_NAME = "WrappedOptimizer"
"""Name of the adapter class of either library; a saved model says ``optreg>WrappedOptimizer``."""


class Identifier(str):
    """What a Keras finds for ``"optreg>name"``: the same text, which also builds the optimizer.

    It is text because ``tf_keras`` saves a model that was compiled with a name under that name, and compiles it
    with whatever it finds for the name when it loads the model.
    """

    wanted: str
    library: str

    def __new__(cls, name: str, library: str) -> Identifier:
        """Return the identifier for a registered or qualified name, alias or class name."""
        identifier = super().__new__(cls, f"{PACKAGE}>{name}")
        identifier.wanted, identifier.library = name, library
        return identifier

    def from_config(self, config: Mapping[str, Any], custom_objects: Any = None) -> Any:  # noqa: ARG002 - of Keras
        """Return the adapter of a new optimizer; ``config`` holds its hyperparameters."""
        from optreg.keras.wrapping import wrap  # noqa: PLC0415 - brings TensorFlow

        return wrap(self.wanted, library=self.library, **config)


class SavedAdapter:
    """What a Keras finds for the adapter in a saved model, until the adapter class is needed."""

    def __init__(self, library: str) -> None:
        self.library = library

    def from_config(self, config: Mapping[str, Any], custom_objects: Any = None) -> Any:  # noqa: ARG002 - of Keras
        """Return the adapter that ``config`` describes."""
        from optreg.keras.wrapping import adapter_class  # noqa: PLC0415 - brings TensorFlow

        return adapter_class(self.library).from_config(config)


def offer_names(library: Any) -> None:
    """Put every known name into the table of custom objects of a Keras, and every later one when it appears."""
    table = library.utils.get_custom_objects()
    table.setdefault(f"{PACKAGE}>{CLASS_NAME}", SavedAdapter(library.__name__))
    if library.__name__ == "tf_keras":
        # In HDF5 files and SavedModels its loss scaling asks for what it wraps by the bare name of the class.
        table.setdefault(CLASS_NAME, SavedAdapter(library.__name__))

    def offer(registry: Registry) -> None:
        for name in known_names(registry):
            identifier = Identifier(name, library.__name__)
            table.setdefault(identifier, identifier)

    def offer_again(registry: Registry) -> None:
        with suppress(Exception):  # the user learns of it by asking for an optimizer, not by refreshing the names
            offer(registry)

    try:
        # A registry of its own: the user's settings are read when the user first asks for an optimizer.
        offer(Registry())
    except Exception as error:
        # Whatever is wrong with a plugin or a setting must not break ``import keras``.
        warnings.warn(f"{library.__name__} does not learn the names of optreg: {error}", stacklevel=2)
    default_registry().watch(offer_again)


def withdraw_names() -> None:
    """Take out of the tables of both Kerases the names that the registry of the process does not know."""
    for library in filter(None, map(sys.modules.get, LIBRARIES)):
        table: dict[str, Any] = library.utils.get_custom_objects() if hasattr(library, "utils") else {}
        offered = [found for found in table.values() if isinstance(found, Identifier)]
        known = set(known_names(registry_of_the_process())) if offered else set()
        for identifier in offered:
            if identifier.wanted not in known:
                del table[identifier]


def known_names(registry: Registry) -> Iterator[str]:
    """Yield every name that leads to an optimizer: registered, qualified, aliases, and the name of the class."""
    for entry in registry.entries():
        yield from (entry.name, entry.qualified_name, *entry.aliases, entry.target.rpartition(":")[2])
