"""Child processes that die or hang: real ones, because nothing else shows that a kill is survived."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from optreg.bench import Options
from optreg.bench import supervision as supervising
from optreg.bench.processes import journal_of_process, merged, remove_journals
from optreg.bench.results import Results, SpeedEntry, State, history_of, read_journal
from optreg.bench.results.records import Sample
from optreg.bench.speed.timing import Effort
from optreg.bench.supervision import NotMeasured, Supervision
from optreg.isolation import Observer, Outcome, run_isolated

EFFORT = Effort(sample_seconds=0.0005, warm_ups=1, fewest=6, most=6)


@pytest.fixture
def small(tmp_path: Path) -> str:
    """The path of a layout of two small tensors: no forecast of it and no step on it comes near a limit."""
    path = tmp_path / "small.json"
    path.write_text('{"shapes": [[3, 4], [5]]}')
    return str(path)


TIMEOUT = 25
"""Seconds: far more than a step on two tensors takes on a busy machine. The test waits for them once."""


@pytest.mark.slow
@pytest.mark.usefixtures("deadly")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_killed_and_the_hanging_are_rows_with_their_reasons_and_the_others_are_measured_once(
    small: str, tmp_path: Path
) -> None:
    options = Options(layouts=[small], modes=["speed"], executions=["eager"], budget=600, effort=EFFORT)
    names = ["sgd", "deadly/killed_one", "deadly/hanging_one", "adagrad"]
    doing: list[str] = []
    supervision = Supervision(
        tmp_path / "journal", timeout=TIMEOUT, observer=lambda it: doing.append(it.doing), argv=["bench"]
    )
    results = supervision.run(names, options)
    found = {entry.optimizer: entry.state for entry in results.speed if entry.implementation == "optreg"}
    everything = {entry.label: f"{entry.state.name}: {entry.state.reason}" for entry in results.speed}
    everything["notes"] = "; ".join(results.notes)
    assert {name: state.name for name, state in found.items()} == {
        "sgd": "finished",
        "deadly/killed_one": "failed",
        "deadly/hanging_one": "failed",
        "adagrad": "finished",
    }, everything
    assert found["deadly/killed_one"].reason.startswith(
        "killed by SIGKILL in 'deadly/killed_one eager optreg on small, cpu:0'"
    ), everything
    assert found["deadly/hanging_one"].reason == (
        f"no sign of life for {TIMEOUT} s in 'deadly/hanging_one eager optreg on small, cpu:0', and was ended"
    ), everything
    begun = [doing[number] for number in range(len(doing)) if number == 0 or doing[number] != doing[number - 1]]
    assert begun.count("small: sgd on cpu:0") == 1, begun
    assert len(results.resumed) == 1


def entry(*seconds: float, process: int = 0) -> SpeedEntry:
    made = SpeedEntry("adam", "optreg", "graph", "tiny", "cpu:0")
    made.samples = [Sample(number, 0, 1, value, process) for number, value in enumerate(seconds)]
    return made


def test_the_samples_of_two_processes_stand_in_one_entry_and_stay_apart() -> None:
    both = merged(Results("", speed=[entry(1.0, 2.0)]), Results("", speed=[entry(3.0, process=1)], notes=["a note"]))
    assert both.speed[0].by_process == [[1.0, 2.0], [3.0]]
    assert both.notes == ["a note"]


def test_processes_that_measured_one_after_the_other_share_the_name_of_the_first_and_the_end_of_the_last() -> None:
    moments = [{"begin": {"stolen_seconds": begin}, "end": {"stolen_seconds": end}} for begin, end in ((3, 5), (6, 10))]
    first, last = (Results("", machine=moment, run_id=name) for moment, name in zip(moments, "ab", strict=True))
    both = merged(first, last)
    assert (both.run_id, both.machine["stolen_seconds"]) == ("a", 7)
    assert (both.machine["begin"], both.machine["end"]) == (moments[0]["begin"], moments[1]["end"])
    cut = merged(both, Results("", machine={"begin": {}, "end": None}))
    assert (cut.machine["end"], cut.machine["stolen_seconds"]) == (None, None)


def test_what_failed_in_one_process_takes_no_samples_from_the_other() -> None:
    broken = entry(3.0, process=1)
    broken.state = State("failed", "it broke")
    assert merged(Results("", speed=[entry(1.0)]), Results("", speed=[broken])).speed[0].by_process == [[1.0]]


def test_the_samples_that_a_process_took_are_put_together_once() -> None:
    both = merged(Results("", speed=[entry(1.0)]), Results("", speed=[entry(3.0, process=1)]))
    again = merged(both, Results("", speed=[entry(3.0, process=1)]))
    assert again.speed[0].by_process == [[1.0], [3.0]]


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let this process do what the child processes do, and note which of them did something."""
    began: list[int] = []

    def here(target: str, work: Mapping[str, Any], *, timeout: float, observer: Observer) -> Outcome:
        assert target == supervising.MEASURE
        began.append(work["process"])
        return Outcome("finished", json.loads(json.dumps(supervising.measure(json.loads(json.dumps(work))))))

    class Pulse:
        def __init__(self, timeout: float) -> None: ...

        def beat(self) -> None: ...

        def begin(self, *_: str) -> None: ...

    monkeypatch.setattr(supervising, "run_isolated", here)
    monkeypatch.setattr(supervising, "emit", lambda value: None)
    monkeypatch.setattr(supervising, "_Pulse", Pulse)
    return began


