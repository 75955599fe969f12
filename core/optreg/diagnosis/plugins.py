"""What is wrong with plugins and with the user's settings about them. Told without importing anything."""

from __future__ import annotations

from collections.abc import Iterator

from optreg.diagnosis.finding import Finding, Severity
from optreg.discovery.entries import KINDS, Entry, State
from optreg.discovery.index import Index
from optreg.discovery.policy import Policy
from optreg.errors import InvalidFilter, PolicyViolation, listing
from optreg.registry.lookup import Resolution
from optreg.registry.registry import Registry

_PROBLEMS = (State.BROKEN, State.INCOMPATIBLE, State.MISSING_DEPENDENCY)


def findings(registry: Registry) -> Iterator[Finding]:
    """Yield what is wrong with the entries of a registry and with its policy.

    Raises:
        InvalidFilter: The settings cannot be read.
    """
    index = registry.index
    yield from (of_entry(entry) for kind in KINDS for entry in index.shown(kind) if entry.reason)
    yield from _of_policy(index)
    try:
        registry.enforce()
    except (PolicyViolation, InvalidFilter) as error:
        yield Finding("problem", "demands", str(error))


def of_entry(entry: Entry) -> Finding:
    """Return what an entry's state means for the user."""
    severity: Severity = "problem" if entry.state in _PROBLEMS else "note"
    text = f"{entry.state.value}: {entry.reason} ({entry.origin})"
    return Finding(severity, f"{entry.kind} {entry.qualified_name}", text, entry.next_step)


def _of_policy(index: Index) -> Iterator[Finding]:
    policy = index.policy
    installed = {entry.distribution for entry in index.entries}
    for name, pin in policy.pins.items():
        offers = [entry for entry in index.entries if name in (entry.name, *entry.aliases)]
        if not any(entry.distribution == pin.target for entry in offers):
            who = listing({entry.distribution for entry in offers})
            text = f"{name!r} is pinned to {pin.target}, which does not offer it; offered by: {who}"
            yield Finding("problem", pin.source, text, f"pip install {pin.target}, or take the pin out")
    for name, choice in policy.aliases.items():
        found = Resolution(index, "optimizer", name)
        if found.error is not None:
            yield Finding("problem", choice.source, f"the alias {name!r} leads nowhere: {found.error}", "correct it")
    yield from _idle_words(policy, installed)


def _idle_words(policy: Policy, installed: set[str]) -> Iterator[Finding]:
    """A misspelt distribution in a list does nothing, silently."""
    for rule in (policy.disabled, policy.allowed):
        for word in rule.words if rule else ():
            if rule and not any(rule._replace(words=(word,)).covers(name) for name in installed):
                yield Finding("note", rule.source, f"{word!r} fits no installed plugin", "check the spelling")
