"""What finished in the old results and broke in the new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from optreg.bench.results import Results
from optreg.bench.results.sections import Identity, identity_of
from optreg.bench.speed.ceiling import AIDS

_SECTIONS = ("training", "splits", "descents", "memory", "replicas", "speed")


@dataclass(frozen=True)
class Breakage:
    """An entry that finished before, and failed or diverged since.

    ``state`` and ``reason`` are those of the first record of ``count``: a training has one for each seed.
    """

    section: str
    label: str
    state: str
    reason: str
    count: int = 1

    def __str__(self) -> str:
        """Return it in words."""
        times = f" ({self.count} runs)" if self.count > 1 else ""
        return f"{self.label} finished before and {self.state}{times}: {self.reason}"


def breakages(old: Results, new: Results) -> tuple[Breakage, ...]:
    """Return what broke, one for each label."""
    sound = {identity for identity, _, record in _records(old) if record.state.name == "finished"}
    found: dict[tuple[str, str], Breakage] = {}
    for identity, section, record in _records(new):
        if record.state.name in ("failed", "diverged") and identity in sound:
            key = section, _label(section, record)
            first = found.get(key, Breakage(*key, record.state.name, record.state.reason, 0))
            found[key] = replace(first, count=first.count + 1)
    return tuple(found.values())


def _records(results: Results) -> Iterator[tuple[Identity, str, Any]]:
    for section in _SECTIONS:
        for record in getattr(results, section):
            if record.implementation not in AIDS:
                yield identity_of(record), section, record


def _label(section: str, record: Any) -> str:
    """Return the words that the metrics of the same entry have."""
    if section in ("speed", "replicas"):
        return str(record.label)
    if section == "training":
        return f"{record.optimizer} {record.setting} {record.implementation} on {record.task}"
    if section == "memory":
        return f"{record.optimizer} on {record.layout}, {record.device}"
    if section == "descents":
        return f"{record.optimizer} {record.setting} on {record.landscape}"
    return f"parts of a step of {record.optimizer} {record.implementation} on {record.task}"
