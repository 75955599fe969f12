"""Entry points to records, nothing imported.

The result depends on what is installed and on the user's policy, never on the order of the path or of installation.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from optreg.cards.digest_store import DigestStore, cache_folder
from optreg.discovery.distributions import Distribution, EntryPoint, distributions, normalise
from optreg.discovery.entries import BUILT_IN, GROUPS, PLUGIN, SESSION, Entry, State, fold
from optreg.discovery.gates import Gates, Surroundings
from optreg.discovery.policy import Policy

GROUP_PREFIX = "optreg."

NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Index:
    """All entries, settled: each with the state that metadata and policy give it.

    Args:
        entries: Sorted by name, then distribution, then kind.
        winners: (kind, short name) to the entry that answers to it.
        policy: The user's decisions the index was settled with.
    """

    entries: tuple[Entry, ...] = ()
    winners: dict[tuple[str, str], Entry] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)

    def shown(self, kind: str) -> list[Entry]:
        """Return all entries of a kind and the old names that their cards declare, sorted. Reads those cards, once."""
        if kind not in self._shown:
            from optreg.discovery.old_names import old_names  # noqa: PLC0415 - look-up by name does without it

            present = [entry for entry in self.entries if entry.kind == kind]
            self._shown[kind] = sorted((*present, *old_names(self, present)), key=entry_order)
        return self._shown[kind]

    @cached_property
    def _shown(self) -> dict[str, list[Entry]]:
        return {}

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Entry]]:
        return _grouped(self.entries)

    def named(self, kind: str, name: str) -> list[Entry]:
        """Return every entry of that kind and folded name, of whatever state; old names are left out."""
        return self._named.get((kind, name), [])

    def formerly(self, kind: str, name: str) -> list[Entry]:
        """Return every old name of that kind that is written so. Reads every card, once."""
        return [entry for entry in self.shown(kind) if entry.replacement and entry.name == name]

    def of(self, kind: str, distribution: str, name: str) -> Entry | None:
        """Return the entry with that qualified name."""
        wanted = normalise(distribution)
        return next((entry for entry in self.named(kind, name) if entry.distribution == wanted), None) or next(
            (entry for entry in self.formerly(kind, name) if entry.distribution == wanted), None
        )

    def of_target(self, target: str) -> Entry | None:
        """Return the entry that names ``module:Class``; the one that answers to a short name first."""
        return next((e for e in (*self.winners.values(), *self.entries) if e.target == target), None)

    def aliased(self, kind: str, alias: str) -> list[Entry]:
        """Return the usable entries that answer to an alias. Reads the cards of that kind, once."""
        return self._aliases.get((kind, alias), [])

    @cached_property
    def _aliases(self) -> dict[tuple[str, str], list[Entry]]:
        found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.usable:
                for alias in entry.aliases:
                    found[entry.kind, alias].append(entry)
        return found


def discover(
    path: Sequence[str] | None = None, *, policy: Policy, environment: Mapping[str, str] | None = None
) -> tuple[Entry, ...]:
    """Read the metadata on the path (``sys.path`` by default) into entries; ``settle`` makes an index of them."""
    places = sys.path if path is None else path
    store = DigestStore(cache_folder(environment))
    surroundings = Surroundings([*places, *sys.path])  # imports come from there, wherever the plugins were looked for
    found = distributions(places, group_prefix=GROUP_PREFIX)
    return tuple(
        entry
        for distribution in found
        for entry in _entries(distribution, policy, store=store, gates=_gates(distribution, surroundings))
    )


def _gates(distribution: Distribution, surroundings: Surroundings) -> Gates | None:
    return None if distribution.name == BUILT_IN else Gates(distribution, surroundings)


def is_target(text: str) -> bool:
    """Whether a text has the form ``module:Class``, dotted names on both sides."""
    parts = text.split(":")
    return len(parts) == 2 and all(word.isidentifier() for part in parts for word in part.split("."))  # noqa: PLR2004


def settle(entries: Iterable[Entry], policy: Policy) -> Index:
    """Decide who answers to each short name, and mark the others ambiguous or shadowed."""
    rivals = _grouped(sorted(entries, key=entry_order))
    settled: list[Entry] = []
    winners: dict[tuple[str, str], Entry] = {}
    for key, group in rivals.items():
        candidates = _candidates(group)
        winner = policy.winner(key[1], candidates) if candidates else None
        if winner:
            winners[key] = winner
        settled += [_placed(entry, winner, candidates) for entry in group]
    return Index(tuple(sorted(settled, key=entry_order)), winners, policy)


def entry_order(entry: Entry) -> tuple[str, str, str]:
    """Return the key that entries are sorted by, whatever the order in which they were found."""
    return entry.name, entry.distribution, entry.kind


def _grouped(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.kind, entry.name].append(entry)
    return groups


def _candidates(group: list[Entry]) -> list[Entry]:
    """Return the entries that may answer to the name they share; a broken rival spoils nothing."""
    allowed = [entry for entry in group if entry.verdict.state is State.READY]
    if len(allowed) == 1 or any(entry.distribution in (BUILT_IN, SESSION) for entry in allowed):
        return allowed  # no card need be read for a name that nobody contests
    return [entry for entry in allowed if entry.usable] or allowed


def _placed(entry: Entry, winner: Entry | None, candidates: list[Entry]) -> Entry:
    if entry is winner or entry not in candidates:
        return entry
    if winner and winner.distribution == SESSION:
        step = f"use {entry.qualified_name!r}, or optreg.unregister({entry.name!r})"
        return entry.judged(State.SHADOWED, "replaced in this session", step)
    if winner:
        reason = f"{winner.name!r} is {winner.qualified_name}"
        step = f"use {entry.qualified_name!r}, or pin it: OPTREG_PINS={entry.name}={entry.distribution}"
        return entry.judged(State.SHADOWED, reason, step)
    others = ", ".join(other.origin for other in candidates if other is not entry)
    step = f"use {entry.qualified_name!r}, or pin it: OPTREG_PINS={entry.name}={entry.distribution}"
    return entry.judged(State.AMBIGUOUS, f"also offered by {others}", step)


def _entries(distribution: Distribution, policy: Policy, *, store: DigestStore, gates: Gates | None) -> Iterator[Entry]:
    """Yield the entries of one distribution; a name written twice with different targets is broken."""
    verdict = policy.verdict(distribution.name)
    targets: dict[tuple[str, str], Entry] = {}
    for point in sorted(set(distribution.entry_points)):
        if point.group not in GROUPS:
            continue
        entry = _entry(point, distribution, store=store, gates=gates)
        if verdict.state is State.DISABLED:
            entry = entry.judged(verdict.state, verdict.reason, verdict.next_step)
        key = (entry.kind, entry.name)
        if key in targets and targets[key].target != entry.target:
            reason = f"its metadata gives the name two targets: {targets[key].target} and {entry.target}"
            entry = _broken(entry, reason)
        targets[key] = entry
    yield from targets.values()


def _entry(point: EntryPoint, distribution: Distribution, *, store: DigestStore, gates: Gates | None) -> Entry:
    name, target = fold(point.name), point.value.partition("[")[0].strip()  # extras may follow in brackets
    kind = GROUPS[point.group]
    form = "module:Class" if kind != PLUGIN else "module or module:object"
    target = target if is_target(target) or (kind == PLUGIN and is_target(f"{target}:plugin")) else ""
    entry = Entry(name, kind, distribution.name, distribution.version, target, gates=gates, store=store)
    if not NAME.fullmatch(name):
        return _broken(entry, f"the registered name {point.name!r} is not of the form [a-z][a-z0-9_]*")
    if not target:
        return _broken(entry, f"the entry point {point.value!r} is not of the form {form}")
    return entry


def _broken(entry: Entry, reason: str) -> Entry:
    return entry.judged(State.BROKEN, reason, f"report it to the authors of {entry.distribution}")
