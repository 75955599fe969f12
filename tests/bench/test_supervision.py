"""Child processes that die or hang: real ones, because nothing else shows that a kill is survived."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from optreg.bench import Options
from optreg.bench.results import Results, SpeedEntry, State
from optreg.bench.results.records import Sample
from optreg.bench.speed.timing import Effort
from optreg.bench.supervision import Supervision, merged

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


def test_what_failed_in_one_process_takes_no_samples_from_the_other() -> None:
    broken = entry(3.0, process=1)
    broken.state = State("failed", "it broke")
    assert merged(Results("", speed=[entry(1.0)]), Results("", speed=[broken])).speed[0].by_process == [[1.0]]
