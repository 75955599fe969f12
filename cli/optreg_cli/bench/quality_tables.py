"""What ``optreg bench`` shows of quality: training, searches, standings, descents and properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optreg_cli import rendering
from optreg_cli.bench.units import NOTHING

if TYPE_CHECKING:
    from optreg.bench import Results, Spread, Standing, TrainingRow
    from optreg.bench.landscapes.descent import Descent

_ANSWERS = {"yes": "yes", "no": "-", "not applicable": "n/a", "failed": "failed"}


def show_training(results: Results, rows: Sequence[TrainingRow]) -> None:
    """Write one table for each task, what its search found, and why tasks were not run."""
    for task in results.tasks:
        of = [row for row in rows if row.task == task.name]
        if task.state.name != "finished":
            rendering.paragraph(f"task {task.name} ({task.origin}): {task.state.name}: {task.state.reason}", indent="")
            continue
        if of:
            _show_task(results, task.name, of)


def _show_task(results: Results, name: str, rows: Sequence[TrainingRow]) -> None:
    task = next(it for it in results.tasks if it.name == name)
    seeds = results.options["seeds"]
    shortened = ", shortened: no verdict on the whole task" if task.shortened else ""
    schedule = next((run.schedule.words for run in results.training if run.task == name), "")
    schedule = f", {schedule}" if schedule else ""
    rendering.heading(f"Training: {task.name}, {task.steps} steps, {seeds} paired seeds{schedule}{shortened}")
    rendering.paragraph(f"{task.summary} ({task.source or task.origin})")
    target = f"steps to {task.target:.3g}" if task.target is not None else "steps to target"
    columns = ("optimizer", "by", "rate", task.metric, "loss", target, "expected", "ms/step", "losses")
    rendering.table(columns, [_training_cells(row) for row in rows])
    where = f", {task.target_from}" if task.target_from else ""
    references = "".join(f"; {label}: {value:.3g}" for label, value in task.references.items())
    rendering.paragraph(
        f"{task.metric}: {'more' if task.higher_is_better else 'less'} is better{where}{references}. "
        "Median [least .. greatest] over the seeds; behind the steps: seeds that reached the target / seeds tried; "
        "expected: steps until a success when failed runs are repeated. "
        "The last column compares the loss of every step with that of optreg."
    )
    for row in rows:
        if row.outcome.too_good:
            rendering.paragraph(f"{row.optimizer}: better than can be true ({task.plausible:g}); check the task's data")
    _show_searches(results, name)


def _training_cells(row: TrainingRow) -> tuple[str, ...]:
    steps, rate = row.outcome.steps, row.outcome.learning_rate
    reached = f" ({steps.reached}/{len(steps.times)})" if steps else ""
    return (
        row.optimizer,
        row.implementation,
        "default" if rate is None else f"{rate:.3g} tuned",
        _range(row.metric) if not row.outcome.provisional else "provisional",
        _range(row.loss),
        f"{_number(steps.median if steps else None)}{reached}",
        _number(steps.expected if steps else None),
        NOTHING if row.step_seconds is None else f"{1e3 * row.step_seconds:.2f}",
        _sameness(row.difference),
    )


def _show_searches(results: Results, name: str) -> None:
    for search in results.searches:
        if search.task != name:
            continue
        if search.state.name != "finished":
            rendering.paragraph(f"{search.optimizer}: not tuned: {search.state.reason}")
        elif search.chosen is not None:
            edge = f"; the {search.edge} tried, the optimum may lie beyond" if search.edge else ""
            rendering.paragraph(
                f"{search.optimizer}: learning rate {search.chosen:g} of {len(search.attempts)} tried{edge}; "
                f"the search took {search.steps} steps, {search.seconds:.1f} s"
            )


def show_standings(standings: Sequence[Standing]) -> None:
    """Write who trains best over all tasks, where there are at least two tasks and two to compare."""
    if len(standings) < 2 or standings[0].tasks < 2:  # noqa: PLR2004 - a comparison needs two
        return
    rendering.heading(f"Over all {standings[0].tasks} tasks")
    columns = ("optimizer", "by", "setting", "speed-up", "score", "better than first", "profile", "reached")
    rendering.table(columns, [_standing_cells(it) for it in standings])
    rendering.paragraph(
        "Speed-up: geometric mean over the tasks of the steps to the target of the first optimizer named, divided by "
        "its own, a miss counted as twice the budget; ~ no difference seen. Score: interquartile mean of the final "
        "metrics, 0 at the start and 1 at the target. Better than first: probability that a run beats one of "
        "the first. Profile: mean share of tasks solved within 1 to 4 times the best. "
        "Intervals: 95 %, stratified bootstrap."
    )
    rendering.paragraph("Small tasks do not predict the order of optimizers on large models.")


def _standing_cells(it: Standing) -> tuple[str, ...]:
    low, high = it.speed_up_low, it.speed_up_high
    mark = " " if it.resolved else "~"
    interval = "" if low is None or high is None else f" [{low:.2f} .. {high:.2f}]"
    return (
        it.optimizer,
        it.implementation,
        it.setting,
        f"{mark} {it.speed_up:.2f}{interval}",
        _interval(it.score),
        _interval(it.beats_anchor),
        f"{it.profile.score:.2f}",
        f"{it.reached}/{it.runs}",
    )


def show_descents(results: Results) -> None:
    """Write for each function how far each optimizer came down."""
    if not results.descents:
        return
    rendering.heading("Test functions: share of starts and targets (10 .. 1e-8 above the minimum) that were reached")
    columns = ("function", "optimizer", "rate", "solved", "steps to 0.1", "steps to 1e-6", "tried")
    rendering.table(columns, [_descent_cells(it) for it in results.descents])
    rendering.paragraph("Steps are expected ones (ERT): all steps spent, divided by the starts that got there.")


def _descent_cells(it: Descent) -> tuple[str, ...]:
    ladder = {rung.target: rung.expected for rung in it.ladder}
    near, far = (ladder.get(target) for target in (1e-1, 1e-6))
    rate = it.setting if it.learning_rate is None else f"{it.learning_rate:.3g} {it.setting}"
    solved = f"{it.solved:.0%}" if it.state.name == "finished" else f"{it.state.name}: {it.state.reason}"
    return (
        it.landscape,
        it.optimizer,
        rate,
        solved,
        _number(near),
        _number(far),
        str(it.rates_tried),
    )


def show_properties(results: Results) -> None:
    """Write the property matrix, one column for each optimizer."""
    if not results.properties:
        return
    names = list(dict.fromkeys(answer.optimizer for answer in results.properties))
    answers = {(answer.probe, answer.optimizer): answer for answer in results.properties}
    rendering.heading("Properties")
    rows = []
    for probe in dict.fromkeys(answer.probe for answer in results.properties):
        found = [answers.get((probe, name)) for name in names]
        rows.append((probe, *(_ANSWERS[it.answer] if it else "" for it in found)))
    rendering.table(("property", *names), rows)
    rendering.paragraph("Neither answer is a fault; the report and the JSON say what each means.")
    for answer in results.properties:
        if answer.answer == "failed":
            rendering.paragraph(f"{answer.optimizer}, {answer.probe}: {answer.meaning}")


def _sameness(difference: float | None) -> str:
    if difference is None:
        return NOTHING
    return "identical" if difference == 0 else f"within {difference:.0e}"


def _range(spread: Spread | None) -> str:
    if spread is None:
        return NOTHING
    return f"{spread.median:.4g} [{spread.least:.4g} .. {spread.greatest:.4g}]"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}"


def _interval(estimate: object) -> str:
    value, low, high = (getattr(estimate, name) for name in ("value", "low", "high"))
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f} .. {high:.2f}]"
