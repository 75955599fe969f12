"""Keeping TensorFlow's start-up chatter away from the user."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

SHOW = "OPTREG_TF_LOGS"

_SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # its C++ log: errors that end the program only
    "GRPC_VERBOSITY": "ERROR",
    "ABSL_MIN_LOG_LEVEL": "3",
}


def quiet_environment() -> None:
    """Set what TensorFlow reads in the environment, for this process and those that it starts."""
    if os.environ.get(SHOW, "0") in ("", "0"):
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)


def quiet_tensorflow() -> None:
    """Load TensorFlow silently. Call it before anything else loads TensorFlow; ``OPTREG_TF_LOGS=1`` shows everything.

    The environment alone does not do: parts of TensorFlow write to the file descriptor before they read it.
    If the import fails, what was held back is shown.
    """
    if os.environ.get(SHOW, "0") not in ("", "0"):
        return
    quiet_environment()
    if "tensorflow" in sys.modules:
        return
    with _held_back_stderr():
        from optreg import Optimizer  # noqa: F401 - what needs TensorFlow is how the command line may load it


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Send file descriptor 2 to a temporary file, and show its content only if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held_back.seek(0)
                os.write(2, held_back.read())
