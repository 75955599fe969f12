"""Running foreign code in a child process: its crash, hang or exit is an outcome, never the end of the caller.

::

    outcome = run_isolated("my_module:measure", {"name": "adam"}, timeout=60.0)
    if outcome.status == "finished":
        print(outcome.value)
    else:
        print(outcome.reason)        # such as "killed by SIGSEGV in 'step 3'"

The function gets the argument and returns a value; both travel as JSON, so that nothing of the child is ever
unpickled here. It may call ``announce`` to say what it is about to do and ``emit`` to hand over a part of the result:
what arrived before a crash is kept.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["finished", "raised", "timed out", "killed", "exited"]

Observer = Callable[[Any], None]

_POLL = 0.02  # seconds between two looks at the child
_KEPT_OUTPUT = 20_000  # characters of stdout and stderr, the last ones
_MOST_OUTPUT = 100_000_000  # bytes; a plugin that prints without end must not fill the disk until its time is up
_CHANNEL = "OPTREG_ISOLATION_CHANNEL"
_TIMED_OUT = "timed out"
_POSIX = os.name == "posix"


@dataclass(frozen=True)
class Outcome:
    """How the work in the child ended.

    Args:
        status: ``raised`` means an exception, ``exited`` that the process ended without a result.
        value: What the function returned, for ``finished``.
        stage: What it had announced last.
        emitted: What it had handed over until then.
        error: Type and text of the exception.
        trace: The traceback in the child, as text.
        signal: Name of the signal, such as ``SIGSEGV``.
        exit_code: Of the child; negative for a signal; None where it did not end by itself.
        limit: Seconds that it was given.
        seconds: Seconds that it took.
        stdout: The end of what it wrote there.
        stderr: The same, for ``stderr``; after a crash it ends with where Python was.
    """

    status: Status
    value: Any = None
    stage: str = ""
    emitted: tuple[Any, ...] = ()
    error: str = ""
    trace: str = ""
    signal: str = ""
    exit_code: int | None = None
    limit: float | None = None
    seconds: float = 0.0
    stdout: str = ""
    stderr: str = ""

    @property
    def reason(self) -> str:
        """How it ended, as the end of a sentence; empty where it finished."""
        during = f" in {self.stage!r}" if self.stage else ""
        return {
            "finished": "",
            "raised": f"raised {self.error}{during}",
            "timed out": f"still running after {self.limit or 0.0:g} s{during}, and was ended",
            "killed": f"killed by {self.signal}{during}{self._guess()}",
            "exited": f"ended the process with exit code {self.exit_code}{during}",
        }[self.status]

    def _guess(self) -> str:
        if self.error:
            return f": {self.error}"
        return " (out of memory?)" if self.signal == "SIGKILL" else ""


def run_isolated(
    target: str, argument: Any = None, *, timeout: float | None = None, observer: Observer | None = None
) -> Outcome:
    """Call a function in a child process with this process's ``sys.path``, and return how that ended.

    The child and all that it started are gone when this returns, also after an exception such as Ctrl-C.

    Args:
        target: ``module:function`` of one argument; imported in the child only.
        argument: Anything that JSON can hold.
        timeout: Seconds for all of it, start-up included; None for no limit.
        observer: Called with everything that the child emits, as it arrives.
    """
    with WaitingChild(target) as child:
        return child.run(argument, timeout=timeout, observer=observer)


class WaitingChild:
    """A child process that is started ahead: it imports its function while this process still does other things.

    ::

        with WaitingChild("my_module:measure") as child:
            argument = what_takes_a_while()
            outcome = child.run(argument, timeout=60.0)

    The child and all that it started are gone when the block is left, whether it was given work or not.

    Args:
        target: ``module:function`` of one argument; imported in the child only.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._ended = False

    def __enter__(self) -> WaitingChild:
        with contextlib.ExitStack() as stack:
            # A folder that cannot be removed is no reason to fail.
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="optreg-", ignore_cleanup_errors=True))
            self._folder = Path(name)
            job = {"target": self._target, "path": sys.path, "folder": name, "parent": os.getpid()}
            (self._folder / "job").write_text(json.dumps(job), encoding="utf-8")
            self._process = _started(self._folder)
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        """End the child and everything that it started, once: later its number may be another's."""
        if not self._ended:
            self._ended = True
            _end(self._process)

    def run(self, argument: Any, *, timeout: float | None = None, observer: Observer | None = None) -> Outcome:
        """Call the function, once, and return how that ended; arguments as those of ``run_isolated``."""
        start, folder = time.monotonic(), self._folder
        given = folder / "given"
        given.write_text(json.dumps(argument), encoding="utf-8")
        given.replace(folder / "argument")  # the child sees all of it or nothing
        channel = _Channel(folder / "channel", observer)
        try:
            ended_by_us = _wait(self._process, channel, folder, None if timeout is None else start + timeout)
        finally:
            self._end()
        channel.read()
        return Outcome(
            **_ending(self._process.returncode, channel, ended_by_us),
            stage=channel.stage,
            emitted=tuple(channel.emitted),
            limit=timeout,
            seconds=time.monotonic() - start,
            stdout=_tail(folder / "stdout"),
            stderr=_tail(folder / "stderr"),
        )


