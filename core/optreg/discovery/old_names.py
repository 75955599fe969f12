"""Deprecated names: entries of their own, made from what the cards declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optreg.discovery.entries import Entry, State, Verdict, fold, old_name_verdict

if TYPE_CHECKING:
    from optreg.discovery.index import Index


def old_names(index: Index, present: Iterable[Entry]) -> Iterator[Entry]:
    """Yield an entry for each old name that the cards of these entries declare.

    One that a present name has taken over, or that several cards claim, is marked so.
    """
    claims: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in present:
        if entry.usable:
            for old in entry.digest.deprecated:
                if fold(old[0]) != entry.name:
                    claims[entry.kind, fold(old[0])].append(_old_name(index, entry, old))
    for (kind, name), rivals in claims.items():
        holders = [holder for holder in index.named(kind, name) if holder.usable]
        yield from (_placed(entry, rivals, holders) for entry in rivals)


def _old_name(index: Index, entry: Entry, old: tuple[str, str, str, str]) -> Entry:
    name, since, removal, wanted = old
    found = entry if not wanted else _present(index, entry.kind, wanted)
    verdict = old_name_verdict(entry, since, removal, wanted or entry.name)
    if found is None:
        reason = f"an old name of {wanted!r}, which nothing installed offers under a present name"
        verdict = Verdict(State.BROKEN, reason, f"report it to the authors of {entry.distribution}")
    return replace(entry, name=fold(name), verdict=verdict, replacement=found or entry)


def _present(index: Index, kind: str, wanted: str) -> Entry | None:
    """Return the entry that a replacement names: present names only, so that no chain of old names can be a circle."""
    distribution, slash, short = wanted.strip().rpartition("/")
    named = index.named(kind, fold(short))
    if slash:
        return next((entry for entry in named if entry.distribution == fold(distribution).replace("_", "-")), None)
    aliased = index.aliased(kind, fold(short))
    return index.winners.get((kind, fold(short))) or next(iter([*named, *aliased]), None)


def _placed(entry: Entry, rivals: list[Entry], holders: list[Entry]) -> Entry:
    if not entry.verdict.usable:
        return entry
    if holders:
        new = entry.replacement.qualified_name if entry.replacement else ""
        return entry.judged(State.SHADOWED, f"{entry.name!r} is now {holders[0].qualified_name}", f"use {new!r}")
    others = [other.origin for other in rivals if other is not entry and other.verdict.usable]
    if others:
        reason = f"also an old name of {', '.join(others)}"
        return entry.judged(State.AMBIGUOUS, reason, entry.verdict.next_step)
    return entry
