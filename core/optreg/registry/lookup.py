"""Finding the entry for a name, and saying what is wrong when there is none. Nothing is imported on either way.

Each step says what it did, so that ``optreg why`` tells of the very look-up that ``get_optimizer`` makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from optreg.discovery.entries import SESSION, Entry, State, fold
from optreg.discovery.index import Index
from optreg.errors import (
    AmbiguousOptimizer,
    OptregError,
    UnknownOptimizer,
    UnusableOptimizer,
    listing,
    suggestion,
)
from optreg.registry.loading import imported, target_of


class Step(NamedTuple):
    """One step of a look-up: what was looked at, and what came of it."""

    at: str
    result: str


class Resolution:
    """One look-up of a name, with its steps.

    Args:
        index: Where to look.
        kind: Of what is looked for.
        name: As the user wrote it.
    """

    def __init__(self, index: Index, kind: str, name: str) -> None:
        self._index = index
        self._kind = kind
        self.asked = name
        self.steps: list[Step] = []
        self.candidates: list[Entry] = []
        self.entry: Entry | None = None
        self.error: OptregError | None = None
        try:
            self.entry = self._resolve(name)
        except OptregError as error:
            self.error = error

    def found(self) -> Entry:
        """Return the entry, which may be unusable.

        Raises:
            UnknownOptimizer: Nothing installed answers to the name.
            AmbiguousOptimizer: Several plugins do, and the user has pinned none.
            UnusableOptimizer: The user's pin or alias leads nowhere.
        """
        if self.error is not None:
            raise self.error
        if self.entry is None:
            raise unknown(self._index, self._kind, self.asked)
        return self.entry

    def _say(self, at: str, result: str) -> None:
        self.steps.append(Step(at, result))

    def _resolve(self, name: str) -> Entry:
        distribution, short = split(self._through_aliases(name.strip()))
        folded = fold(short)
        self._say("spelling", f"{name!r} is looked up as {folded!r}")
        entry = self._qualified(distribution, folded) if distribution else self._short(folded)
        if entry is None:
            raise unknown(self._index, self._kind, name)
        return entry

    def _through_aliases(self, name: str) -> str:
        """Follow the user's own names, which come before all others: nothing installed may change what they mean."""
        aliases = self._index.policy.aliases if self._kind == "optimizer" else {}
        while (choice := aliases.get(fold(name))) is not None:
            self._say("your aliases", f"{fold(name)!r} stands for {choice.target!r} ({choice.source})")
            name = choice.target
        return name

    def _qualified(self, distribution: str, name: str) -> Entry | None:
        entry = self._index.of(self._kind, distribution, name)
        self._consider([entry] if entry else [])
        self._say("qualified name", f"{entry.qualified_name} is there" if entry else "no such entry")
        return entry

    def _short(self, name: str) -> Entry | None:
        """Return what answers to a short name: a name, else an alias, else an old name."""
        self._refuse_useless_pin(name)
        return self._by_name(name) or self._by_alias(name) or self._by_old_name(name)

    def _by_name(self, name: str) -> Entry | None:
        named = self._index.named(self._kind, name)
        self._consider(named)
        winner = self._index.winners.get((self._kind, name))
        if winner is not None:
            self._say("short name", f"{winner.qualified_name}, {self._why(winner, named)}")
            return winner
        rivals = [entry for entry in named if entry.verdict.usable] or named
        if len(rivals) > 1:
            self._say("short name", f"{len(rivals)} offer it, and none is pinned")
            raise _ambiguous(self._kind, name, rivals)
        self._say("short name", f"only {rivals[0].qualified_name}" if rivals else "nothing is registered under it")
        return rivals[0] if rivals else None

    def _by_alias(self, alias: str) -> Entry | None:
        rivals = self._index.aliased(self._kind, alias)
        self._consider(rivals)
        winner = self._index.policy.winner(alias, rivals) if rivals else None
        if rivals and winner is None:
            self._say("aliases", f"{len(rivals)} have it, and none is pinned")
            raise _ambiguous(self._kind, alias, rivals)
        self._say("aliases", f"an alias of {winner.qualified_name}" if winner else "nothing has it as an alias")
        return winner

    def _by_old_name(self, name: str) -> Entry | None:
        rivals = self._index.formerly(self._kind, name)
        self._consider(rivals)
        usable = [entry for entry in rivals if entry.verdict.usable] or rivals
        if len(usable) > 1:
            self._say("old names", f"{len(usable)} once had it")
            raise _ambiguous(self._kind, name, usable)
        self._say("old names", usable[0].reason if usable else "nothing was ever called so")
        return usable[0] if usable else None

    def _consider(self, entries: list[Entry]) -> None:
        self.candidates += [entry for entry in entries if entry not in self.candidates]

    def _why(self, winner: Entry, named: list[Entry]) -> str:
        pin = self._index.policy.pins.get(winner.name)
        if winner.distribution == SESSION:
            return "registered in this session"
        if pin and pin.target == winner.distribution:
            return f"pinned by {pin.source}"
        if len(named) == 1:
            return "the only one"
        return "built in, and built-ins keep their names" if winner.built_in else "the only one that can be used"

    def _refuse_useless_pin(self, name: str) -> None:
        """A pin to something that is not installed must not silently give the user another optimizer."""
        pin = self._index.policy.pins.get(name)
        if pin is None:
            return
        self._say("pins", f"{name!r} is pinned to {pin.target} by {pin.source}")
        offers = [entry for entry in self._index.entries if name in (entry.name, *entry.aliases)]
        chosen = [entry for entry in offers if entry.distribution in (pin.target, SESSION)]
        if any(entry.verdict.usable for entry in chosen):
            return
        if chosen:
            raise unusable(chosen[0])
        raise UnusableOptimizer(
            f"{name!r} is pinned to the distribution {pin.target!r}, which does not offer it. "
            f"Offered by: {listing(entry.distribution for entry in offers)}. "
            f"Next step: pip install {pin.target}, or take the pin out of {pin.source}."
        )


