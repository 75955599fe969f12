"""What a learning task is: data, a loss and a metric, the same for every optimizer that meets it."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np  # noqa: TC002 - third parties read these types at run time
import tensorflow as tf  # noqa: TC002 - see numpy

from optreg.bench.tasks.sources import Need


class Judgement(NamedTuple):
    """What a look at the weights says: the loss, and the metric by which the task is judged. Two scalar tensors."""

    loss: Any
    metric: Any


@dataclass(frozen=True)
class Problem:
    """A task made concrete by a seed: every optimizer starts at the same weights and meets the same batches.

    Args:
        weights: Initial values of the variables.
        batches: One entry for each step, ``[steps, ...]``; given to ``loss`` one after the other.
        loss: Function of the variables and one entry of ``batches``, a scalar; its gradient is what is trained on.
        judge: Function of the variables, evaluated outside the timed steps.
        fingerprint: sha256 of the data, so that only equal data are compared.
        references: Values of the metric that need no optimizer, such as ``{"always the mean": 1.1}``.
    """

    weights: Sequence[np.ndarray]
    batches: tf.Tensor
    loss: Callable[[Sequence[Any], Any], Any]
    judge: Callable[[Sequence[Any]], Judgement]
    fingerprint: str
    references: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A learning task, as built-in ones and those of plugins are declared.

    A plugin returns a list of tasks from the hook ``bench_workloads``; they then appear in all tables.

    Args:
        name: Short name, as given to ``--task``.
        summary: One sentence on data and model.
        make: Function of a seed and a number of steps; equal arguments give equal problems, and fewer steps
            give the first batches of more steps.
        steps: Planned length of a training run; only its end gives a verdict.
        epoch: Steps of one pass over the data, 1 where every step sees all of them.
        metric: Name of what ``judge`` returns beside the loss.
        higher_is_better: Whether a greater metric is a better one.
        suites: Suites that the task belongs to, of ``smoke``, ``quick`` and ``standard``; ``full`` has all.
        source: Where the data come from.
        needs: What must be installed for it.
        target: Metric to be reached, where no calibrated one is stored.
        plausible: The best metric that can be true; anything better has seen the answers.
    """

    name: str
    summary: str
    make: Callable[[int, int], Problem]
    steps: int
    epoch: int = 1
    metric: str = "accuracy"
    higher_is_better: bool = True
    suites: tuple[str, ...] = ("standard",)
    source: str = ""
    needs: tuple[Need, ...] = ()
    target: float | None = None
    plausible: float | None = None

    @property
    def code(self) -> str | None:
        """The sha256 of the file that ``make`` stands in; None where there is no such file."""
        made_by: Any = self.make
        while isinstance(made_by, functools.partial):
            made_by = made_by.func
        try:
            return hashlib.sha256(Path(inspect.getfile(inspect.unwrap(made_by))).read_bytes()).hexdigest()
        except (TypeError, ValueError, OSError):  # a callable object, or a function of an interactive session
            return None

    @property
    def evaluate_every(self) -> int:
        """Steps between two looks at the metric: about forty looks a run, so that a target is met to 2.5 %."""
        return max(self.steps // 40, 1)

    def reaches(self, metric: float, target: float) -> bool:
        """Tell whether the metric is at the target or better; what is not a number is not."""
        return metric >= target if self.higher_is_better else metric <= target

    def absent(self) -> str:
        """Return why the task cannot run here, with the command that changes that, or an empty string."""
        return " ".join(reason for need in self.needs if (reason := need.absent()))
