"""The tables of ``optreg bench``. ``optreg.bench`` computed all of it; here it gets its words and units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from optreg_cli import rendering
from optreg_cli.bench.memory_tables import show_memory
from optreg_cli.bench.quality_tables import show_descents, show_properties, show_standings, show_training
from optreg_cli.bench.replica_tables import show_replicas
from optreg_cli.bench.split_tables import show_splits
from optreg_cli.bench.units import NOTHING, duration

if TYPE_CHECKING:
    from optreg.bench import Results, SpeedRow, State
    from optreg.bench.results import TrainingRun
    from optreg.bench.speed.costs import Costs

_MARKS = {"precise": "", "noisy": " ~", "few": " ?"}
_LEGEND = (
    ("run", "eager: called directly; graph: inside one tf.function; xla: that with jit_compile=True"),
    ("step", "median of n samples; n ~: the median is not known to 1 %, n ?: too few to tell"),
    ("between", "95 % confidence interval of the median; with n below 6 only the least and the greatest sample"),
    (
        "time / optreg",
        "time as a multiple of ours, with the 95 % interval; ~ no difference seen, ? too few to tell",
    ),
    ("GB/s", "bytes that a step must move at least (gradient, variable and slots), divided by its time"),
    (
        "% limit",
        "that rate as part of what a kernel reached that only moves the same bytes, sampled beside; ! above 105 %",
    ),
    ("state", "bytes of slots for each parameter"),
    ("set-up", "creating state, tracing, compiling and the first step"),
    ("harness", "a step that does nothing: what it costs to call one"),
)


def show(results: Results) -> None:
    """Write machine, training table, one speed table for each layout and device, and notes to stdout."""
    from optreg.bench import ranked, speed_rows, training_rows

    _show_machine(results)
    show_training(results, training_rows(results))
    show_standings(ranked(results))
    _show_hyperparameters(results)
    _show_reasons((f"{run.optimizer} ({run.implementation}) on {run.task}", run.state) for run in _unfinished(results))
    show_splits(results)
    show_descents(results)
    show_properties(results)
    rows = speed_rows(results)
    for place in dict.fromkeys((row.entry.layout, row.entry.device) for row in rows):
        _show_speed(place, [row for row in rows if (row.entry.layout, row.entry.device) == place])
    if any(row.spread for row in rows):
        _show_legend()
    show_memory(results)
    show_replicas(results)
    _show_costs(results)
    _show_state(rows)
    _show_retraces(rows)
    _show_processes(rows)
    _show_notes(results)


def _show_machine(results: Results) -> None:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    devices = ", ".join([*machine["devices"], *(f"no {kind}" for kind in machine["absent_devices"])])
    processor = f"{machine['processor']}, {machine['usable_cores']} cores, Python {machine['python']}"
    rendering.lines((processor, versions, f"devices: {devices}"), indent="")


def _unfinished(results: Results) -> list[TrainingRun]:
    """Return the runs that broke; those of a task that could not be run are said with the task."""
    able = {task.name for task in results.tasks if task.state.name == "finished"}
    return [run for run in results.training if run.state.name != "finished" and run.task in able]


def _show_hyperparameters(results: Results) -> None:
    trained = {run.optimizer for run in results.training}
    for subject in results.subjects:
        if subject.optimizer in trained and subject.implementation == "optreg":
            settings = ", ".join(f"{name}={value!r}" for name, value in subject.hyperparameters.items())
            rendering.paragraph(f"{subject.optimizer} ({subject.origin} {subject.version}): {settings}")


def _show_speed(place: tuple[str, str], rows: Sequence[SpeedRow]) -> None:
    from optreg.bench import LAYOUTS

    name, device = place
    about = f": {LAYOUTS[name]().description}" if name in LAYOUTS else ""
    rendering.heading(f"Update step: {name} on {device}{about}")
    measured = [row for row in rows if row.spread is not None]
    if measured:
        columns = (
            "optimizer",
            "run",
            "by",
            "step",
            "between",
            "time / optreg",
            "Mparam/s",
            "GB/s",
            "% limit",
            "state",
            "set-up",
            "n",
        )
        rendering.table(columns, [_speed_cells(row) for row in measured])
    named = (
        (f"{row.entry.optimizer} {row.entry.execution} {row.entry.implementation}", row.entry.state) for row in rows
    )
    _show_reasons((label, state) for label, state in named if state.name != "finished")


def _speed_cells(row: SpeedRow) -> tuple[str, ...]:
    entry, interval = row.entry, row.interval
    between = _between(duration(interval.low), duration(interval.high)) if interval else NOTHING
    setup = sum(seconds or 0.0 for seconds in (entry.build, entry.trace, entry.compile, entry.first))
    return (
        entry.optimizer,
        entry.execution,
        entry.implementation,
        duration(row.spread.median) if row.spread else NOTHING,
        between,
        _comparison(row),
        _millions(row.parameters_per_second),
        NOTHING if row.bytes_per_second is None else f"{row.bytes_per_second / 1e9:.3g}",
        _limit(row.ceiling),
        _number(row.state_bytes_per_parameter, digits=0, unit=" B"),
        f"{setup:.1f} s",
        f"{len(entry.samples)}{_MARKS[row.verdict]}",
    )


def _comparison(row: SpeedRow) -> str:
    """Say how much of our time a peer takes, and whether the difference is more than noise."""
    if row.ratio is None:
        return NOTHING
    if row.ratio_interval is None:
        return f"? {row.ratio:.2f}"
    low, high = row.ratio_interval.low, row.ratio_interval.high
    mark = "~" if low <= 1 <= high else " "
    return f"{mark} {row.ratio:.2f} [{low:.2f} .. {high:.2f}]"


def _show_legend() -> None:
    rendering.heading("How to read the update step")
    rendering.table(("column", "meaning"), _LEGEND)


def _show_costs(results: Results) -> None:
    """Say what a byte and what a tensor costs, where enough layouts were measured."""
    from optreg.bench.speed.costs import fit_costs

    found = fit_costs(results.speed)
    if found:
        rendering.heading("What the time consists of, fitted over the layouts")
        columns = ("optimizer", "run", "by", "each step", "GB/s", "each tensor", "within")
        rendering.table(columns, [_cost_cells(costs) for costs in found if costs.implementation != "ceiling"])


def _cost_cells(costs: Costs) -> tuple[str, ...]:
    return (
        costs.optimizer,
        costs.execution,
        costs.implementation,
        duration(costs.fixed),
        NOTHING if costs.bytes_per_second is None else f"{costs.bytes_per_second / 1e9:.3g}",
        duration(costs.seconds_per_tensor),
        f"{costs.error:.0%}",
    )


def _show_state(rows: Sequence[SpeedRow]) -> None:
    """Say where measured state and card agree, and where not."""
    differing = [row for row in rows if row.declared is False]
    for row in differing:
        slots = ", ".join(f"{slot.name} {slot.measured} (declared {slot.declared})" for slot in row.entry.slots)
        where = f"{row.entry.optimizer} on {row.entry.layout}"
        rendering.paragraph(f"{where} keeps other bytes of state than its card declares: {slots}")
    wrong = {row.entry.optimizer for row in differing}
    right = sorted({row.entry.optimizer for row in rows if row.declared} - wrong)
    if right:
        rendering.paragraph(f"The state measured is exactly what the card declares: {', '.join(right)}.")


def _show_retraces(rows: Sequence[SpeedRow]) -> None:
    """Say which steps Python made into a graph more than once: somebody who trains with them waits for that again."""
    again = [f"{row.entry.label} ({row.entry.traces} times)" for row in rows if (row.entry.traces or 0) > 1]
    if again:
        rendering.paragraph(f"traced again: {', '.join(again)}")


def _show_processes(rows: Sequence[SpeedRow]) -> None:
    """Say whose processes differ by more than chance, and how much of the variance of the samples that is."""
    apart = [
        f"{row.entry.label} ({row.between.share:.0%} of the variance)"
        for row in rows
        if row.between is not None and row.between.differ
    ]
    if apart:
        rendering.paragraph(
            f"Processes differ by more than their samples do; the intervals hold it: {', '.join(apart)}."
        )


def _show_reasons(reasons: Iterable[tuple[str, State]]) -> None:
    """Write one line for each reason, with everything that it holds for."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for label, state in reasons:
        needs = f" (about {state.forecast:.0f} s)" if state.forecast else ""
        grouped.setdefault((state.name, state.reason), []).append(label + needs)
    for (name, reason), labels in grouped.items():
        rendering.paragraph(f"{name}: {', '.join(dict.fromkeys(labels))}: {reason}")


def _show_notes(results: Results) -> None:
    if results.notes:
        rendering.heading("Notes")
        rendering.lines(results.notes)
    if results.interrupted:
        typer.echo()
        rendering.paragraph("Interrupted: only what was measured until then is shown.", indent="")


def _number(value: float | None, *, digits: int, scale: float = 1.0, unit: str = "") -> str:
    return NOTHING if value is None else f"{scale * value:.{digits}f}{unit}"


def _limit(share: float | None) -> str:
    from optreg.bench.speed.ceiling import FLAGGED

    return NOTHING if share is None else f"{share:.0%}{'!' if share > FLAGGED else ''}"


def _millions(value: float | None) -> str:
    """Return a number in millions with three digits, written out."""
    if value is None:
        return NOTHING
    millions = value / 1e6
    return f"{millions:.0f}" if millions >= 100 else f"{millions:.3g}"  # noqa: PLR2004 - three digits


def _between(low: str, high: str) -> str:
    """Return ``95.4 .. 112 ms``, with the unit once where both have the same."""
    number, unit = low.split()
    return f"{number} .. {high}" if high.endswith(f" {unit}") else f"{low} .. {high}"
