"""Choosing entries by wildcard, distribution, state and capability."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from optreg.cards import SPARSE_MEANING
from optreg.discovery.entries import KINDS, Entry, State, matches
from optreg.errors import InvalidFilter, listing, suggestion

CAPABILITIES = frozenset(
    {"sparse", "xla", "complex", "stateless", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
    | {f"sparse-{mode}" for mode in SPARSE_MEANING if mode != "none"}
)
"""Words that ``capability`` filters by; cards of plugins may add further dtypes."""


class Selection(NamedTuple):
    """Which entries are wanted; empty fields do not filter.

    Args:
        patterns: Wildcards, case-folded, of which one must fit the name or an alias, or the qualified name where the
            wildcard holds a ``/``.
        exclude: Wildcards of which none may fit.
        distribution: Wildcard for the distribution.
        state: A word of ``State``.
        capability: A word of ``Card.capabilities``.
    """

    patterns: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    distribution: str | None = None
    state: str | None = None
    capability: str | None = None

    def of(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries that fit, in the given order.

        Raises:
            InvalidFilter: The state or the capability is a word that no entry can have.
        """
        known = list(entries)
        self._check_words(known)
        return [entry for entry in known if self._takes(entry)]

    def _takes(self, entry: Entry) -> bool:
        return (
            (not self.patterns or any(_named(entry, pattern) for pattern in self.patterns))
            and not any(_named(entry, pattern) for pattern in self.exclude)
            and (self.distribution is None or matches(entry.distribution, self.distribution))
            and (self.state is None or entry.state.value == _state(self.state))
            and (self.capability is None or self.capability in entry.capabilities)
        )

    def _check_words(self, entries: list[Entry]) -> None:
        states = [state.value for state in State]
        if self.state is not None and _state(self.state) not in states:
            raise _unknown("state", self.state, states)
        if self.capability is not None and self.capability not in CAPABILITIES:
            words = CAPABILITIES.union(*(entry.capabilities for entry in entries))
            if self.capability not in words:
                raise _unknown("capability", self.capability, words)


def check_kind(kind: str) -> None:
    """Refuse a word that is no kind.

    Raises:
        InvalidFilter: With the nearest kind.
    """
    if kind not in KINDS:
        raise _unknown("kind", str(kind), KINDS)


def _named(entry: Entry, pattern: str) -> bool:
    """Whether a wildcard fits; only one with a ``/`` looks at the distribution, or ``o*`` would be all of optreg."""
    if "/" in pattern:
        return matches(entry.qualified_name, pattern)
    # The card is read for the aliases only where the name does not fit.
    return matches(entry.name, pattern) or any(matches(alias, pattern) for alias in entry.aliases)


def _state(word: str) -> str:
    return str(getattr(word, "value", word)).lower().replace("-", " ").replace("_", " ")


def _unknown(what: str, word: str, allowed: Iterable[str]) -> InvalidFilter:
    words = list(allowed)
    return InvalidFilter(f"There is no {what} {word!r}.{suggestion(word, words)} Allowed: {listing(words)}")
