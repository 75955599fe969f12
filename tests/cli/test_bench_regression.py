"""From two real runs to an exit code: a plugin that became slower, and one that did not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from optreg.bench.results import read_journal
from optreg_cli.main import app

PLUGIN = """
import os, time
import optreg

class Napping(optreg.Optimizer):
    def __init__(self, name="Napping", **kwargs):
        super().__init__(name, **kwargs)
    def get_config(self):
        return super().get_config()
    def _resource_apply_dense(self, grad, var, apply_state=None):
        time.sleep(float(os.environ["NAP"]))
        return var.assign_sub(0.1 * grad)

class Crashing(Napping):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        os._exit(7)
"""


@pytest.fixture(autouse=True)
def plugin(optreg_distribution: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"napping": "napping_plugin:Napping", "crashing_one": "napping_plugin:Crashing"}
    optreg_distribution("napping", {"napping_plugin.py": PLUGIN}, optimizers=points)
    (tmp_path / "pair.json").write_text('{"shapes": [[3, 4]]}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)


WORDS = ("--mode", "speed", "--execution", "eager", "--layout", "pair.json", "--budget", "60")


def bench(*arguments: str, nap: float) -> Any:
    environment = {"NAP": str(nap), "COLUMNS": "200"}
    return CliRunner().invoke(app, ["bench", *arguments, *WORDS], prog_name="optreg", env=environment)


GATE = ("--baseline", "main", "--fail-on", "step_time:median>15%")


@pytest.mark.slow
def test_five_times_as_slow_fails_the_gate_and_the_same_does_not() -> None:
    """Five times, because a comparison decides nothing by which the machine may have changed between the runs."""
    first = bench("napping", "--save-baseline", "main", nap=0.004)
    assert first.exit_code == 0, first.stderr
    slower = bench("napping", *GATE, "--junit", "report.xml", nap=0.02)
    assert slower.exit_code == 1, slower.stdout
    assert "FAILED step_time:median>15%: napping eager optreg on pair, cpu:0: step_time median grew by" in slower.stdout
    assert 'failures="1"' in Path("report.xml").read_text(encoding="utf-8")
    same = bench("napping", *GATE, nap=0.004)
    assert same.exit_code == 0, same.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="exit codes of children")
def test_an_optimizer_that_ends_its_process_is_code_3_and_the_other_is_measured() -> None:
    done = bench("crashing_one", "sgd", nap=0.0)
    assert done.exit_code == 3, done.stderr
    assert "ended the process with exit code 7" in " ".join(done.stdout.split())
    assert any(line.split()[:2] == ["sgd", "eager"] for line in done.stdout.splitlines())


def measured(journal: Path) -> dict[str, list[float]]:
    """Return the samples that a journal holds so far, of everything that is finished."""
    if not journal.exists() or "\n" not in journal.read_text(encoding="utf-8"):
        return {}
    return {entry.label: entry.seconds for entry in read_journal(journal).of("speed")}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_that_was_killed_goes_on_and_measures_nothing_twice() -> None:
    journal, words = Path("file.json.journal"), ("sgd", "napping", *WORDS, "--json", "file.json")
    script = f"import sys; sys.path[:] = {sys.path!r}; from optreg_cli.main import app; app(prog_name='optreg')"
    environment = {**os.environ, "NAP": "2"}
    command = [sys.executable, "-c", script, "bench", *words]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as killed:
        while not measured(journal):
            assert killed.poll() is None, f"it ended by itself with {killed.returncode}"
            time.sleep(0.05)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    assert not Path("file.json").exists() or not Path("file.json").stat().st_size
    before = measured(journal)
    assert "sgd eager optreg on pair, cpu:0" in before
    assert "napping eager optreg on pair, cpu:0" not in before

    resumed = bench("sgd", "napping", "--json", "file.json", "--resume", "--isolate", "0", nap=0.001)
    assert resumed.exit_code == 0, resumed.stderr
    document = json.loads(Path("file.json").read_text(encoding="utf-8"))
    labels = [(it["optimizer"], it["execution"], it["implementation"]) for it in document["speed"]]
    expected = [("-", "eager", "harness"), *((name, "eager", "optreg") for name in ("sgd", "napping"))]
    expected += [(name, "probe", "ceiling") for name in ("sgd", "napping")]
    assert sorted(labels) == sorted(expected)
    for entry in document["speed"]:
        assert entry["state"]["name"] == "finished", entry
        seconds = [sample["seconds"] for sample in entry["samples"]]
        label = f"{entry['optimizer']} {entry['execution']} {entry['implementation']} on pair, cpu:0"
        assert len(seconds) >= 6
        assert len({sample["round"] for sample in entry["samples"]}) == len(seconds)
        assert seconds == before.get(label, seconds)
    assert len(document["resumed"]) == 1
    assert not list(Path().glob("*.journal*"))
