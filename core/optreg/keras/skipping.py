"""Whether Keras reads a file for somebody who said ``skip_mismatch=True``.

Keras does not tell those whose state it reads. State that has to wait for its variables is compared long after the
call has ended, and what was asked for has to be remembered until then. Both Kerases hold it in a local variable.
"""

from __future__ import annotations

import sys


def mismatches_are_skipped() -> bool:
    """Whether a call of ``load_weights`` or ``load_model`` above this one has ``skip_mismatch=True``."""
    frame = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(("keras.", "tf_keras.")) and frame.f_locals.get("skip_mismatch") is True:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
