"""The same optimizer of another library, to be measured beside ours in the same run."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optreg.bench.subjects import Keras3, LegacyContract, Subject
from optreg.errors import OptregError, listing, suggestion


class UnknownPeer(OptregError, LookupError):
    """optreg cannot measure against a library of that name."""


class PeerUnavailable(OptregError, RuntimeError):
    """The library is not installed, or has no such optimizer, or cannot run here."""


@dataclass(frozen=True)
class Library:
    """A library of optimizers: the module that holds the classes, and the subject that drives them."""

    name: str
    distribution: str
    module: str
    subject: Callable[[Any], Subject] | None


LIBRARIES: Mapping[str, Library] = {
    "tf_keras": Library("tf_keras", "tf_keras", "tf_keras.optimizers.legacy", LegacyContract),
    "keras": Library("keras", "keras", "keras.optimizers", Keras3),
    # Without a subject: measured in a process of their own.
    "torch": Library("torch", "torch", "torch.optim", None),
    "optax": Library("optax", "optax", "optax", None),
}


@dataclass(frozen=True)
class Peer:
    """One optimizer class of another library with the hyperparameters that it shares with ours.

    ``notes`` name what could not be carried over.
    """

    library: Library
    optimizer_class: type
    version: str
    hyperparameters: Mapping[str, Any]
    notes: tuple[str, ...]

    def make(self) -> Subject:
        """Return a fresh subject."""
        if self.library.subject is None:
            raise PeerUnavailable(f"{self.library.name} is measured in a process of its own")
        return self.library.subject(self.optimizer_class(**self.hyperparameters))


def find_library(name: str) -> Library:
    """Return the library that ``--against`` names.

    Raises:
        UnknownPeer: There is no such library.
    """
    if name not in LIBRARIES:
        raise UnknownPeer(
            f"cannot measure against {name!r}; libraries: {listing(LIBRARIES)}.{suggestion(name, LIBRARIES)}"
        )
    return LIBRARIES[name]


def find_peer(library: Library, class_name: str, config: Mapping[str, Any]) -> Peer:
    """Return the library's class of that name, set to the values of ``config`` that both take.

    Raises:
        PeerUnavailable: The library or the class is missing; the message is the note to show.
    """
    module = _import(library)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise PeerUnavailable(f"{library.name} has no optimizer {class_name}; it is measured without that peer")
    shared, notes = _shared(library, found, config)
    return Peer(library, found, importlib.metadata.version(library.distribution), shared, notes)


def _import(library: Library) -> Any:
    try:
        module = importlib.import_module(library.module)
    except Exception as error:
        # A half installed library may raise anything while it is imported.
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PeerUnavailable(
            f"{library.name} cannot be imported ({text}); pip install {library.distribution}"
        ) from error
    if library.name == "keras" and module.__package__ and _keras_backend() != "tensorflow":
        raise PeerUnavailable(
            f"keras runs on the backend {_keras_backend()!r}; set KERAS_BACKEND=tensorflow to compare"
        )
    return module


def _keras_backend() -> str:
    import keras  # noqa: PLC0415 - need not be installed

    return str(keras.backend.backend())


def _shared(library: Library, peer: type, config: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Split our configuration into what the peer's constructor takes, and notes on what it does not."""
    accepted = set(inspect.signature(peer).parameters) - {"name", "kwargs"}
    plain = {key: value for key, value in config.items() if key in accepted and _is_plain(value)}
    # What is switched off has no effect on either side and needs no note.
    left_out = [key for key, value in config.items() if key != "name" and key not in plain and value]
    notes = tuple(f"{library.name} {peer.__name__} runs without {key}={config[key]!r}" for key in left_out)
    return plain, notes


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str))
