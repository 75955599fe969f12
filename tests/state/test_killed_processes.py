"""Training survives SIGKILL: it resumes from the last complete checkpoint and ends as an undisturbed run does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

KILLS, SEED = 20, 20221


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return the folder of the runs and what they reported."""
    folder = tmp_path_factory.mktemp("killed")
    program = Path(__file__).with_name("killed_training.py")
    command = [sys.executable, str(program), str(folder), str(SEED), str(KILLS)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, timeout=240, capture_output=True, text=True, env=environment)
    return folder, json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_a_training_killed_twenty_times_ends_as_if_it_had_not_been(killed):
    folder, report, errors = killed
    assert report["codes"] == [0, 0], errors
    assert [run["code"] for run in report["runs"]] == [-signal.SIGKILL] * KILLS, errors
    with np.load(folder / "undisturbed/final.npz") as expected, np.load(folder / "disturbed/final.npz") as received:
        for name in expected.files:
            np.testing.assert_array_equal(received[name], expected[name])


@pytest.mark.slow
def test_every_run_resumed_from_the_last_complete_checkpoint(killed):
    complete, pending, inside_save, early = 0, 0, 0, []
    for run in killed[1]["runs"]:
        begun, *rest = run["events"]
        assert begun == ["b", 0]
        if len(rest) < 2:
            early.append((len(rest), complete > 0))
        if not rest:
            continue
        kind, resumed = rest[0]
        assert kind == "r"
        assert resumed in {complete, pending}
        started = [step for kind, step in run["events"] if kind == "w"]
        finished = [step for kind, step in run["events"] if kind == "d"]
        # A checkpoint whose end was reported must be there; one that was only begun may be there or not.
        complete = max([resumed, *finished])
        pending = max([complete, *started])
        inside_save += bool(started) and started[-1] not in finished
    assert complete > 0
    # One was killed before it restored, one before its first step, both with a checkpoint there to lose.
    assert early == [(0, True), (1, True)]
    assert inside_save >= KILLS // 4
