"""One row for each optimizer, implementation, setting and task: what a table of training shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optreg.bench.contenders import OURS
from optreg.bench.quality.ranking import Standing, TaskOutcome, final_metric, outcomes, standings
from optreg.bench.results import Results, TrainingRun
from optreg.bench.statistics import Spread, spread


@dataclass(frozen=True)
class TrainingRow:
    """All seeds of one optimizer by one implementation on one task, with the hyperparameters of one setting.

    Seeds for which some optimizer found no time are left out for all of them, so that rows compare like with like.

    ``finished`` and ``started`` count seeds; spreads are over the finished ones. ``outcome`` holds times to the
    target, misses included. ``difference`` is the greatest difference between the losses of a peer and ours at any
    step of any seed.
    """

    optimizer: str
    implementation: str
    setting: str
    task: str
    started: int
    finished: int
    loss: Spread | None
    metric: Spread | None
    outcome: TaskOutcome
    step_seconds: float | None
    difference: float | None


def training_rows(results: Results) -> list[TrainingRow]:
    """Return the rows, task by task, in the order in which the optimizers were named."""
    runs = complete_seeds([run for run in results.training if run.setting != "search"])
    grouped: dict[tuple[str, str, str, str], list[TrainingRun]] = {}
    for run in runs:
        grouped.setdefault((run.task, run.setting, run.optimizer, run.implementation), []).append(run)
    found = {(it.task, it.setting, it.optimizer, it.implementation): it for it in outcomes(runs, results.tasks)}
    rows = [_row(of, found[key], grouped.get((*key[:3], OURS), [])) for key, of in grouped.items() if key in found]
    order = {task.name: place for place, task in enumerate(results.tasks)}
    return sorted(rows, key=lambda row: order[row.task])


def ranked(results: Results) -> list[Standing]:
    """Return the standings of ours over all tasks; the first optimizer named is the anchor."""
    ours = [run for run in results.training if run.implementation == OURS]
    return standings(complete_seeds(ours), results.tasks)


def complete_seeds(runs: Sequence[TrainingRun]) -> list[TrainingRun]:
    """Return the runs of the seeds that no optimizer skipped on the task; all runs where there is no such seed.

    An optimizer that skipped every seed, as one that cannot follow a schedule does, takes none from the others.
    """
    kept = []
    for place in dict.fromkeys((run.task, run.setting) for run in runs):
        of = [run for run in runs if (run.task, run.setting) == place]
        skipped = [run for run in of if run.state.name == "skipped"]
        begun = {(run.optimizer, run.implementation) for run in of if run.state.name != "skipped"}
        cut_short = {run.seed for run in skipped if (run.optimizer, run.implementation) in begun}
        kept += [run for run in of if run.seed not in cut_short] or of
    return kept


def _row(runs: Sequence[TrainingRun], outcome: TaskOutcome, ours: Sequence[TrainingRun]) -> TrainingRow:
    started = [run for run in runs if run.losses or run.state.name != "skipped"]
    done = [run for run in started if final_metric(run) is not None]
    steps = sum(len(run.losses) for run in started)
    return TrainingRow(
        optimizer=runs[0].optimizer,
        implementation=runs[0].implementation,
        setting=runs[0].setting,
        task=runs[0].task,
        started=len(started),
        finished=len(done),
        loss=spread([run.evaluations[-1].loss for run in done]) if done else None,
        metric=spread([run.evaluations[-1].metric for run in done]) if done else None,
        outcome=outcome,
        step_seconds=sum(run.seconds for run in started) / steps if steps else None,
        difference=_difference(done, ours) if runs[0].implementation != OURS else None,
    )


def _difference(runs: Sequence[TrainingRun], ours: Sequence[TrainingRun]) -> float | None:
    by_seed = {run.seed: run for run in ours if run.state.name == "finished"}
    pairs = [(run.losses, by_seed[run.seed].losses) for run in runs if run.seed in by_seed]
    gaps = [abs(a - b) for theirs, our in pairs for a, b in zip(theirs, our, strict=False)]
    return max(gaps, default=None)
