"""Talking to the process of a foreign library: it makes steps when told to, and says how long they took.

Its samples are taken in turn with all others, so disturbances of the machine meet them alike; while one process is
measured the others wait. Seconds are counted in the process that makes the steps, without the way there and back.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optreg.errors import OptregError

_WORKER = Path(__file__).with_name("worker.py")
_TIMEOUT = 120.0  # seconds for one answer


class ForeignFailure(OptregError, RuntimeError):
    """The process of a foreign library could not do what it was told; the message says why."""


class NotOffered(ForeignFailure):
    """The library, or this version of it, has no such optimizer or variant."""


class Session:
    """One process with one optimizer.

    Args:
        order: What to make: library, variant, class, hyperparameters, shapes and threads.
        timeout: Seconds to wait for each answer.
    """

    def __init__(self, order: Mapping[str, Any], timeout: float = _TIMEOUT) -> None:
        threads = str(order["threads"])
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
        self._timeout = timeout
        self._process = subprocess.Popen(  # noqa: S603 - our own script, and nothing from outside on the command line
            [sys.executable, str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self.about = self._ask(order)
        except ForeignFailure:
            self.close()
            raise

    def run(self, steps: int) -> float:
        """Make the steps and return the seconds that they took there.

        Raises:
            ForeignFailure: The process died, did not answer in time, or its library raised.
        """
        return float(self._ask({"steps": steps})["seconds"])

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            raise ForeignFailure(f"no answer from its process for {self._timeout:g} s") from None
        except OSError:
            line = ""
        if not line:
            raise ForeignFailure(f"its process ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "unavailable" in answer:
            raise NotOffered(str(answer["unavailable"]))
        if "error" in answer:
            raise ForeignFailure(str(answer["error"]))
        return answer

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - see _ask
        with contextlib.suppress(ValueError):  # closed while reading
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put("")
