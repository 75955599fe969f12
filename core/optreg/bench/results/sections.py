"""The sections of a results file that hold records, and what tells one record of a section from another."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

_IDENTITY = (
    "optimizer",
    "implementation",
    "execution",
    "layout",
    "task",
    "landscape",
    "start",
    "probe",
    "setting",
    "device",
    "strategy",
    "replicas",
    "footprint",
    "mix",
    "seed",
)
_FOUND = {
    "speed": "samples",
    "training": "losses",
    "memory": "allocated",
    "replicas": "samples",
    "searches": "attempts",
    "splits": "step",
    "descents": "steps_to",
}
"""What a record holds that was not only planned."""

Identity = tuple[Any, ...]


@functools.cache
def sections() -> Mapping[str, type[Any]]:
    """Return the record of each section; imported here, because those that come later build on these."""
    from optreg.bench.landscapes.descent import Descent  # noqa: PLC0415
    from optreg.bench.memory.records import MemoryEntry  # noqa: PLC0415
    from optreg.bench.probes.probe import Answer  # noqa: PLC0415
    from optreg.bench.quality.records import Search, TaskRecord  # noqa: PLC0415
    from optreg.bench.quality.split import SplitEntry  # noqa: PLC0415
    from optreg.bench.replicas.records import ReplicaEntry  # noqa: PLC0415
    from optreg.bench.results.records import SpeedEntry, Subject, TrainingRun  # noqa: PLC0415

    return {
        "subjects": Subject,
        "tasks": TaskRecord,
        "training": TrainingRun,
        "searches": Search,
        "splits": SplitEntry,
        "descents": Descent,
        "properties": Answer,
        "memory": MemoryEntry,
        "replicas": ReplicaEntry,
        "speed": SpeedEntry,
    }


def section_of(record: Any) -> str:
    """Return the section that a record belongs to."""
    return next(name for name, kind in sections().items() if isinstance(record, kind))


def identity_of(record: Any) -> Identity:
    """Return what tells the record from all others, the same in every run of the same plan."""
    return (type(record).__name__, *((name, getattr(record, name)) for name in _IDENTITY if hasattr(record, name)))


def is_final(record: Any) -> bool:
    """Tell whether the record says how the entry ended; what was skipped or only planned can still be measured."""
    if not hasattr(record, "state"):
        return True
    found = getattr(record, _FOUND.get(section_of(record), ""), True)
    return found not in (None, []) if record.state.name == "finished" else record.state.name != "skipped"
