"""Checks that installed plugins contribute with the hook ``conformance_checks``, each under ``distribution/check_...``.

They run on the optimizers of their own distribution, and elsewhere where they are asked for by name. The name of the
distribution is put before the name of the function, so that none can take the place of another's or of optreg's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from optreg.conformance.definition import Check, check_behind
from optreg.discovery.entries import PLUGIN
from optreg.errors import listing
from optreg.registry import default_registry

HOOK = "conformance_checks"


class OwnChecks(NamedTuple):
    """The checks of one distribution, and a sentence for each that could not be had."""

    checks: tuple[Check, ...] = ()
    problems: tuple[str, ...] = ()


def own_checks(distribution: str, known: Iterable[str] = ()) -> OwnChecks:
    """Return the checks that a distribution contributes. Loads its hook objects, and those of no other.

    Args:
        distribution: Normalised name.
        known: Identities of optreg's own checks, which a contributed one may require.
    """
    registry = default_registry()
    contributions = registry.contributions
    entries = [entry for entry in registry.entries(kind=PLUGIN) if entry.distribution == distribution]
    given = [item.value for entry in entries for item in contributions.of(HOOK, only=entry, objection=_objection)]
    failures = [str(item) for item in contributions.failures if item.distribution == distribution]
    made = [_described(value) for value in given]
    named = {one.id: _namespaced(one, distribution, {item.id for item in made}) for one in made}
    faults = [_fault(one, {*known, *(item.id for item in named.values())}) for one in named.values()]
    twice = [f"{distribution} contributes two checks {name}" for name in _repeated(one.id for one in made)]
    sound = tuple(one for one, fault in zip(named.values(), faults, strict=True) if not fault)
    return OwnChecks(sound, (*failures, *twice, *filter(None, faults)))


def _namespaced(check: Check, distribution: str, siblings: set[str]) -> Check:
    requires = tuple(f"{distribution}/{name}" if name in siblings else name for name in check.requires)
    return replace(check, distribution=distribution, group=f"{distribution}/{check.group}", requires=requires)


def _fault(check: Check, known: set[str]) -> str:
    missing = set(check.requires) - known
    return f"{check.id} requires {listing(missing)}, which does not exist" if missing else ""


def _objection(value: Any) -> str:
    if isinstance(value, Check) or check_behind(value) is not None:
        return ""
    return f"contributed {value!r}, which is no check: mark the function with @optreg.conformance.check(...)"


def _described(value: Any) -> Check:
    found = value if isinstance(value, Check) else check_behind(value)
    assert found is not None, "the objection has let a value through that is no check"  # noqa: S101 - for the type checker
    return found


def _repeated(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})
