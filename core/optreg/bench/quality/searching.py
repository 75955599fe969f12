"""Searching for the learning rate of one optimizer on one task, by training to the end with each."""

from __future__ import annotations

import math
from collections.abc import Callable

from optreg.bench.progress import ENDLESS, Turn
from optreg.bench.quality.rates import Rates, best_rate, edge_of, expected_best, next_rate
from optreg.bench.quality.records import Attempt, Search
from optreg.bench.quality.training import train
from optreg.bench.results import State, TrainingRun
from optreg.bench.subjects import Subject
from optreg.bench.tasks.task import Task

SEARCH_SEED = 1_000_003
"""The seed of all searches; no measured run has it, so that what was found is judged on batches it has not seen."""

Rank = tuple[bool, float, float]


def search(
    make: Callable[[float], Callable[[], Subject]],
    task: Task,
    record: Search,
    *,
    plan: Rates,
    turn: Turn = ENDLESS,
) -> None:
    """Try learning rates and record every attempt, the best of them, and whether it lies on the edge.

    Args:
        make: From a learning rate to a function that returns a fresh subject.
        task: What to train on.
        record: What is filled; an interrupt leaves the attempts made.
        plan: Which learning rates may be tried.
        turn: After its end no further attempt is begun.
    """
    problem = task.make(SEARCH_SEED, task.steps)
    ranks: dict[float, Rank] = {}
    chance = math.inf
    while (rate := next_rate(ranks, plan)) is not None:
        if turn.over:
            record.state = State("skipped", f"out of time after {len(ranks)} of {plan.trials} trials; raise --budget")
            return
        what = (record.optimizer, "optreg", task.name, record.device)
        run = TrainingRun(*what, SEARCH_SEED, "search", rate, schedule=record.schedule)
        train(make(rate), task, problem, run, turn)
        if run.state.name == "skipped" and not run.losses:  # none of the others can be made either
            record.state = run.state
            return
        chance = run.evaluations[0].metric if run.evaluations else chance
        record.attempts.append(_attempt(run))
        ranks[rate] = _rank(record.attempts[-1], task)
    _conclude(record, task, ranks, chance)


def _conclude(record: Search, task: Task, ranks: dict[float, Rank], chance: float) -> None:
    best = best_rate(ranks)
    if ranks[best][0]:
        reasons = {attempt.state for attempt in record.attempts}
        record.state = State("failed", f"no learning rate of {len(ranks)} led to the end: {', '.join(sorted(reasons))}")
        return
    record.chosen, record.edge = best, edge_of(list(ranks), best)
    # An attempt that broke off is worth what the start is worth.
    values = [chance if attempt.metric is None else attempt.metric for attempt in record.attempts]
    record.expected_best = expected_best(values, higher_is_better=task.higher_is_better)


def _attempt(run: TrainingRun) -> Attempt:
    done = run.state.name == "finished" and bool(run.evaluations)
    last = run.evaluations[-1] if done else None
    return Attempt(
        learning_rate=float(run.learning_rate or 0),
        metric=last.metric if last else None,
        loss=last.loss if last else None,
        state=run.state.name if done else f"{run.state.name}: {run.state.reason}",
        steps=len(run.losses),
        seconds=run.seconds,
    )


def _rank(attempt: Attempt, task: Task) -> Rank:
    """Return a sort key: broken attempts last, then by the metric, then by the loss."""
    if attempt.metric is None or attempt.loss is None:
        return True, math.inf, math.inf
    return False, -attempt.metric if task.higher_is_better else attempt.metric, attempt.loss
