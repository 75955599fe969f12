"""The process of a foreign library: what it answers, and what becomes of its silence and its death."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from optreg.bench import Options, run, speed_rows
from optreg.bench.contenders import contenders
from optreg.bench.foreign import session as module
from optreg.bench.foreign.session import ForeignFailure, NotOffered, Session
from optreg.bench.foreign.worker import _arguments, serve
from optreg.bench.peers import LIBRARIES
from optreg.bench.selection import Choice

ORDER = {"threads": 1}
ANSWERING = """
import json, os, sys, time
for number, line in enumerate(sys.stdin):
    order = json.loads(line)
    if number == 0:
        print(json.dumps({"build": 0.5}), flush=True)
    elif order["steps"] == 13:
        os._exit(7)
    elif order["steps"] == 99:
        time.sleep(60)
    else:
        print(json.dumps({"seconds": 0.25 * order["steps"]}), flush=True)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(ANSWERING)
    monkeypatch.setattr(module, "_WORKER", path)
    return path


def test_steps_are_made_there_and_their_seconds_come_back(script: Path) -> None:
    session = Session(ORDER)
    assert session.about == {"build": 0.5}
    assert session.run(4) == 1.0
    session.close()


@pytest.mark.parametrize(
    ("steps", "message"), [(13, "its process ended with exit code 7"), (99, "no answer from its process for 0.5 s")]
)
def test_death_and_silence_are_errors(script: Path, steps: int, message: str) -> None:
    session = Session(ORDER, timeout=120.0)
    session._timeout = 0.5 if steps == 99 else 120.0
    with pytest.raises(ForeignFailure, match=message):
        session.run(steps)
    session.close()


@pytest.mark.parametrize(("answer", "kind"), [({"error": "E: x"}, ForeignFailure), ({"unavailable": "x"}, NotOffered)])
def test_what_the_library_refuses_is_told(script: Path, answer: dict[str, str], kind: type[Exception]) -> None:
    script.write_text(f"import sys\nsys.stdin.readline()\nprint({json.dumps(answer)!r}, flush=True)\n")
    with pytest.raises(kind, match="x"):
        Session(ORDER)


def test_hyperparameters_get_the_names_of_the_other_library() -> None:
    def theirs(params: Any, lr: float = 1, betas: Any = (), eps: float = 0, amsgrad: bool = False) -> None: ...

    ours = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-7, "amsgrad": True, "decay": 0.5}
    assert _arguments(theirs, ours) == (
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-7, "amsgrad": True},
        ["runs without decay=0.5"],
    )


def test_a_library_that_raises_is_an_answer_and_not_the_end() -> None:
    out = io.StringIO()
    serve(io.StringIO(json.dumps({"library": "unheard-of", "threads": 1}) + "\n"), out)
    assert json.loads(out.getvalue()) == {"error": "KeyError: 'unheard-of'"}


def test_a_library_that_is_not_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optreg.bench.contenders.is_installed", lambda _: False)
    found, notes = contenders(Choice("adam"), [LIBRARIES["torch"]])
    assert [it.implementation for it in found] == ["optreg"]
    assert notes == ["torch is not installed; pip install torch"]


def test_optax_is_sampled_in_the_same_rounds_and_compared_with_ours(quick: Options) -> None:
    pytest.importorskip("optax")
    from dataclasses import replace

    found = run(["adam"], replace(quick, modes=("speed",), executions=("graph",), against=("optax",)))
    [row] = [row for row in speed_rows(found) if row.entry.implementation == "optax"]
    [ours] = [row for row in speed_rows(found) if row.entry.implementation == "optreg"]
    assert row.entry.state.name == "finished", row.entry.state
    assert {slot.name: slot.measured for slot in row.entry.slots} == {"count": 4, "mu": 68, "nu": 68}
    assert [it.round for it in row.entry.samples] == [it.round for it in ours.entry.samples]
    assert row.ratio is not None
