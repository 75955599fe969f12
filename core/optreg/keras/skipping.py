"""For whom Keras reads a file: somebody who said ``skip_mismatch=True``, or who loads a whole model.

Keras does not tell those whose state it reads. State that has to wait for its variables is compared long after the
call has ended, and what was asked for has to be remembered until then. Both Kerases hold it in a local variable.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType


def mismatches_are_skipped() -> bool:
    """Whether a call of ``load_weights`` or ``load_model`` above this one has ``skip_mismatch=True``."""
    return any(frame.f_locals.get("skip_mismatch") is True for frame in _calls_of_keras())


def a_model_is_loaded() -> bool:
    """Whether a ``load_model`` above this call builds the model, optimizer included, that the file describes."""
    return any(frame.f_code.co_name == "load_model" for frame in _calls_of_keras())


def _calls_of_keras() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(("keras.", "tf_keras.")):
            yield frame
        frame = frame.f_back
