"""Finding the entry for a name, and saying what is wrong when there is none. Nothing is imported on either way."""

from __future__ import annotations

from optreg.discovery.entries import SESSION, Entry, fold
from optreg.discovery.index import Index
from optreg.errors import AmbiguousOptimizer, UnknownOptimizer, UnusableOptimizer, listing, suggestion


def find(index: Index, kind: str, name: str) -> Entry:
    """Return the entry for a qualified name, a short name or an alias, in this order. It may be unusable.

    Raises:
        UnknownOptimizer: Nothing installed answers to the name.
        AmbiguousOptimizer: Several plugins do, and the user has pinned none.
    """
    distribution, slash, short = name.strip().rpartition("/")
    folded = fold(short)
    if slash:
        entry = index.of(kind, distribution, folded)
    else:
        _refuse_useless_pin(index, folded)
        entry = index.winners.get((kind, folded)) or _unsettled(index, kind, folded) or _by_alias(index, kind, folded)
    if entry is None:
        raise unknown(index, kind, name)
    return entry


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


def unusable(entry: Entry) -> UnusableOptimizer:
    """Return the error for an entry that cannot be loaded, with its reason and what to do."""
    step = f" Next step: {entry.next_step}." if entry.next_step else ""
    return UnusableOptimizer(f"{entry.qualified_name} ({entry.origin}) is {entry.state.value}: {entry.reason}.{step}")


def unknown(index: Index, kind: str, name: str) -> UnknownOptimizer:
    """Return the error for a name that nothing answers to, with the nearest one that something does."""
    entries = [entry for entry in index.entries if entry.kind == kind]
    short = {entry.name for entry in entries}
    words = short | {alias for entry in entries for alias in entry.aliases}
    words |= {entry.qualified_name for entry in entries} if "/" in name else set()
    installed = f" Installed: {listing(short)}." if kind != "optimizer" else " optreg.list_optimizers() shows all."
    return UnknownOptimizer(f"There is no {kind} {name!r}.{suggestion(fold(name), words)}{installed}")


def _unsettled(index: Index, kind: str, name: str) -> Entry | None:
    """Return the only entry of a name that has no winner."""
    named = index.named(kind, name)
    rivals = [entry for entry in named if entry.verdict.state.usable] or named
    if len(rivals) > 1:
        raise _ambiguous(kind, name, rivals)
    return rivals[0] if rivals else None


def _by_alias(index: Index, kind: str, alias: str) -> Entry | None:
    rivals = index.aliased(kind, alias)
    winner = index.policy.winner(alias, rivals) if rivals else None
    if rivals and winner is None:
        raise _ambiguous(kind, alias, rivals)
    return winner


def _ambiguous(kind: str, name: str, rivals: list[Entry]) -> AmbiguousOptimizer:
    offers = ", ".join(f"{entry.qualified_name!r} ({entry.version or SESSION})" for entry in rivals)
    pin = f"OPTREG_PINS={name}={rivals[0].distribution}"
    return AmbiguousOptimizer(
        f"The {kind} {name!r} is offered by several distributions: {offers}. "
        f"Ask for one by that qualified name, or pin one: {pin}."
    )


def _refuse_useless_pin(index: Index, name: str) -> None:
    """A pin to something that is not installed must not silently give the user another optimizer."""
    pinned = index.policy.pins.get(name)
    if pinned is None:
        return
    offers = [entry for entry in index.entries if name in (entry.name, *entry.aliases)]
    chosen = [entry for entry in offers if entry.distribution in (pinned, SESSION)]
    if any(entry.verdict.state.usable for entry in chosen):
        return
    if chosen:
        raise unusable(chosen[0])
    raise UnusableOptimizer(
        f"{name!r} is pinned to the distribution {pinned!r}, which does not offer it. "
        f"Offered by: {listing(entry.distribution for entry in offers)}. "
        f"Next step: pip install {pinned}, or take the pin out of OPTREG_PINS."
    )
