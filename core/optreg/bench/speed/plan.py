"""Dividing the time budget: what is measured at all, and how much of the rest each group of entries gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optreg.bench.results import SpeedEntry, State
from optreg.bench.speed.ceiling import CEILING
from optreg.bench.speed.forecast import Forecast

_RESERVE = 0.9  # forecasts err; a tenth is kept back


@dataclass(frozen=True)
class Group:
    """The entries that are measured side by side: one optimizer on one layout and device, by all implementations."""

    entries: tuple[SpeedEntry, ...]


def admit(groups: Sequence[Group], seconds: float, forecast: Forecast) -> list[SpeedEntry]:
    """Return the entries of all groups that fit into the time: ours first, then the cheapest, what XLA compiles last.

    A peer that takes half a minute to compile must not crowd out three that do not.
    """
    entries = [entry for group in groups for entry in group.entries]
    left = seconds * _RESERVE
    admitted = []
    for entry in sorted(entries, key=lambda it: (is_peer(it), is_compiled(it), forecast.least_seconds(it))):
        cost = forecast.least_seconds(entry)
        if cost <= left:
            admitted.append(entry)
            left -= cost
    return admitted


def slice_of(group: Group, groups: Sequence[Group], seconds: float, forecast: Forecast) -> float:
    """Return the seconds that the group gets: what it needs at least, and its part of what nobody needs.

    ``groups`` are all that have not been measured yet, ``group`` among them.
    """
    admitted = admit(groups, seconds, forecast)
    own = [entry for entry in admitted if entry in group.entries]
    spare = max(seconds * _RESERVE - sum(forecast.least_seconds(entry) for entry in admitted), 0.0)
    return sum(forecast.least_seconds(entry) for entry in own) + spare * len(own) / max(len(admitted), 1)


def turn_away(group: Group, admitted: Sequence[SpeedEntry], forecast: Forecast, budget: float) -> None:
    """Mark the entries of the group that do not fit, saying what they would have taken."""
    for entry in group.entries:
        if entry not in admitted and entry.state.name == "finished":
            reason = f"does not fit into the budget of {budget:g} s; raise --budget"
            entry.state = State("skipped", reason, forecast.least_seconds(entry))


def is_compiled(entry: SpeedEntry) -> bool:
    """Tell whether XLA compiles the entry; it then needs the trace of its graph, and may take a minute more."""
    return entry.execution == "xla"


def is_peer(entry: SpeedEntry) -> bool:
    """Tell whether the entry belongs to another library."""
    return entry.implementation not in ("optreg", "harness", CEILING)
