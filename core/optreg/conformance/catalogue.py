"""All checks, and the choice among them. Nothing here loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from types import ModuleType

from optreg.conformance.checks import (
    clipping,
    copies,
    dense,
    distribution,
    execution,
    fresh_process,
    hygiene,
    hyperparameters,
    keras,
    numerics,
    persistence,
    precision,
    slots,
    sparse,
    sparse_inputs,
    steps,
    structure,
    tf_keras,
)
from optreg.conformance.contributed import OwnChecks, own_checks
from optreg.conformance.definition import Check, check_behind
from optreg.errors import InvalidFilter, listing, suggestion

_MODULES: tuple[ModuleType, ...] = (
    structure,
    hyperparameters,
    slots,
    dense,
    steps,
    clipping,
    sparse,
    sparse_inputs,
    execution,
    distribution,
    persistence,
    copies,
    fresh_process,
    numerics,
    precision,
    keras,
    tf_keras,
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
    """Return the checks named and those of the groups named, without what they require.

    For no names all of optreg's but those that run on request only.

    Args:
        checks: Identities, with or without ``check_``, and with ``-`` or ``_``; ``distribution/check_...`` for one that
            a plugin contributes.
        groups: Names of groups; ``distribution/group`` or ``distribution/*`` for contributed ones.

    Raises:
        InvalidFilter: There is no such check or group; the message suggests the nearest.
    """
    if not checks and not groups:
        return tuple(check for check in all_checks() if not check.on_request)
    named = (*checks, *groups)
    foreign = [check for name in _distributions(named) for check in contributed_by(name).checks]
    candidates = (*all_checks(), *foreign)
    known = {check.id: check for check in candidates}
    by_group = [check for name in groups for check in _in_group(name, candidates)]
    by_name = [known[_identity(name, known)] for name in checks]
    return tuple(check for check in candidates if check in by_group or check in by_name)


def contributed_by(distribution: str) -> OwnChecks:
    """Return the checks that one distribution contributes; see ``optreg.conformance.contributed``."""
    return own_checks(distribution, [check.id for check in all_checks()])


def with_required(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks with all that they require, each after those it requires."""
    wanted = list(checks)
    foreign = [one for name in {check.distribution for check in wanted} - {""} for one in contributed_by(name).checks]
    return _completed(wanted, {check.id: check for check in (*all_checks(), *foreign)})


def _distributions(names: Iterable[str]) -> list[str]:
    """Return the distributions whose checks are asked for, each once."""
    return list(dict.fromkeys(name.strip().partition("/")[0] for name in names if "/" in name))


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


def _in_group(name: str, candidates: Sequence[Check]) -> list[Check]:
    wanted = name.strip().lower()
    found = [check for check in candidates if wanted in {check.group, f"{check.distribution}/*"}]
    if not found:
        there_are = tuple(dict.fromkeys(check.group for check in candidates))
        raise InvalidFilter(
            f"There is no group of checks {name!r}.{suggestion(name, there_are)} Groups: {', '.join(there_are)}"
        )
    return found


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _identity(name: str, known: dict[str, Check]) -> str:
    folded = _folded(name)
    identity = next((one.id for one in known.values() if folded in (_folded(one.id), _folded(one.title))), None)
    if identity is None:
        near = suggestion(folded, known) or suggestion(folded, [check.title for check in known.values()])
        raise InvalidFilter(
            f"There is no check {name!r}.{near} The groups of checks are {listing(groups())}; "
            "optreg.conformance.all_checks() returns all"
        )
    return identity
