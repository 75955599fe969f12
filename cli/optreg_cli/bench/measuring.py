"""Measuring for the command line: in which processes, and from which journal on."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from optreg_cli.bench.progress import progress

if TYPE_CHECKING:
    from optreg.bench import Options, Results
    from optreg.bench.results import History
    from optreg.isolation import WaitingChild


class Way(NamedTuple):
    """How to measure.

    For which file, going on or anew, in how many processes, how long a step may hang, when the command began, and the
    first process if it is there already.
    """

    json: str | None
    resume: bool
    isolate: int
    timeout: float
    started: float
    child: WaitingChild | None


_MEASURE = "optreg.bench.supervision:measure"  # MEASURE of that module, whose import loads TensorFlow


def started_ahead(context: typer.Context) -> WaitingChild:
    """Return the process that will measure; it loads TensorFlow while this one does, and ends with the command."""
    from optreg.isolation import WaitingChild

    child: WaitingChild = context.with_resource(WaitingChild(_MEASURE))
    return child


def journal_of(json: str) -> Path:
    """Return the journal of a results file."""
    return Path(f"{json}.journal")


def measured(names: Sequence[str], options: Options, way: Way) -> Results:
    """Measure, and return the results; the journal stays where it is until they are written."""
    if way.json in (None, "-"):
        with tempfile.TemporaryDirectory(prefix="optreg-") as folder:
            return _measured(names, options, way, Path(folder) / "journal")
    journal = journal_of(str(way.json))
    if journal.exists() and not way.resume:
        typer.echo(f"{journal} of an earlier run is written over; --resume would go on from it", err=True)
    return _measured(names, options, way, journal)


def _measured(names: Sequence[str], options: Options, way: Way, journal: Path) -> Results:
    import optreg.bench
    from optreg.bench.supervision import Supervision

    with progress() as observer:
        if way.isolate == 0:
            history = _history(way, journal)
            return optreg.bench.run(names, options, observer=observer, argv=sys.argv[1:], history=history)
        if way.resume and not journal.exists():
            _history(way, journal).restore()
        supervision = Supervision(journal, way.isolate, way.timeout, observer, sys.argv[1:], way.started, way.child)
        return supervision.run(names, options, resume=way.resume)


def _history(way: Way, journal: Path) -> History:
    """Return what was done before: as the journal has it, or the file of a run that came to its end."""
    from optreg.bench.results import History, history_of, read_journal, read_results

    if not way.resume:
        return History(journal)
    if journal.exists():
        return read_journal(journal)
    file = Path(str(way.json))
    if file.exists() and file.stat().st_size:
        return history_of(read_results(file), journal)
    return History(journal)
