"""The record of one registered name: where it comes from, whether it can be used, and why not."""

from __future__ import annotations

import enum
import fnmatch
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optreg.cards import Card, OptimizerCard
from optreg.discovery.distributions import version_key

if TYPE_CHECKING:
    from optreg.cards.digest import Digest
    from optreg.cards.digest_store import DigestStore
    from optreg.cards.reader import Reading
    from optreg.discovery.gates import Gates

BUILT_IN = "optreg"
"""The distribution whose names no other may take."""

SESSION = "session"
"""Shown as the distribution of what ``optreg.register`` added in this process."""

PLUGIN = "plugin"
"""The kind of hook objects; the others are made into something with arguments."""

OPTIMIZER = "optimizer"
"""The kind that is meant where none is named."""

GROUPS = {
    "optreg.optimizers": OPTIMIZER,
    "optreg.transformers": "transformer",
    "optreg.aggregators": "aggregator",
    "optreg.plugins": PLUGIN,
}
"""Entry-point group to the kind of thing it registers."""

KINDS = tuple(GROUPS.values())

_NOT_READ = "not read: the entry is not used"


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
    """A state, with the reason for it and what the user can do about it; ``refused`` makes any state unusable."""

    state: State = State.READY
    reason: str = ""
    next_step: str = ""
    refused: bool = False

    @property
    def usable(self) -> bool:
        """Whether the qualified name can be loaded."""
        return self.state.usable and not self.refused


READY = Verdict()


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
        gates: What must hold before it is imported.
        store: Keeps what its source text says.
        replacement: For an old name: the entry that it stands for.
    """

    name: str
    kind: str
    distribution: str
    version: str
    target: str
    verdict: Verdict = READY
    live: Any = field(default=None, compare=False, repr=False)
    gates: Gates | None = field(default=None, compare=False, repr=False)
    store: DigestStore | None = field(default=None, compare=False, repr=False)
    replacement: Entry | None = field(default=None, compare=False, repr=False)

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
    def digest(self) -> Digest:
        """What its state and its line in a listing need of the source text; read when first asked for."""
        from optreg.cards.digest import Digest, digest_of  # noqa: PLC0415 - see below

        if self.live is not None:
            from optreg.cards.digesting import digest_of_card  # noqa: PLC0415 - see below

            return digest_of_card(self.card)
        if self.store is None or not self._is_read:
            return Digest(note=_NOT_READ)
        return digest_of(self.target, self.distribution, self.store)

    @property
    def _is_read(self) -> bool:
        return bool(self.target) and self.verdict.state is not State.DISABLED

    @cached_property
    def reading(self) -> Reading:
        """What the source text says; read when first asked for."""
        # Only listings and checks need the reader; looking a name up must not pay for importing it.
        from optreg.cards.reader import Reading, describe_class, read_card  # noqa: PLC0415

        if self.live is not None:
            described = isinstance(self.live, type) or self.kind != PLUGIN
            return Reading(card=describe_class(self.live if described else type(self.live)))
        if not self._is_read:
            return Reading(note=_NOT_READ)
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
        return () if self.replacement else tuple(fold(alias) for alias in self.digest.aliases)

    @property
    def capabilities(self) -> frozenset[str]:
        """Words that listings filter by; empty where nothing is declared."""
        return frozenset(self.digest.capabilities)

    @cached_property
    def judgement(self) -> Verdict:
        """The verdict after reading the source text."""
        if not self.verdict.usable or self.replacement:
            return self.verdict
        digest = self.digest
        if digest.problem:
            return Verdict(State.BROKEN, digest.problem, digest.next_step)
        gate = self.gates.verdict(digest) if self.gates else READY
        if gate.state is not State.READY:
            return gate
        own = next((old for old in digest.deprecated if fold(old[0]) == self.name), None)
        return old_name_verdict(self, *own[1:]) if own and self.verdict.state is State.READY else self.verdict

    @property
    def state(self) -> State:
        """Whether it can be used."""
        return self.judgement.state

    @property
    def usable(self) -> bool:
        """Whether its qualified name can be loaded."""
        return self.judgement.usable

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
        return self.marked(Verdict(state, reason, next_step))

    def marked(self, verdict: Verdict) -> Entry:
        """Return the same entry with another verdict."""
        return replace(self, verdict=verdict)


def old_name_verdict(entry: Entry, since: str, removal: str, replacement: str) -> Verdict:
    """Return the verdict on a deprecated name; once its removal version is installed it is refused."""
    step = f"use {replacement!r}" if replacement else "choose another optimizer"
    if removal and entry.version and version_key(entry.version) >= version_key(removal):
        return Verdict(State.DEPRECATED, f"it was removed in {entry.distribution} {removal}", step, refused=True)
    ends = f"; it goes in {removal}" if removal else ""
    return Verdict(State.DEPRECATED, f"an old name{f' since {since}' if since else ''}{ends}", step)


def fold(name: str) -> str:
    """Return a name as look-up compares it: ``Gradient-Descent`` is ``gradient_descent``."""
    return name.strip().lower().replace("-", "_")


def matches(word: str, pattern: str) -> bool:
    """Whether a name fits a wildcard pattern, both folded."""
    return fnmatch.fnmatchcase(fold(word), fold(pattern))
