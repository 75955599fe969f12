"""Foreign code in a child process: every way to end is told, and nothing of it stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from optreg.isolation import WaitingChild, announce, emit, run_isolated

FOREIGN = """
import os, signal, subprocess, sys, time
from optreg.isolation import announce, emit

def double(number):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    return {"twice": 2 * number, "path": sys.path, "tensorflow": "tensorflow" in sys.modules}

def raises(text):
    announce("the check")
    raise ValueError(text + "\\nsecond line")

def leaves(code):
    sys.exit(code)

def vanishes(code):
    emit("half")
    os._exit(code)

def crashes(_):
    announce("step 3")
    emit({"step": 1})
    emit({"step": 2})
    os.kill(os.getpid(), signal.SIGSEGV)

def is_killed(_):
    os.kill(os.getpid(), signal.SIGKILL)

def hangs(_):
    announce("waiting")
    time.sleep(60)

def leaves_a_child(_):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid

def hangs_with_a_child(_):
    emit(leaves_a_child(None))
    time.sleep(60)

def leaves_a_thread(_):
    import threading
    threading.Thread(target=time.sleep, args=(60,)).start()
    return "done"

def not_json(_):
    return {1, 2}

def floods(_):
    while True:
        sys.stdout.write("x" * 1_000_000)

def writes_rubbish(_):
    with open(os.environ["OPTREG_ISOLATION_CHANNEL"], "ab") as channel:
        channel.write(b"\\xff not json\\n[1]\\n")
    return "done"
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    (tmp_path / "foreign_work.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(function, argument=None, **options):
        return run_isolated(f"foreign_work:{function}", argument, **{"timeout": 30.0, **options})

    yield run
    assert "foreign_work" not in sys.modules


def is_alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_the_value_comes_back_with_the_output_and_the_callers_path(foreign):
    outcome = foreign("double", 21)
    assert (outcome.status, outcome.value["twice"], outcome.reason) == ("finished", 42, "")
    assert outcome.value["path"] == sys.path
    assert outcome.value["tensorflow"] is False
    assert (outcome.stdout, outcome.stderr) == ("to stdout\n", "to stderr\n")
    assert outcome.seconds > 0


def test_an_exception_is_told_in_one_line_with_its_stage_and_traceback(foreign):
    outcome = foreign("raises", "boo")
    assert outcome.status == "raised"
    assert outcome.reason == "raised ValueError: boo second line in 'the check'"
    assert 'raise ValueError(text + "\\nsecond line")' in outcome.trace


def test_an_exit_is_told_whether_python_knows_of_it_or_not(foreign):
    assert foreign("leaves", 7).reason == "raised SystemExit: 7"
    vanished = foreign("vanishes", 3)
    assert (vanished.status, vanished.exit_code, vanished.emitted) == ("exited", 3, ("half",))
    assert vanished.reason == "ended the process with exit code 3"
    assert foreign("vanishes", 0).status == "exited"


def test_a_crash_names_the_signal_and_the_stage_and_keeps_what_was_handed_over(foreign):
    seen = []
    outcome = foreign("crashes", observer=seen.append)
    assert (outcome.status, outcome.signal, outcome.exit_code) == ("killed", "SIGSEGV", -11)
    assert outcome.reason == "killed by SIGSEGV in 'step 3'"
    assert outcome.emitted == ({"step": 1}, {"step": 2})
    assert seen == [{"step": 1}, {"step": 2}]
    assert "foreign_work.py" in outcome.stderr  # where Python was
    assert foreign("is_killed").reason == "killed by SIGKILL (out of memory?)"


def test_a_hang_is_ended_at_the_limit_and_told(foreign):
    outcome = foreign("hangs", timeout=1.0)
    assert outcome.status == "timed out"
    assert outcome.reason == "still running after 1 s in 'waiting', and was ended"
    assert outcome.exit_code is None


def test_what_the_child_started_is_ended_with_it(foreign):
    orphans = [foreign("leaves_a_child").value, *foreign("hangs_with_a_child", timeout=2.0).emitted]
    deadline = time.monotonic() + 10
    while any(map(is_alive, orphans)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in orphans if is_alive(pid)]


IMPORTED = """
import os, pathlib
pathlib.Path(__file__).with_suffix(".imported").write_text(str(os.getpid()))

def double(number):
    return 2 * number
"""


@pytest.fixture
def slow_module(tmp_path, monkeypatch):
    """Return a function that waits until the child has imported its module, and returns the child's number."""
    (tmp_path / "slow_module.py").write_text(IMPORTED)
    monkeypatch.syspath_prepend(str(tmp_path))

    def imported():
        mark, deadline = tmp_path / "slow_module.imported", time.monotonic() + 20
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return int(mark.read_text())

    return imported


def test_a_child_started_ahead_imports_its_function_before_it_has_work(slow_module):
    with WaitingChild("slow_module:double") as child:
        pid = slow_module()
        assert is_alive(pid)
        assert child.run(21, timeout=30.0).value == 42
    assert not is_alive(pid)


def test_a_child_that_was_never_given_work_ends_with_the_block(slow_module):
    with WaitingChild("slow_module:double"):
        pid = slow_module()
        assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.skipif(sys.platform == "win32", reason="no parent to ask for")
def test_a_child_without_work_ends_when_its_parent_is_killed(slow_module):
    waits = (
        "import os, signal; from optreg.isolation import WaitingChild; WaitingChild('slow_module:double').__enter__(); "
        "input(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = os.pathsep.join(sys.path)
    parent = subprocess.Popen(
        [sys.executable, "-c", waits], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    pid = slow_module()
    parent.communicate(b"\n", timeout=30)
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_a_thread_left_behind_does_not_hold_the_result_up(foreign):
    assert foreign("leaves_a_thread").value == "done"


def test_an_exception_of_the_observer_ends_the_child(foreign):
    def refuses(pid):
        raise KeyboardInterrupt(pid)

    with pytest.raises(KeyboardInterrupt) as caught:
        foreign("hangs_with_a_child", observer=refuses)
    deadline = time.monotonic() + 10
    while is_alive(caught.value.args[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(caught.value.args[0])


def test_a_result_that_is_not_json_is_the_childs_mistake(foreign):
    assert foreign("not_json").reason.startswith("raised TypeError: Object of type set is not JSON serializable")


def test_a_missing_function_or_module_is_told(foreign):
    assert foreign("no_such_function").error.startswith("AttributeError: module 'foreign_work' has no attribute")
    assert run_isolated("no_such_module:f", timeout=30.0).error.startswith("ModuleNotFoundError: ")


def test_output_without_end_is_stopped(foreign, monkeypatch):
    monkeypatch.setattr("optreg.isolation._MOST_OUTPUT", 5_000_000)
    outcome = foreign("floods")
    assert outcome.reason == "killed by optreg: it wrote more than 5 MB of output"
    assert len(outcome.stdout) == 20_000


def test_lines_that_are_not_ours_are_passed_over(foreign):
    assert foreign("writes_rubbish").value == "done"


def test_outside_of_a_child_the_reports_go_nowhere(monkeypatch):
    monkeypatch.delenv("OPTREG_ISOLATION_CHANNEL", raising=False)
    announce("nothing")
    emit({"nothing": os.getpid()})