def announce(stage: str) -> None:
    """Say what is done next, so that a crash or hang is told with it. Does nothing outside of ``run_isolated``."""
    _send("stage", stage)


def emit(value: Any) -> None:
    """Hand a part of the result over at once; JSON. Does nothing outside of ``run_isolated``."""
    _send("emitted", value)


def _send(kind: str, value: Any) -> None:
    path = os.environ.get(_CHANNEL)
    if path:
        line = json.dumps([kind, value]).encode()
        with Path(path).open("ab", buffering=0) as channel:
            channel.write(line + b"\n")


class _Channel:
    """The lines that the child has written so far."""

    def __init__(self, path: Path, observer: Observer | None) -> None:
        self._path = path
        self._observer = observer
        self._read = 0
        self.stage = ""
        self.emitted: list[Any] = []
        self.last: dict[str, Any] = {}

    def read(self) -> None:
        """Take in whole lines that are new; one that is no JSON is not ours and is passed over."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                with contextlib.suppress(ValueError, TypeError):
                    kind, value = json.loads(line)
                    self._take(str(kind), value)

    def _take(self, kind: str, value: Any) -> None:
        if kind == "stage":
            self.stage = str(value)
        elif kind == "emitted":
            self.emitted.append(value)
            if self._observer is not None:
                self._observer(value)
        else:
            self.last[kind] = value


def _started(folder: Path) -> subprocess.Popen[bytes]:
    """Start the child in a process group of its own."""
    environment = {**os.environ, _CHANNEL: str(folder / "channel"), "PYTHONFAULTHANDLER": "1"}
    group: dict[str, Any] = {"start_new_session": True}
    if not _POSIX:
        group = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    # The function itself is reached through the job; the command line holds nothing that came from outside.
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _BOOTSTRAP, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            **group,
        )


# The child looks for optreg where this process has it, whatever the environment says.
_BOOTSTRAP = (
    "import json, pathlib, sys; job = json.loads((pathlib.Path(sys.argv[1]) / 'job').read_text(encoding='utf-8')); "
    "sys.path[:] = job['path']; from optreg.isolation import _work; _work(job)"
)


def _wait(process: subprocess.Popen[bytes], channel: _Channel, folder: Path, deadline: float | None) -> str:
    """Wait for the child; return why it has to be ended, or an empty string where it ended itself."""
    while process.poll() is None:
        channel.read()
        if deadline is not None and time.monotonic() > deadline:
            return _TIMED_OUT
        if sum((folder / name).stat().st_size for name in ("stdout", "stderr")) > _MOST_OUTPUT:
            return f"it wrote more than {_MOST_OUTPUT // 1_000_000} MB of output"
        time.sleep(_POLL)
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and everything that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if _POSIX:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _ending(code: int, channel: _Channel, ended_by_us: str) -> dict[str, Any]:
    """Return what the exit code and the last lines of the channel say, as fields of an ``Outcome``."""
    if ended_by_us == _TIMED_OUT:
        return {"status": "timed out"}
    if ended_by_us:
        return {"status": "killed", "signal": "optreg", "error": ended_by_us, "exit_code": code}
    if code < 0:
        return {"status": "killed", "signal": _signal_name(-code), "exit_code": code}
    raised = channel.last.get("raised")
    if isinstance(raised, dict):
        return {"status": "raised", "error": str(raised.get("error")), "trace": str(raised.get("trace"))}
    if "value" in channel.last:
        return {"status": "finished", "value": channel.last["value"], "exit_code": code}
    return {"status": "exited", "exit_code": code}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4 * _KEPT_OUTPUT))
        return file.read().decode("utf-8", errors="replace")[-_KEPT_OUTPUT:]


def _argument(job: dict[str, Any]) -> Any:
    """Wait until the parent has written the argument, and return it; end with the parent."""
    path = Path(job["folder"]) / "argument"
    while not path.exists():
        if _POSIX and os.getppid() != job["parent"]:
            os._exit(1)
        time.sleep(_POLL)
    return json.loads(path.read_text(encoding="utf-8"))


def _work(job: dict[str, Any]) -> None:
    """Do the job; runs in the child."""
    try:
        module, _, name = job["target"].partition(":")
        function = getattr(importlib.import_module(module), name)
        value = function(_argument(job))
        _send("value", value)
    # Whatever it is, SystemExit and KeyboardInterrupt included, the parent shall tell it by its name.
    except BaseException as error:
        text = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").rstrip(": ")
        _send("raised", {"error": text, "trace": "".join(traceback.format_exception(error))})
    sys.stdout.flush()
    sys.stderr.flush()
    # The result is out; threads and exit handlers of foreign code could only hold it up.
    os._exit(0)
