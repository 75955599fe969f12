"""A child process that imported only optreg, and continues a training that was saved to a folder.

Run as ``python -m optreg.conformance.fresh_process FOLDER``. It is the other half of the checks of that name: what it
finds, it writes beside what it read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import optreg
from optreg.conformance.definition import CheckFailure, Skipped
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training
from optreg.registry import default_registry
from optreg.registry.loading import target_of

STEPS = 3

_ORDER, _CHECKPOINT, _FOUND, _VALUES = "order.json", "training", "found.json", "values.npz"
_LONGEST = 300  # seconds; a child takes the time of importing TensorFlow


class Continuation(NamedTuple):
    """What parent and child found.

    Args:
        expected: Weights that the parent reaches.
        received: Weights that the child reaches.
        iterations: Count of steps in the child.
        devices_were_free: Whether the devices could still be configured once the plugin was imported.
        error: What the child raised; empty where it came through.
    """

    expected: list[Any]
    received: list[Any]
    iterations: int
    devices_were_free: bool
    error: str = ""


def continued_in_a_child(subject: Subject) -> Continuation:
    """Return what a fresh process makes of the optimizer; run once for each subject.

    Raises:
        Skipped: The class is not at the top level of a module that another process can import.
        CheckFailure: The process ended without a result.
    """
    if "<locals>" in target_of(subject.cls) or subject.cls.__module__ == "__main__":
        raise Skipped(f"{target_of(subject.cls)} cannot be imported by another process: put it into a module")
    if "continuation" not in subject.remembered:
        subject.remembered["continuation"] = _continue(subject)
    found: Continuation = subject.remembered["continuation"]
    return found


def _continue(subject: Subject) -> Continuation:
    training = Training(subject.brisk(), subject.dtype).steps(STEPS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        order = {"optimizer": training.optimizer.to_dict(), "dtype": subject.dtype}
        (folder / _ORDER).write_text(json.dumps(order))
        _checkpoint(training).write(str(folder / _CHECKPOINT))
        done = _run(folder)
        if not (folder / _FOUND).is_file():
            last = done.stderr.strip().splitlines()[-1:]
            raise CheckFailure(
                "a fresh process", expected="a continued training", received=f"exit code {done.returncode}: {last}"
            )
        found = json.loads((folder / _FOUND).read_text())
        received: list[Any] = []
        if not found["error"]:
            with np.load(folder / _VALUES) as values:
                received = [values[f"arr_{place}"] for place in range(len(values.files))]
    return Continuation(training.steps(STEPS).values, received, **found)


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", __name__, str(folder)]
    try:
        return subprocess.run(  # noqa: S603 - this interpreter, this module
            command, capture_output=True, text=True, env=environment, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailure(
            "a fresh process", expected=f"an end within {_LONGEST} s", received="none; it was killed"
        ) from error


def _checkpoint(training: Training) -> Any:
    return tf.train.Checkpoint(optimizer=training.optimizer, variables=training.variables)


def main(folder: Path) -> None:
    """Continue the training of a folder and write down what was found."""
    order = json.loads((folder / _ORDER).read_text())
    found: dict[str, Any] = {"iterations": 0, "devices_were_free": True, "error": ""}
    try:
        default_registry().get_class(order["optimizer"]["optimizer"])
        found["devices_were_free"] = _devices_are_free()
        training = Training(optreg.get_optimizer(order["optimizer"]), order["dtype"])
        training.optimizer.build(training.variables)
        _checkpoint(training).read(str(folder / _CHECKPOINT)).assert_consumed()
        training.made = STEPS
        np.savez(folder / _VALUES, *training.steps(STEPS).values)
        found["iterations"] = int(training.optimizer.iterations)
    # The parent tells what went wrong, whatever a plugin raises.
    except (Exception, SystemExit) as error:
        found["error"] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    (folder / _FOUND).write_text(json.dumps(found))


def _devices_are_free() -> bool:
    """Return whether devices can still be configured, as a user does after the imports."""
    processors = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(processors[0], [tf.config.LogicalDeviceConfiguration()])
    except RuntimeError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
