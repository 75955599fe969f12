"""Where targets come from: a stored, repeatable procedure, not a guess.

The rule of AlgoPerf at small scale: tune each reference optimizer on the task, rerun the best of them with many seeds,
and take the median of what it ends with. Half of its runs reach the target, so that a lucky seed cannot set it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optreg.bench.tasks.task import Task
from optreg.errors import OptregError

SCHEMA = "optreg.bench.targets/1"
_STORED = "targets.json"


class UnreadableTargets(OptregError, ValueError):
    """The file holds no calibrated targets of this version."""


@dataclass(frozen=True)
class Target:
    """A calibrated target and everything that went into it.

    ``low`` and ``high`` enclose the median with 95 %: a repetition must fall between them. ``best`` is the best metric
    seen in any run: what is far better has seen the answers. ``fingerprint`` and ``steps`` say for which data and which
    length of training the target holds.
    """

    task: str
    metric: str
    value: float
    low: float
    high: float
    best: float
    steps: int
    fingerprint: str
    winner: str
    learning_rate: float | None
    trials: int
    seeds: int
    finals: tuple[float, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """Targets, the optimizers they were found with, and where; ``digest`` guards the targets against editing."""

    references: tuple[str, ...]
    targets: tuple[Target, ...]
    machine: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""

    @property
    def digest(self) -> str:
        """The sha256 of references and targets."""
        content = {"references": list(self.references), "targets": [asdict(target) for target in self.targets]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON types."""
        return {
            "schema": SCHEMA,
            "digest": self.digest,
            "started": self.started,
            "machine": dict(self.machine),
            "references": list(self.references),
            "targets": [asdict(target) for target in self.targets],
        }

    def find(self, task: str, *, fingerprint: str, steps: int) -> Target | None:
        """Return the target of a task, if it was calibrated on the same data and the same length of training."""
        same = (target for target in self.targets if target.task == task)
        return next((it for it in same if (it.fingerprint, it.steps) == (fingerprint, steps)), None)


def read_targets(path: Path) -> Calibration:
    """Return the calibration in a file.

    Raises:
        UnreadableTargets: It is not one, or its targets were changed by hand.
    """
    return _parsed(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def stored_targets() -> Calibration:
    """Return the calibration that optreg ships."""
    text = importlib.resources.files("optreg.bench.quality").joinpath(_STORED).read_text(encoding="utf-8")
    return _parsed(text, _STORED)


def _parsed(text: str, name: str) -> Calibration:
    try:
        content = json.loads(text)
        fields = [{**item, "finals": tuple(item["finals"])} for item in content["targets"]]
        targets = tuple(Target(**item) for item in fields)
        calibration = Calibration(tuple(content["references"]), targets, content["machine"], content["started"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableTargets(f"{name} holds no targets of schema {SCHEMA}: {error!r}") from error
    if content.get("schema") != SCHEMA or content.get("digest") != calibration.digest:
        raise UnreadableTargets(f"{name}: schema or digest do not fit; write it with optreg bench calibrate")
    return calibration


def calibrated(task: Task, finals: Sequence[float], **provenance: Any) -> Target:
    """Return the target from the final metrics of the best reference optimizer, one for each seed."""
    from optreg.bench.statistics import median_interval  # noqa: PLC0415 - needs scipy

    interval = median_interval(finals)
    best = max(finals) if task.higher_is_better else min(finals)
    return Target(
        task=task.name,
        metric=task.metric,
        value=float(np.median(finals)),
        low=interval.low,
        high=interval.high,
        best=best,
        steps=task.steps,
        seeds=len(finals),
        finals=tuple(finals),
        **provenance,
    )
