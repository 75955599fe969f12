"""All checks, and the choice among them. Nothing here loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from types import ModuleType

from optreg.conformance.check import Check, check_behind
from optreg.conformance.checks import (
    dense,
    distribution,
    execution,
    hygiene,
    hyperparameters,
    numerics,
    persistence,
    slots,
    sparse,
    structure,
)
from optreg.errors import InvalidFilter, listing, suggestion

_MODULES: tuple[ModuleType, ...] = (
    structure,
    hyperparameters,
    slots,
    dense,
    sparse,
    execution,
    distribution,
    persistence,
    numerics,
    hygiene,
)


@cache
def all_checks() -> tuple[Check, ...]:
    """Return every check, by group, each after those it requires."""
    found = [check for module in _MODULES for check in _defined_in(module)]
    return _completed(found, {check.id: check for check in found})


def groups() -> tuple[str, ...]:
    """Return the names of the groups, in the order of the checks."""
    return tuple(dict.fromkeys(check.group for check in all_checks()))


def select_checks(checks: Sequence[str] = (), groups: Sequence[str] = ()) -> tuple[Check, ...]:
    """Return the checks named and those of the groups named, without what they require; all of them for no names.

    Args:
        checks: Identities, with or without ``check_``, and with ``-`` or ``_``.
        groups: Names of groups.

    Raises:
        InvalidFilter: There is no such check or group; the message suggests the nearest.
    """
    if not checks and not groups:
        return all_checks()
    known = {check.id: check for check in all_checks()}
    by_group = [check for name in groups for check in _in_group(name)]
    by_name = [known[_identity(name, known)] for name in checks]
    return tuple(check for check in all_checks() if check in by_group or check in by_name)


def with_required(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks with all that they require, each after those it requires."""
    return _completed(checks, {check.id: check for check in all_checks()})


def _defined_in(module: ModuleType) -> list[Check]:
    own = (function for function in vars(module).values() if getattr(function, "__module__", "") == module.__name__)
    return [check for function in own if (check := check_behind(function)) is not None]


def _completed(checks: Iterable[Check], known: dict[str, Check]) -> tuple[Check, ...]:
    ordered: dict[str, Check] = {}

    def add(check: Check) -> None:
        for required in check.requires:
            add(known[required])
        ordered.setdefault(check.id, check)

    for check in checks:
        add(check)
    return tuple(ordered.values())


def _in_group(name: str) -> list[Check]:
    found = [check for check in all_checks() if check.group == name.strip().lower()]
    if not found:
        raise InvalidFilter(
            f"There is no group of checks {name!r}.{suggestion(name, groups())} Groups: {', '.join(groups())}"
        )
    return found


def _identity(name: str, known: dict[str, Check]) -> str:
    folded = name.strip().lower().replace("-", "_").replace(" ", "_")
    identity = next((check.id for check in known.values() if folded in (check.id, check.title)), None)
    if identity is None:
        near = suggestion(folded, known) or suggestion(folded, [check.title for check in known.values()])
        raise InvalidFilter(
            f"There is no check {name!r}.{near} The groups of checks are {listing(groups())}; "
            "optreg.conformance.all_checks() returns all"
        )
    return identity
