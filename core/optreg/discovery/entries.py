"""The record of one registered name: where it comes from, whether it can be used, and why not."""

from __future__ import annotations

import enum
import fnmatch
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optreg.cards import API_VERSION, Card, OptimizerCard

if TYPE_CHECKING:
    from optreg.cards.reader import Reading

BUILT_IN = "optreg"
"""The distribution whose names no other may take."""

SESSION = "session"
"""Shown as the distribution of what ``optreg.register`` added in this process."""

PLUGIN = "plugin"
"""The kind of hook objects; the others are made into something with arguments."""

GROUPS = {
    "optreg.optimizers": "optimizer",
    "optreg.transformers": "transformer",
    "optreg.aggregators": "aggregator",
    "optreg.plugins": PLUGIN,
}
"""Entry-point group to the kind of thing it registers."""

KINDS = tuple(GROUPS.values())


class State(str, enum.Enum):
    """Whether an entry can be used. The values are the words shown to the user."""

    READY = "ready"
    BROKEN = "broken"
    INCOMPATIBLE = "incompatible"
    MISSING_DEPENDENCY = "missing dependency"
    DISABLED = "disabled"
    AMBIGUOUS = "ambiguous"
    SHADOWED = "shadowed"
    DEPRECATED = "deprecated"

    @property
    def usable(self) -> bool:
        """Whether the qualified name can be loaded."""
        return self in (State.READY, State.AMBIGUOUS, State.SHADOWED, State.DEPRECATED)


class Verdict(NamedTuple):
    """A state, with the reason for it and what the user can do about it."""

    state: State = State.READY
    reason: str = ""
    next_step: str = ""


UNDISPUTED = Verdict()


@dataclass(frozen=True)
class Entry:
    """One optimizer, transformer, aggregator or hook object that an installed distribution offers.

    Args:
        name: Registered name, folded: lower case, ``_`` between words.
        kind: One of ``KINDS``.
        distribution: Normalised name of the distribution; ``session`` for what was registered in this process.
        version: Version of the distribution; empty for the session.
        target: ``module:Class``; for a hook object ``module`` alone may do.
        verdict: What metadata alone says; ``state``, ``reason`` and ``next_step`` also know the source text.
        live: The class or object itself, for an entry registered in this process.
    """

    name: str
    kind: str
    distribution: str
    version: str
    target: str
    verdict: Verdict = UNDISPUTED
    live: Any = field(default=None, compare=False, repr=False)

    @property
    def qualified_name(self) -> str:
        """``distribution/name``, which always works."""
        return f"{self.distribution}/{self.name}"

    @property
    def built_in(self) -> bool:
        """Whether it comes with optreg itself."""
        return self.distribution == BUILT_IN

    @property
    def origin(self) -> str:
        """Distribution and version, as named in errors."""
        return f"{self.distribution} {self.version}".strip()

    @cached_property
    def reading(self) -> Reading:
        """What the source text says; read when first asked for."""
        # Only listings and checks need the reader; looking a name up must not pay for importing it.
        from optreg.cards.reader import Reading, describe_class, read_card  # noqa: PLC0415

        if self.live is not None:
            described = isinstance(self.live, type) or self.kind != PLUGIN
            return Reading(card=describe_class(self.live if described else type(self.live)))
        if self.verdict.state is State.DISABLED or not self.target:
            return Reading(note="not read: the entry is not used")
        return read_card(self.target, self.distribution)

    @property
    def card(self) -> OptimizerCard:
        """What is known of the class; empty where its source holds no card."""
        return self.reading.card

    @property
    def declared(self) -> Card:
        """The author's ``Card``, or an empty one."""
        return self.card.declared or Card()

    @property
    def path(self) -> Path | None:
        """The file that defines the class, where known."""
        return self.reading.path

    @property
    def aliases(self) -> tuple[str, ...]:
        """Further names it answers to, folded."""
        return tuple(fold(alias) for alias in self.declared.aliases)

    @cached_property
    def judgement(self) -> Verdict:
        """The verdict after reading the source text."""
        if not self.verdict.state.usable:
            return self.verdict
        if self.reading.problem:
            return Verdict(State.BROKEN, self.reading.problem, self.reading.next_step)
        if self.declared.api > API_VERSION:
            reason = f"written for plugin API {self.declared.api}; this optreg offers {API_VERSION}"
            return Verdict(State.INCOMPATIBLE, reason, "pip install --upgrade optreg")
        return self.verdict

    @property
    def state(self) -> State:
        """Whether it can be used."""
        return self.judgement.state

    @property
    def reason(self) -> str:
        """Why it is not ready; empty where it is."""
        return self.judgement.reason

    @property
    def next_step(self) -> str:
        """What the user can do about it; empty where nothing is to be done."""
        return self.judgement.next_step

    def judged(self, state: State, reason: str, next_step: str) -> Entry:
        """Return the same entry with another verdict."""
        return replace(self, verdict=Verdict(state, reason, next_step))


def fold(name: str) -> str:
    """Return a name as look-up compares it: ``Gradient-Descent`` is ``gradient_descent``."""
    return name.strip().lower().replace("-", "_")


def matches(word: str, pattern: str) -> bool:
    """Whether a name fits a wildcard pattern, both folded."""
    return fnmatch.fnmatchcase(fold(word), fold(pattern))
