"""From the names a user gave to the things that are measured: our optimizer and its peers."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optreg.bench.foreign.variants import FOREIGN, Foreign, is_installed
from optreg.bench.peers import Library, PeerUnavailable, find_library, find_peer
from optreg.bench.results import State
from optreg.bench.results import Subject as Provenance
from optreg.bench.selection import Choice
from optreg.bench.subjects import LegacyContract, Subject
from optreg.cards import OptimizerCard
from optreg.errors import OptregError, UnusableOptimizer
from optreg.registry.default import get_optimizer, optimizer_info

OURS = "optreg"

IMPORT = "import"
"""Stands in the place of an implementation while a choice is imported and built for the first time."""


@dataclass(frozen=True)
class Contender:
    """One implementation of one chosen optimizer.

    ``broken`` says why it cannot be made; ``make`` is then not to be called. ``speed_only`` ones are not trained;
    ``foreign`` ones make their steps in a process of their own.
    """

    optimizer: str
    implementation: str
    make: Callable[[], Subject]
    provenance: Provenance
    card: OptimizerCard | None = None
    broken: State | None = None
    speed_only: bool = False
    foreign: Foreign | None = None


def contenders(choice: Choice, libraries: Sequence[Library]) -> tuple[list[Contender], list[str]]:
    """Return our optimizer and its peers, and a note for each peer that is not there.

    Raises:
        OptregError: The name is unknown, or a hyperparameter wrong: the user's mistake, told before anything runs.
    """
    try:
        optimizer = get_optimizer(choice.name, **choice.hyperparameters)
        config = dict(optimizer.get_config())
    except UnusableOptimizer as error:
        return [_broken(choice, error)], []
    except OptregError:
        raise
    except Exception as error:  # a plugin's constructor may raise anything, and becomes a row
        return [_broken(choice, error)], []
    name = type(optimizer).__name__
    peers = [
        peer
        for library in libraries
        for peer in (
            [_peer(choice, library, name, config)] if library.subject else _foreigners(choice, library, name, config)
        )
    ]
    found = [peer for peer in peers if isinstance(peer, Contender)]
    return [_ours(choice, config), *found], [peer for peer in peers if isinstance(peer, str)]


def _ours(choice: Choice, config: Mapping[str, Any]) -> Contender:
    info = optimizer_info(choice.name)
    provenance = Provenance(
        choice.label, OURS, str(info.distribution), str(info.version), _shown(config), target=info.target or None
    )
    return Contender(choice.label, OURS, lambda: _make(choice), provenance, info.card)


def variant(contender: Contender, implementation: str, make: Callable[[], Subject]) -> Contender:
    """Return another way to run one of our optimizers, for the speed tables only."""
    provenance = replace(contender.provenance, implementation=implementation)
    return replace(contender, implementation=implementation, make=make, provenance=provenance, speed_only=True)


def _make(choice: Choice) -> Subject:
    return LegacyContract(get_optimizer(choice.name, **choice.hyperparameters))


def _peer(choice: Choice, library: Library, class_name: str, config: Mapping[str, Any]) -> Contender | str:
    """Return the peer, or the note that says why there is none."""
    try:
        peer = find_peer(library, class_name, config)
    except PeerUnavailable as error:
        return str(error)
    provenance = Provenance(
        choice.label,
        library.name,
        library.distribution,
        peer.version,
        dict(peer.hyperparameters),
        peer.notes,
        f"{peer.optimizer_class.__module__}:{peer.optimizer_class.__qualname__}",
    )
    return Contender(choice.label, library.name, peer.make, provenance)


def _foreigners(choice: Choice, library: Library, class_name: str, config: Mapping[str, Any]) -> list[Contender | str]:
    """Return one contender for each variant of the library, or the note that it is not installed."""
    if not is_installed(library.name):
        return [f"{library.name} is not installed; pip install {library.distribution}"]
    plain = {key: value for key, value in _shown(config).items() if isinstance(value, (bool, int, float))}
    version = importlib.metadata.version(library.distribution)
    return [
        Contender(
            choice.label,
            variant.implementation,
            _elsewhere,
            Provenance(choice.label, variant.implementation, library.distribution, version, plain),
            speed_only=True,
            foreign=Foreign(variant, class_name, plain),
        )
        for variant in FOREIGN[library.name]
    ]


def _elsewhere() -> Subject:
    raise PeerUnavailable("it makes its steps in a process of its own")


def _broken(choice: Choice, error: Exception) -> Contender:
    provenance = Provenance(choice.label, OURS, "", "", dict(choice.hyperparameters))

    def refuse() -> Subject:
        raise error

    return Contender(choice.label, OURS, refuse, provenance, broken=State.failed(error))


def unloadable(choice: Choice, reason: str) -> Contender:
    """Return what stands for a choice whose import ended the process or never returned; it is not tried again."""
    return banned(_broken(choice, UnusableOptimizer(reason)), reason)


def banned(contender: Contender, reason: str) -> Contender:
    """Return the contender, broken where there is a reason: it ended the process, or never returned."""
    return replace(contender, broken=State("failed", reason)) if reason else contender


def _shown(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "name"}


def libraries_named(names: Sequence[str]) -> tuple[Library, ...]:
    """Return the libraries of ``--against``, each once.

    Raises:
        UnknownPeer: There is no such library.
    """
    return tuple({name: find_library(name) for name in names}.values())
