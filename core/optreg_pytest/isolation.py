"""A registry that knows nothing of what is installed, except what a test lets in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from optreg.cards.digest_store import FOLDER as CACHE
from optreg.discovery.distributions import normalise
from optreg.discovery.entries import KINDS, Entry
from optreg.discovery.index import discover, settle
from optreg.discovery.policy import ALLOW, DISABLE, PINS, REQUIRE, STRICT, Policy
from optreg.discovery.settings import CONFIG
from optreg.errors import UnknownOptimizer, listing, suggestion
from optreg.registry import Registry
from optreg.registry.lookup import Resolution

if TYPE_CHECKING:
    import pytest

_NO_SETTINGS = {CONFIG: "", CACHE: "off"}


class IsolatedRegistry(Registry):
    """Holds what a test registers, and the distributions that it includes; settings of the user count for nothing."""

    def __init__(self) -> None:
        super().__init__(environment=_NO_SETTINGS)
        self._included: set[str] = set()

    def include(self, *distributions: str) -> None:
        """Add what installed distributions offer; ``"optreg"`` stands for the built-ins.

        Raises:
            UnknownOptimizer: Nothing that offers anything is installed under the name.
        """
        offering = {entry.distribution for entry in _installed()}
        for name in map(normalise, distributions):
            if name not in offering:
                hint = suggestion(name, offering)
                raise UnknownOptimizer(
                    f"There is no installed distribution {name!r} with entry points of optreg.{hint} "
                    f"Installed: {listing(offering)}"
                )
            self._included.add(name)
        self.refresh()

    def exclude(self, *distributions: str) -> None:
        """Take out what ``include`` added; what was not included stays so."""
        self._included.difference_update(map(normalise, distributions))
        self.refresh()

    def optimizer_info(self, name: str, *, kind: str = "optimizer") -> Entry:
        """Return the record behind a name, as any registry does.

        Raises:
            UnknownOptimizer: Nothing here answers to the name; the message says how to add it.
        """
        try:
            return super().optimizer_info(name, kind=kind)
        except UnknownOptimizer as error:
            raise self._explained(error, name, kind) from None

    def get_class_of_keras(self, class_name: str) -> Callable[..., Any]:
        """Return the class for a class name in a Keras configuration, as any registry does.

        Raises:
            UnknownOptimizer: As for ``optimizer_info``.
        """
        try:
            return super().get_class_of_keras(class_name)
        except UnknownOptimizer as error:
            raise self._explained(error, class_name, "optimizer") from None

    def _discovered(self, policy: Policy) -> tuple[Entry, ...]:
        return tuple(entry for entry in _installed(policy) if entry.distribution in self._included)

    def _explained(self, error: UnknownOptimizer, name: str, kind: str) -> UnknownOptimizer:
        kind_word = f", kind={kind!r}" if kind != KINDS[0] else ""
        ways = f"optreg_registry.register({name!r}, cls{kind_word})"
        installed = Resolution(settle(_installed(), Policy()), kind, name).entry
        if installed is not None:
            ways += f", or optreg_registry.include({installed.distribution!r}) for {installed.qualified_name}"
        holds = f"only {listing(self._included)}" if self._included else "nothing"
        return UnknownOptimizer(
            f"{error} The registry is isolated by the fixture optreg_registry: of what is installed it holds {holds}. "
            f"Next step: {ways}."
        )


def set_settings_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of the user decide what a test sees; nothing is left in their cache either."""
    for variable in (ALLOW, DISABLE, PINS, REQUIRE, STRICT):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in _NO_SETTINGS.items():
        monkeypatch.setenv(variable, value)


def _installed(policy: Policy | None = None) -> tuple[Entry, ...]:
    return discover(policy=policy or Policy(), environment=_NO_SETTINGS)
