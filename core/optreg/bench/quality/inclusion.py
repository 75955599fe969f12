"""A check of the tuner: an optimizer that contains another as a special case must not lose to it when both are tuned.

D. Choi et al.: On empirical comparisons of optimizers for deep learning. 2019. https://arxiv.org/abs/1910.05446
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optreg.bench.quality.inference import Estimate, probability_of_improvement
from optreg.bench.quality.ranking import final_metric
from optreg.bench.quality.rates import Rates
from optreg.bench.quality.records import Search
from optreg.bench.quality.searching import search
from optreg.bench.quality.training import train
from optreg.bench.quality.tunable import tunable
from optreg.bench.results import State, TrainingRun
from optreg.bench.tasks.catalogue import select_tasks
from optreg.bench.tasks.task import Task

_STEPS = 100
_PLAN = Rates(trials=7)


@dataclass(frozen=True)
class Inclusion:
    """How the general optimizer did against its special case, both tuned.

    ``chosen`` is the variant of the general one that its search preferred. ``wins`` is the probability that one of its
    runs is better; with 95 % confidence below one half, the tuner has failed.
    """

    special: str
    chosen: str
    wins: Estimate

    @property
    def holds(self) -> bool:
        """Whether the general optimizer is at least as good within noise."""
        return self.wins.value >= 0.5 or (self.wins.high is not None and self.wins.high >= 0.5)  # noqa: PLR2004 - even


def check_inclusion(special: str, general: Sequence[str], task: Task, *, plan: Rates, seeds: int = 5) -> Inclusion:
    """Return how variants of an optimizer, one of which contains the special case, do against it.

    Args:
        special: Label of the special case, such as ``sgd``.
        general: Labels that the search for the general optimizer may choose from, with their learning rates.
        task: What both are tuned and measured on.
        plan: Learning rates tried for each label.
        seeds: Measured runs of either; the searches have not seen them.
    """
    one = _search(special, task, plan)
    others = [_search(label, task, plan) for label in general]
    sign = -1.0 if task.higher_is_better else 1.0
    best = min(others, key=lambda it: sign * it.expected_best[-1] if it.expected_best else float("inf"))
    mine, theirs = (_finals(it, task, seeds) for it in (best, one))
    return Inclusion(special, best.optimizer, probability_of_improvement([mine], [theirs]))


def check_inclusions(
    pairs: Sequence[tuple[str, Sequence[str]]],
    *,
    task: str = "cancer-batches",
    plan: Rates = _PLAN,
    seeds: int = 4,
    observe: Callable[[str], object] = lambda _: None,
) -> list[Inclusion]:
    """Return what ``check_inclusion`` finds for each pair of a special case and variants of the general optimizer.

    Args:
        pairs: Labels of a special case, and of what contains it.
        task: Name of the task; it is shortened to a hundred steps.
        plan: Learning rates tried for each label.
        seeds: Measured runs of either.
        observe: Called with a few words before each pair.

    Raises:
        UnknownTask: There is no such task.
    """
    short = replace(select_tasks([task])[task].task, steps=_STEPS)
    found = []
    for special, general in pairs:
        observe(f"{special} against {', '.join(general)} on {task}")
        found.append(check_inclusion(special, general, short, plan=plan, seeds=seeds))
    return found


def _search(label: str, task: Task, plan: Rates) -> Search:
    record = Search(label, task.name, plan.trials)
    make = tunable(label)
    if isinstance(make, State):
        record.state = make
    else:
        search(make, task, record, plan=plan)
    return record


def _finals(found: Search, task: Task, seeds: int) -> list[float]:
    """Return final metrics with the sign that makes more the better; a run that broke is worse than all."""
    make = tunable(found.optimizer)
    values = []
    for seed in range(seeds):
        run = TrainingRun(found.optimizer, "optreg", task.name, found.device, seed, "tuned", found.chosen)
        if not isinstance(make, State) and found.chosen is not None:
            train(make(found.chosen), task, task.make(seed, task.steps), run)
        final = final_metric(run)
        values.append(float("-inf") if final is None else final if task.higher_is_better else -final)
    return values
