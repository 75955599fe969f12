"""Clusters of real processes on the loopback interface, each process ended by the test that started it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


def free_addresses(number: int) -> list[str]:
    """Return addresses that nobody listens to; all are held until the last is found, so that they differ."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


class Process:
    """A script of this folder in a process of its own, with its output in a file."""

    def __init__(self, script: str, arguments: Sequence[object], folder: Path, **environment: str) -> None:
        self.name = f"{script} {arguments[0]}"
        self._output = folder / f"{script}-{arguments[0]}-{time.monotonic_ns()}.txt"
        inherited = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(HERE / f"{script}.py"), *map(str, arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**inherited, **environment},
            )

    def wait(self, seconds: float) -> int:
        """Return the exit code; a process that takes longer fails the test with its output."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} was still running after {seconds} s:\n{self.output}") from None

    def end(self) -> None:
        self._process.kill()
        self._process.wait(30)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")


@contextmanager
def ended(processes: Sequence[Process]) -> Iterator[Sequence[Process]]:
    """Kill whatever is still running at the end."""
    try:
        yield processes
    finally:
        for process in processes:
            process.end()


def multi_worker_config(workers: Sequence[str], index: int) -> str:
    """Return the value of TF_CONFIG for one worker."""
    return json.dumps({"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index}})