def test_a_finished_run_of_two_processes_that_goes_on_holds_every_sample_once_and_measures_what_is_missing(
    small: str, tmp_path: Path, at_work: list[int]
) -> None:
    options = Options(layouts=[small], modes=["speed"], executions=["eager"], budget=600, effort=EFFORT)
    journal = tmp_path / "file.json.journal"

    def goes_on(results: Results) -> Results:
        """As the command line does: from the file, whose journals are gone."""
        remove_journals(journal)
        assert list(tmp_path.glob("*journal*")) == []
        history_of(results, journal).restore()
        return Supervision(journal, processes=2).run(["sgd"], options, resume=True)

    first = Supervision(journal, processes=2).run(["sgd"], options)
    assert {path.name for path in tmp_path.glob("*journal*")} == {"file.json.journal", "file.json.journal-1"}
    samples = [it.by_process for it in first.speed]
    assert [[len(own) for own in processes] for processes in samples] == [[6, 6]] * len(first.speed)
    assert [it.by_process for it in goes_on(first).speed] == samples
    assert at_work == [0, 1, 0]  # the second process had nothing left to do
    lost = next(it for it in first.speed if it.optimizer == "sgd")
    lost.samples = lost.samples[:6]
    resumed = goes_on(first)
    assert at_work == [0, 1, 0, 0, 1]
    by_second = {it.label: it.seconds for it in read_journal(journal_of_process(journal, 1)).of("speed")}
    for before, found in zip(samples, resumed.speed, strict=True):
        assert [len(own) for own in found.by_process] == [6, 6]
        assert found.by_process[1] == by_second[found.label]
        assert (found.by_process == before) == (found.label != lost.label)


SLEEPING = """
import time

def measure(argument):
    time.sleep(1000)
"""


@pytest.fixture
def sleeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the child processes sleep instead of measuring, and note the seconds that each is given."""
    (tmp_path / "sleeping_child.py").write_text(SLEEPING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(supervising, "MEASURE", "sleeping_child:measure")
    given: list[float] = []

    def timed(target: str, work: Mapping[str, Any], *, timeout: float, observer: Observer) -> Outcome:
        given.append(timeout)
        return run_isolated(target, work, timeout=timeout, observer=observer)

    monkeypatch.setattr(supervising, "run_isolated", timed)
    return given


def test_a_process_that_never_ends_is_cut_off_a_tenth_above_the_budget(tmp_path: Path, sleeping: list[float]) -> None:
    with pytest.raises(NotMeasured, match="nothing was measured: the measuring process was ended: the budget was used"):
        Supervision(tmp_path / "journal").run(["sgd"], Options(budget=1.0))
    [seconds] = sleeping
    assert 1.0 <= seconds <= 1.1


def test_what_a_finished_file_holds_outlives_a_process_that_never_begins(tmp_path: Path, sleeping: list[float]) -> None:
    planned = SpeedEntry("sgd", "optreg", "graph", "tiny", "cpu:0")
    history_of(Results("yesterday", speed=[entry(1.0), planned]), tmp_path / "journal").restore()
    found = Supervision(tmp_path / "journal").run(["sgd"], Options(budget=1.0), resume=True)
    reason = "the measuring process was ended: the budget was used up"
    assert [(it.seconds, it.state) for it in found.speed] == [([1.0], State()), ([], State("skipped", reason))]
    assert (found.started, found.notes) == ("yesterday", [reason])
    assert len(sleeping) == 1


def test_a_run_that_begins_anew_leaves_no_journal_of_an_older_one(
    small: str, tmp_path: Path, at_work: list[int]
) -> None:
    options = Options(layouts=[small], modes=["speed"], executions=["eager"], budget=600, effort=EFFORT)
    journal = tmp_path / "file[1].json.journal"
    for name in (f"{journal.name}-1", f"{journal.name}-12", f"{journal.name}-notes", "other.json.journal-1"):
        (tmp_path / name).touch()
    Supervision(journal).run(["sgd"], options)
    left = {path.name for path in tmp_path.glob("*journal*")}
    assert left == {journal.name, f"{journal.name}-notes", "other.json.journal-1"}
    assert at_work == [0]
