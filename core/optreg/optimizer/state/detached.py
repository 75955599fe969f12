"""Slots without their variable: what a copied or unpickled optimizer holds until its variables come.

Slots go to a variable for one of three reasons, in this order: it was copied together with the optimizer, or the
optimizer was copied from one that trains it; it is the only one of the name, shape and dtype that they were kept for;
``build`` was called with all variables in their old order. Where none of them holds it is an error: state is neither
guessed nor dropped.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optreg.errors import InvalidState
from optreg.optimizer.distribution import shared_name

Description = tuple[str, tuple[int | None, ...], str]
"""Name, shape and dtype of a variable."""


def description_of(variable: Any) -> Description:
    """Return what describes a variable where it cannot be pointed at."""
    return shared_name(variable), tuple(variable.shape), variable.dtype.base_dtype.name


@dataclass(frozen=True)
class DetachedSlots:
    """The slots of one variable that is not here.

    Args:
        description: Name, shape and dtype of the variable.
        slots: Slot name to slot, a variable in any case.
        twin: The variable that was copied with the optimizer; dead if nobody else holds it.
        origin: The variable that the optimizer was copied from.
    """

    description: Description
    slots: Mapping[str, Any]
    twin: weakref.ref[Any] | None = None
    origin: weakref.ref[Any] | None = None

    @property
    def held_twin(self) -> Any | None:
        """The variable that was copied with the optimizer, if somebody holds it."""
        return self.twin() if self.twin is not None else None

    @property
    def owner(self) -> Any | None:
        """The variable known to be the owner, or None."""
        twin = self.held_twin
        return twin if twin is not None or self.origin is None else self.origin()


Match = tuple[DetachedSlots, Any]
"""Slots, and the variable that they belong to."""


def certain_matches(detached: Sequence[DetachedSlots], variables: Sequence[Any]) -> list[Match]:
    """Return the pairs that identity, or a name, shape and dtype found once on either side, decide."""
    known = [(slots, variable) for variable in variables for slots in detached if slots.owner is variable]
    free, strangers = _left(detached, variables, known)
    return known + [
        (slots, variable)
        for slots in free
        for variable in strangers
        if slots.description == description_of(variable)
        and sum(other.description == slots.description for other in free) == 1
        and sum(description_of(other) == slots.description for other in strangers) == 1
    ]


def matches(detached: Sequence[DetachedSlots], variables: Sequence[Any], *, in_order: bool) -> list[Match]:
    """Return the pairs of slots and variables; variables that cannot have been meant are left out.

    Args:
        detached: All that wait.
        variables: Variables about to get slots.
        in_order: Whether the order of the variables may decide where names do not.

    Raises:
        InvalidState: Slots wait, and it cannot be told whether a variable is theirs.
    """
    certain = certain_matches(detached, variables)
    free, strangers = _left(detached, variables, certain)
    if not free or not strangers:
        return certain
    known = [(slots, variable) for slots, variable in certain if slots.owner is variable]
    free, strangers = _left(detached, variables, known)
    if in_order and _agree_in_order(free, strangers):
        return known + list(zip(free, strangers, strict=True))
    raise InvalidState(_undecided(free, strangers))


def require_one_reading(detached: Sequence[DetachedSlots], variable: Any) -> None:
    """Refuse to look up a variable of which the waiting slots of several could be.

    Raises:
        InvalidState: Slots of several variables of its name, shape and dtype wait.
    """
    free, strangers = _left(detached, [variable], certain_matches(detached, [variable]))
    if strangers and any(slots.description == description_of(variable) for slots in free):
        raise InvalidState(_undecided(free, strangers))


def _left(
    detached: Sequence[DetachedSlots], variables: Sequence[Any], matched: Sequence[Match]
) -> tuple[list[DetachedSlots], list[Any]]:
    """Return slots and variables without a match; slots of a variable that somebody holds are not to be had."""
    taken = {id(part) for match in matched for part in match}
    free = [slots for slots in detached if id(slots) not in taken and slots.held_twin is None]
    return free, [variable for variable in variables if id(variable) not in taken]


def _agree_in_order(detached: Sequence[DetachedSlots], variables: Sequence[Any]) -> bool:
    """Whether the two lists pair up by shape and dtype and no name speaks against it."""
    names = {slots.description[0] for slots in detached}
    return len(detached) == len(variables) and all(
        slots.description[1:] == description_of(variable)[1:]
        and (slots.description[0] == shared_name(variable) or shared_name(variable) not in names)
        for slots, variable in zip(detached, variables, strict=True)
    )


def _undecided(detached: Iterable[DetachedSlots], variables: Iterable[Any]) -> str:
    return (
        "the optimizer was copied or unpickled without its variables, and its state cannot be matched with the ones "
        f"that came. State is kept for: {_described(slots.description for slots in detached)}. Variables that came: "
        f"{_described(description_of(variable) for variable in variables)}. Either copy the variables in the same call "
        "as the optimizer, or call build(var_list) with all variables in their old order, or load "
        "state_dict() into a fresh optimizer with var_list={old name: variable}"
    )


def _described(descriptions: Iterable[Description]) -> str:
    return ", ".join(f"{name!r} {shape} {dtype}" for name, shape, dtype in descriptions)