def split(name: str) -> tuple[str, str]:
    """Return distribution and short name; only the latter can have a slash, where it is no valid name."""
    first, slash, rest = name.partition("/")
    return (first, rest) if slash else ("", name)


def find(index: Index, kind: str, name: str) -> Entry:
    """Return the entry for a qualified name, a short name, an alias or an old name, in this order. It may be unusable.

    Raises:
        UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer: As for ``Resolution.found``.
    """
    return Resolution(index, kind, name).found()


def find_class_name(index: Index, kind: str, class_name: str) -> Entry:
    """Return the entry for the name of a class, as configurations of Keras hold it: by name, else by target.

    Raises:
        UnknownOptimizer: No entry has that name or points to a class of that name.
        AmbiguousOptimizer: Several plugins offer the name.
    """
    try:
        return find(index, kind, class_name)
    except UnknownOptimizer:
        wanted = class_name.lower()
        same = [e for e in index.entries if e.kind == kind and e.target.rpartition(":")[2].lower() == wanted]
        if len(same) == 1:
            return same[0]
        raise


def name_of_class(index: Index, cls: Callable[..., Any]) -> str | None:
    """Return ``distribution/name`` for a class that an entry leads to, or None."""
    target = target_of(cls)
    for entry in index.entries:
        if entry.live is cls or (entry.live is None and entry.target == target):
            return entry.qualified_name
    # An entry may point to the place where the class is re-exported; modules already imported can tell.
    return next((entry.qualified_name for entry in index.entries if imported(entry.target) is cls), None)


def shortest_name(index: Index, entry: Entry) -> str:
    """Return the short name where it leads to the entry, else the qualified one."""
    winner = index.winners.get((entry.kind, entry.name))
    if entry.replacement is not None:
        short = entry.state not in (State.AMBIGUOUS, State.SHADOWED)
    else:  # by name, for another thread may have settled the index anew since the entry was had
        short = winner is not None and winner.distribution == entry.distribution
    return entry.name if short else entry.qualified_name


def own_aliases(index: Index, entry: Entry) -> list[str]:
    """Return the names of the user's own that lead to an entry."""
    if entry.kind != "optimizer":
        return []
    return [name for name in index.policy.aliases if Resolution(index, entry.kind, name).entry == entry]


def unusable(entry: Entry) -> UnusableOptimizer:
    """Return the error for an entry that cannot be loaded, with its reason and what to do."""
    step = f" Next step: {entry.next_step}." if entry.next_step else ""
    return UnusableOptimizer(f"{entry.qualified_name} ({entry.origin}) is {entry.state.value}: {entry.reason}.{step}")


def unknown(index: Index, kind: str, name: str) -> UnknownOptimizer:
    """Return the error for a name that nothing answers to, with the nearest one that something does."""
    entries = index.shown(kind)
    short = {entry.name for entry in entries if not entry.replacement}
    words = {entry.name for entry in entries} | {alias for entry in entries for alias in entry.aliases}
    words |= {entry.qualified_name for entry in entries} if "/" in name else set()
    words |= set(index.policy.aliases) if kind == "optimizer" else set()
    installed = f" Installed: {listing(short)}." if kind != "optimizer" else " optreg.list_optimizers() shows all."
    return UnknownOptimizer(f"There is no {kind} {name!r}.{suggestion(fold(name), words)}{installed}")


def _ambiguous(kind: str, name: str, rivals: list[Entry]) -> AmbiguousOptimizer:
    offers = ", ".join(f"{entry.qualified_name!r} ({entry.version or SESSION})" for entry in rivals)
    pin = f"OPTREG_PINS={name}={rivals[0].distribution}"
    return AmbiguousOptimizer(
        f"The {kind} {name!r} is offered by several distributions: {offers}. "
        f"Ask for one by that qualified name, or pin one: {pin}."
    )
