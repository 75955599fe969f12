"""What several processes measured of the same entries: put together, and taken apart again to go on with."""

from __future__ import annotations

import glob
from dataclasses import replace
from pathlib import Path

from optreg.bench.results import Results, SpeedEntry, history_of
from optreg.bench.results.machine import end_of
from optreg.bench.results.sections import identity_of


def merged(first: Results, other: Results) -> Results:
    """Return the first results with the samples that another process took of the same entries.

    Samples of a process that the first already hold are not added again.
    """
    entries = {identity_of(entry): entry for entry in first.speed}
    for entry in other.speed:
        known = entries.get(identity_of(entry))
        if known is not None and known.state.name == entry.state.name == "finished":
            there = {sample.process for sample in known.samples}
            known.samples += [sample for sample in entry.samples if sample.process not in there]
            known.warm_ups += [sample for sample in entry.warm_ups if sample.process not in there]
    first.notes = list(dict.fromkeys([*first.notes, *other.notes]))
    first.finished = other.finished
    first.machine = end_of(first.machine, other.machine.get("end"))
    first.interrupted = first.interrupted or other.interrupted
    return first


def has_all_of(results: Results, process: int) -> bool:
    """Tell whether the results hold samples that this process took of everything which was measured."""
    measured = [entry for entry in results.speed if entry.samples and entry.state.name == "finished"]
    return bool(measured) and all(_part(entry, process) is not None for entry in measured)


def restore_journal(path: Path, results: Results, process: int) -> None:
    """Write the journal from which this process goes on, as far as results of an earlier run hold its samples."""
    part = Results(results.started, names=results.names, machine=results.machine, run_id=results.run_id)
    part.layouts = results.layouts
    part.options = {**results.options, "process": process, "modes": ["speed"]}
    part.speed = [own for entry in results.speed if (own := _part(entry, process)) is not None]
    if part.speed:
        history_of(part, path).restore()


def _part(entry: SpeedEntry, process: int) -> SpeedEntry | None:
    """Return the entry as this process measured it; None where it did not."""
    own = [sample for sample in entry.samples if sample.process == process]
    warm_ups = [sample for sample in entry.warm_ups if sample.process == process]
    return replace(entry, samples=own, warm_ups=warm_ups) if own else None


def journal_of_process(journal: Path, process: int) -> Path:
    """Return the journal of one process: that of the run for the first, and one beside it for each of the others."""
    return journal if process == 0 else journal.with_name(f"{journal.name}-{process}")


def remove_journals(journal: Path) -> None:
    """Remove the journals that all processes of a run have left."""
    further = journal.parent.glob(f"{glob.escape(journal.name)}-*")
    for path in (journal, *(it for it in further if it.name[len(journal.name) + 1 :].isdecimal())):
        path.unlink(missing_ok=True)
