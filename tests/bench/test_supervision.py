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

PLUGIN = """
import os, signal, time
import optreg

class _Descent(optreg.Optimizer):
    def __init__(self, name="Descent", **kwargs):
        super().__init__(name, **kwargs)
    def get_config(self):
        return super().get_config()
    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(0.1 * grad)

class Killed(_Descent):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        os.kill(os.getpid(), signal.SIGKILL)

class Hanging(_Descent):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        time.sleep(1000)
"""
ENTRIES = "[optreg.optimizers]\nkilled_one = deadly:Killed\nhanging_one = deadly:Hanging\n"
EFFORT = Effort(sample_seconds=0.0005, warm_ups=1, fewest=6, most=6)


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "deadly-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "deadly.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.slow
@pytest.mark.usefixtures("deadly")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_killed_and_the_hanging_are_rows_with_their_reasons_and_the_others_are_measured_once(
    tmp_path: Path,
) -> None:
    options = Options(layouts=["many-small"], modes=["speed"], executions=["eager"], budget=200, effort=EFFORT)
    names = ["sgd", "deadly/killed_one", "deadly/hanging_one", "adagrad"]
    doing: list[str] = []
    supervision = Supervision(
        tmp_path / "journal", timeout=12, observer=lambda it: doing.append(f"{it.doing}"), argv=["bench"]
    )
    results = supervision.run(names, options)
    found = {entry.optimizer: entry.state for entry in results.speed}
    assert (found["sgd"].name, found["adagrad"].name) == ("finished", "finished")
    assert found["deadly/killed_one"].name == "failed"
    assert found["deadly/killed_one"].reason.startswith(
        "killed by SIGKILL in 'deadly/killed_one eager optreg on many-small, cpu:0'"
    )
    assert found["deadly/hanging_one"].reason == (
        "no sign of life for 12 s in 'deadly/hanging_one eager optreg on many-small, cpu:0', and was ended"
    )
    stages = list(dict.fromkeys(doing))
    begun = [doing[number] for number in range(len(doing)) if number == 0 or doing[number] != doing[number - 1]]
    assert begun.count("many-small: sgd on cpu:0") == 1, stages
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
