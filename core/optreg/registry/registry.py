"""Names to classes to instances.

A ``Registry`` is an object, so that tests and tools can have their own; ``process.default_registry`` is the one in use.
All methods may be called from several threads. No lock is held while a plugin is imported.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optreg.discovery.entries import KINDS, SESSION, Entry, Verdict
from optreg.discovery.index import Index, discover, entry_order, settle
from optreg.discovery.policy import Policy
from optreg.errors import InvalidName
from optreg.registry import lookup
from optreg.registry.loader import Loader
from optreg.registry.loading import load_unregistered
from optreg.registry.selection import Selection, check_kind
from optreg.registry.session import Session, refuse_taken, session_entry

if TYPE_CHECKING:
    from optreg.optimizer.contract import Optimizer
    from optreg.registry.contributions import Contributions


class Registry:
    """Everything that is installed or registered in this process, by name.

    Args:
        path: Folders to look for distributions in; ``sys.path`` at the time of the scan by default.
        pins: Short name to the distribution that shall answer to it; wins over ``OPTREG_PINS`` and the settings file.
        environment: Where the plugin settings are read from; ``os.environ`` by default.
    """

    def __init__(
        self,
        path: Sequence[str] | None = None,
        *,
        pins: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._path = path
        self._pins = dict(pins or {})
        self._environment = environment
        self._lock = threading.RLock()
        self._found: tuple[Entry, ...] | None = None
        self._session = Session()
        self._index = Index()
        self._loader = Loader(self.mark)
        self._watchers: list[Callable[[Registry], None]] = []
        self._enforced = False

    # Listing

    @property
    def index(self) -> Index:
        """All entries with their states; scanned when first asked for."""
        with self._lock:
            if self._found is None:
                policy = Policy.from_environment(self._environment).with_pins(self._pins)
                self._found = self._discovered(policy)
                self._settle(policy)
            return self._index

    def _discovered(self, policy: Policy) -> tuple[Entry, ...]:
        return discover(self._path, policy=policy, environment=self._environment)

    def enforce(self) -> None:
        """Hold the installation against strict mode and the required plugins; once for each scan.

        Raises:
            PolicyViolation: The user demands what is not there, or does not tolerate what is.
        """
        index = self.index
        if not self._enforced:
            if index.policy.strict or index.policy.required.words:
                from optreg.discovery.demands import enforce  # noqa: PLC0415 - few users demand anything

                enforce(index, [*(self._path or ()), *sys.path])
            self._enforced = True

    def refresh(self) -> None:
        """Look again at what is installed, for instance after ``pip install`` in a notebook.

        Classes already loaded stay as long as their modules do; failures are forgotten, so that a repaired plugin is
        tried again.
        """
        importlib.invalidate_caches()
        with self._lock:
            self._found = None
            self._loader.forget_gone()
            self.__dict__.pop("contributions", None)
        self._tell_watchers()

    def watch(self, changed: Callable[[Registry], None]) -> None:
        """Have a function called with this registry whenever names may have been added."""
        self._watchers.append(changed)

    def share_watchers(self, other: Registry) -> None:
        """Tell those who watch another registry, and all who will, of the names of this one too."""
        self._watchers = other._watchers

    def _tell_watchers(self) -> None:
        for changed in self._watchers:
            changed(self)

    def entries(self, selection: Selection | None = None, *, kind: str | None = "optimizer") -> list[Entry]:
        """Return the records of one kind, or of all with ``kind=None``, sorted by name; old names are among them."""
        if kind is not None:
            check_kind(kind)
        kinds = KINDS if kind is None else (kind,)
        entries = sorted((entry for one in kinds for entry in self.index.shown(one)), key=entry_order)
        return entries if selection is None else selection.of(entries)

    def list_optimizers(
        self,
        *patterns: str,
        exclude: str | Sequence[str] = (),
        distribution: str | None = None,
        state: str | None = None,
        capability: str | None = None,
    ) -> list[str]:
        """Return names, sorted: the short name where it leads to the entry, else the qualified one.

        Args:
            patterns: Wildcards such as ``"ada*"``; a name, qualified name or alias that fits one of them is listed.
            exclude: One wildcard or several; what fits is left out.
            distribution: Wildcard for the distribution.
            state: Such as ``"ready"`` or ``"broken"``; by default every state is listed.
            capability: Such as ``"sparse"``, ``"xla"`` or ``"bfloat16"``.

        Raises:
            InvalidFilter: The state or capability is a word that means nothing.
        """
        self.enforce()
        excluded = (exclude,) if isinstance(exclude, str) else tuple(exclude)
        selection = Selection(patterns, excluded, distribution, state, capability)
        return sorted(self.display_name(entry) for entry in self.entries(selection))

    def display_name(self, entry: Entry) -> str:
        """Return the shortest name that leads to the entry."""
        return lookup.shortest_name(self.index, entry)

    def aliases_of(self, entry: Entry) -> tuple[str, ...]:
        """Return the further names of an entry: those of its card, then the user's own."""
        return (*entry.aliases, *lookup.own_aliases(self.index, entry))

    def optimizer_info(self, name: str, *, kind: str = "optimizer") -> Entry:
        """Return the record behind a short name, qualified name or alias. Nothing is imported.

        Raises:
            UnknownOptimizer: Nothing answers to the name.
            AmbiguousOptimizer: Several plugins do.
        """
        check_kind(kind)
        if not isinstance(name, str):
            raise InvalidName(f"A name must be text such as 'adam', received {name!r}")
        self.enforce()
        return lookup.find(self.index, kind, name)

    def resolution(self, name: str, *, kind: str = "optimizer") -> lookup.Resolution:
        """Return the look-up of a name with its steps, whatever comes of it."""
        check_kind(kind)
        return lookup.Resolution(self.index, kind, name)

    # Classes

    def get_class(self, name: str, kind: str = "optimizer") -> Callable[..., Any]:
        """Return the class behind a name or ``module:Class``, imported if need be.

        Raises:
            UnknownOptimizer: Nothing answers to the name.
            AmbiguousOptimizer: Several plugins do.
            UnusableOptimizer: The entry is disabled, incompatible or broken; its own error is the ``__cause__``.
        """
        if isinstance(name, str) and ":" in name:
            self.enforce()
            entry = self.index.of_target(name.strip())
            return self.load(entry) if entry else load_unregistered(name.strip(), kind)
        return self.load(self.optimizer_info(name, kind=kind))

    def get_class_of_keras(self, class_name: str) -> Callable[..., Any]:
        """Return the class for a class name of Keras, ``"Adam"`` for ``adam``; errors are those of ``get_class``."""
        return self.load(lookup.find_class_name(self.index, "optimizer", class_name))

    def load(self, entry: Entry) -> Callable[..., Any]:
        """Return the class or object of an entry, or raise ``UnusableOptimizer`` and show it as broken from then on."""
        return self._loader.load(entry)

    def qualified_name_of(self, cls: Callable[..., Any]) -> str | None:
        """Return ``distribution/name`` for a class that an entry leads to, or None."""
        return lookup.name_of_class(self.index, cls)

    # Instances

    def get_optimizer(self, optimizer: Any, /, **hyperparameters: Any) -> Optimizer:
        """Return an optimizer for a name, ``module:Class``, configuration, class or instance.

        Arguments and errors are those of ``optreg.get_optimizer``.
        """
        from optreg.registry.building import build_optimizer  # noqa: PLC0415 - listings do without it

        return build_optimizer(self, optimizer, hyperparameters)

    def build(self, kind: str, name: str, arguments: Mapping[str, Any]) -> Any:
        """Return what the registered factory makes of the arguments, for instance a gradient transformer.

        Raises:
            UnknownHyperparameter: The factory has no such argument.
            UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer: As for ``get_class``.
        """
        from optreg.registry.signatures import check_arguments  # noqa: PLC0415 - listings do without it

        factory = self.get_class(name, kind)
        check_arguments(factory, arguments, word="hyperparameter" if kind == "optimizer" else "argument")
        return factory(**arguments)

    def resolve(self, kind: str, spec: str | tuple[str, Mapping[str, Any]]) -> Any:
        """Build from a name or from (name, arguments), as a user writes transformers and aggregators.

        Raises:
            InvalidName: The specification is neither.
        """
        from optreg.registry.building import name_and_arguments  # noqa: PLC0415 - listings do without it

        return self.build(kind, *name_and_arguments(kind, spec))

    # Hook objects

    @functools.cached_property
    def contributions(self) -> Contributions:
        """What the hook objects of the plugins add to the tools."""
        from optreg.registry.contributions import Contributions  # noqa: PLC0415 - brings pluggy

        return Contributions(self)

    # Registration in this process

    def register(
        self, name: str, cls: Callable[..., Any], *, kind: str = "optimizer", replace: bool = False
    ) -> Callable[..., Any]:
        """Give a class, or a hook object of kind ``plugin``, a name for this process, and return it.

        Registering a class of the same module and qualified name again replaces it, as when a notebook cell runs twice.

        Raises:
            InvalidName: The name is not of the form ``[a-z][a-z0-9_]*`` after folding.
            NotAnOptimizer: The class does not derive from ``optreg.Optimizer``.
            NameTaken: Something else has the name, and ``replace`` is false.
        """
        check_kind(kind)
        entry = session_entry(name, cls, kind)
        with self._lock:
            if not replace:
                refuse_taken(self.index, entry)
            self._session.add(entry)
            self._settle(self._index.policy)
        self._tell_watchers()
        return cls

    def unregister(self, name: str, *, kind: str = "optimizer") -> None:
        """Take back what ``register`` added; a name that it replaced works again.

        Raises:
            UnknownOptimizer: Nothing was registered under the name in this process.
        """
        with self._lock:
            self._session.remove(name, kind)
            if self._found is not None:
                self._settle(self._index.policy)

    def _settle(self, policy: Policy) -> None:
        self._enforced = False
        self._index = settle([*(self._found or ()), *self._session.entries], policy)

    def mark(self, entry: Entry, verdict: Verdict) -> Entry:
        """Record that an entry failed to load or to keep to its specification, and return it so marked."""
        broken = entry.marked(verdict)
        with self._lock:
            policy = self.index.policy  # scans anew, should another thread have refreshed meanwhile
            same = (entry.kind, entry.qualified_name)
            self._found = tuple(broken if (e.kind, e.qualified_name) == same else e for e in self._found or ())
            if entry.distribution == SESSION:
                self._session.add(broken)
            self._session.forget_unfinished(entry.target)
            self._loader.forget(entry.target)
            self._settle(policy)
        return broken
