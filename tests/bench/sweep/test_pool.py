"""Training by several processes: the same records as by one, and workers that die."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optreg.bench import Options, Progress, Results, run
from optreg.bench.results import History, TrainingRun, read_journal
from optreg.bench.sweep import cell
from optreg.bench.sweep.crews import Staff
from optreg.errors import InvalidFilter

OPTIONS = Options(
    modes=["training"],
    tasks=["ridge", "digits"],
    seeds=2,
    epochs=1,
    schedule="cosine",
    rates=(0.01, 0.1),
    budget=600,
)
NAMES = ["sgd", "adam[learning_rate=0.01]"]


@pytest.fixture(scope="module")
def doing() -> list[str]:
    return []


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep") / "journal"


@pytest.fixture(scope="module")
def swept(doing: list[str], journal: Path) -> Results:
    def observe(progress: Progress) -> None:
        doing.append(progress.doing)

    return run(NAMES, replace(OPTIONS, workers=2), observer=observe, history=History(journal))


def keyed(results: Results) -> Mapping[Any, TrainingRun]:
    return {(it.optimizer, it.task, it.setting, it.seed): it for it in results.training}


def numbers(run: TrainingRun) -> tuple[Any, ...]:
    return run.optimizer, run.task, run.losses, [(it.step, it.loss, it.metric) for it in run.evaluations]


def alone() -> Results:
    """Train in this process as one of a crew would: with its threads, for others add sums in another order."""
    cell._settle()
    return run(NAMES, OPTIONS)


def test_a_sweep_trains_what_one_process_trains(swept: Results) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as one:
        single = one.submit(alone).result(timeout=300)
    mine, theirs = keyed(swept), keyed(single)
    assert list(mine) == list(theirs)
    assert {it.state.name for it in mine.values()} == {"finished"}
    assert len(mine) == 2 * 2 * 2 + 2 * 2  # defaults of both, and what the searches of the one without a rate found
    assert [numbers(it) for it in mine.values()] == [numbers(it) for it in theirs.values()]
    assert {it.schedule.name for it in [*mine.values(), *swept.searches]} == {"cosine"}
    searches = {(it.optimizer, it.task): (it.state, it.chosen, it.edge) for it in swept.searches}
    assert searches == {(it.optimizer, it.task): (it.state, it.chosen, it.edge) for it in single.searches}


def test_it_says_who_did_the_work_and_what_is_ahead(swept: Results, doing: list[str]) -> None:
    who = swept.machine["sweep"]
    assert (who["executor"], who["workers"], who["threads"]) == ("pool", 2, 1)
    assert sum(host["cells"] for host in who["hosts"].values()) == 14
    assert list(who["hosts"]) == ["host 1"]  # what it is called is nobody's business
    assert any("2 workers of 1 thread at a time (14 on host 1)" in note for note in swept.notes)
    assert any(words.startswith("training with 2 workers: ") for words in doing)


def test_a_sweep_that_was_killed_goes_on_without_workers(swept: Results, journal: Path, tmp_path: Path) -> None:
    lines = journal.read_text().splitlines()
    kept = [line for line in lines if '"training"' not in line[:20]] + [
        line for line in lines if '"training"' in line[:20]
    ][:3]
    torn = tmp_path / "journal"
    torn.write_text("\n".join(kept) + "\n")
    history = read_journal(torn)
    before = {id(record) for record in history.earlier.values()}
    again = keyed(run(NAMES, OPTIONS, history=history))
    assert len(before) == 5  # three runs and two searches
    seconds = {key: it.seconds for key, it in keyed(swept).items()}
    assert sum(it.seconds == seconds[key] for key, it in again.items()) == 3  # as they were kept; the others anew
    assert {it.state.name for it in again.values()} == {"finished"}


@pytest.mark.slow
@pytest.mark.usefixtures("deadly")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_optimizer_that_ends_or_hangs_its_worker_is_a_row_and_the_others_are_trained() -> None:
    options = replace(OPTIONS, tasks=["ridge"], rates=(), schedule="constant", workers=2, patience=20.0)
    results = run(["deadly/killed_one", "deadly/hanging_one", "sgd"], options)
    found = {(it.optimizer, it.seed): it.state for it in results.training}
    assert found["sgd", 0].name == found["sgd", 1].name == "finished"
    killed, hanging = found["deadly/killed_one", 0], found["deadly/hanging_one", 0]
    assert (killed.name, hanging.name) == ("failed", "failed")
    assert killed.reason == "it ended its worker with signal 9, or gave no sign of life for 20 s, on ridge"
    assert hanging.reason == "it ended its worker with exit code 1, or gave no sign of life for 20 s, on ridge"
    assert {found["deadly/killed_one", 1].name, found["deadly/hanging_one", 1].name} == {"failed"}


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ({"executor": "slurm"}, r"unknown executor 'slurm'; allowed: .*pool.*ray"),
        ({"count": -1}, r"at least 0 \(all processors\), received -1"),
        ({"address": "10.0.0.1:6379"}, "needs the executor ray"),
    ],
)
def test_a_staff_that_cannot_be_is_refused(bad: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint):
        Staff(**bad)


ORPHANED = """
import os, pathlib, time
from optreg.bench.sweep.crews import Staff, crew_of
from tests.bench.sweep.test_pool import waiting

if __name__ == "__main__":
    with crew_of(Staff(count=1)) as crew:
        crew._pool.submit(waiting, None, os.environ["FOUND"])
        while not pathlib.Path(os.environ["FOUND"]).exists():
            time.sleep(0.1)
        os._exit(9)
"""


def waiting(path: str) -> None:
    """Settle as a worker does, say which process this is, and work for ever."""
    cell._settle()
    Path(f"{path}.part").write_text(str(os.getpid()))
    Path(f"{path}.part").rename(path)
    time.sleep(1000)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for the process in /proc")
def test_a_worker_ends_when_the_sweep_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orphaned.py").write_text(ORPHANED)
    monkeypatch.setenv("FOUND", str(tmp_path / "worker"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = subprocess.run([sys.executable, str(tmp_path / "orphaned.py")], check=False, timeout=300)
    assert done.returncode == 9
    worker = Path("/proc") / (tmp_path / "worker").read_text()
    for _ in range(300):
        if not worker.exists():
            break
        time.sleep(0.1)
    assert not worker.exists()
