"""What the user demands of the whole installation: strict mode, and plugins that must be there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optreg.discovery.distributions import normalise
from optreg.discovery.entries import KINDS, Entry, State
from optreg.discovery.gates import Surroundings, contains
from optreg.discovery.index import Index
from optreg.discovery.policy import Policy
from optreg.errors import InvalidFilter, PolicyViolation, listing

_NOT_TOLERATED = (
    State.BROKEN,
    State.INCOMPATIBLE,
    State.MISSING_DEPENDENCY,
    State.AMBIGUOUS,
    State.SHADOWED,
)


def enforce(index: Index, path: Sequence[str]) -> None:
    """Compare the installation with what the user demands. Decided without importing anything.

    Raises:
        PolicyViolation: A required plugin is absent, or strict mode does not tolerate an entry; all are listed.
        InvalidFilter: A required plugin is not given as pip writes requirements.
    """
    problems = [*_unmet(index.policy, path), *_not_tolerated(index)]
    if problems:
        raise PolicyViolation(" ".join(problems))


def _unmet(policy: Policy, path: Sequence[str]) -> Iterator[str]:
    if not policy.required.words:
        return
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - see gates

    versions = Surroundings(path).versions
    source = policy.required.source
    for word in policy.required.words:
        try:
            wanted = Requirement(word)
        except InvalidRequirement as error:
            raise InvalidFilter(f"{source}: {word!r} is not a requirement such as 'lynx-pack>=1.2'") from error
        name = normalise(wanted.name)
        step = f'pip install "{word}", or take it out of {source}'
        if name not in versions:
            yield f"The plugin {word!r} is required by {source} and is not installed. Next step: {step}."
        elif not contains(str(wanted.specifier), versions[name]):
            yield f"The plugin {word!r} is required by {source}; installed is {versions[name]}. Next step: {step}."
        elif policy.verdict(name).state is State.DISABLED:
            verdict = policy.verdict(name)
            yield f"The plugin {word!r} is required by {source} but {verdict.reason}. Next step: {verdict.next_step}."


def _not_tolerated(index: Index) -> Iterator[str]:
    if not index.policy.strict:
        return
    wrong = [
        entry
        for kind in KINDS
        for entry in index.shown(kind)
        if entry.state in _NOT_TOLERATED and not _chosen_by_user(index, entry)
    ]
    if wrong:
        listed = "; ".join(
            f"{entry.qualified_name} is {entry.state.value} ({entry.reason}; {entry.next_step})" for entry in wrong
        )
        yield (
            f"Strict mode ({index.policy.strict}) does not tolerate: {listed}. "
            f"Next step: repair, pin or disable {listing({entry.distribution for entry in wrong})}."
        )


def _chosen_by_user(index: Index, entry: Entry) -> bool:
    """Whether an entry is shadowed because the user wanted another one."""
    winner = index.winners.get((entry.kind, entry.name))
    pinned = entry.name in index.policy.pins
    return entry.state is State.SHADOWED and winner is not None and (pinned or winner.live is not None)
