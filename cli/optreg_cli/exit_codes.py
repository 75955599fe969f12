"""The exit codes of every command, and the one line that goes with an error."""

from __future__ import annotations

import os
import sys
import traceback

from optreg import errors
from optreg_cli.rendering import one_line

FINE = 0
CHECKS_FAILED = 1
USAGE = 2
NOTHING_MATCHED = 3
PLUGIN_UNUSABLE = 4
INTERNAL = 5
INTERRUPTED = 130  # as shells report a program ended by Ctrl-C
CLOSED_PIPE = 141  # and one whose reader, such as `head -1`, has left before the end

MEANINGS = (
    "Exit codes: 0 fine, 1 checks failed, 2 wrong usage, 3 nothing matched, 4 plugin unusable, "
    "5 internal error (set OPTREG_TRACEBACK=1 for the traceback), 130 interrupted."
)


def code_of(error: BaseException) -> int:
    """Return the exit code for an error that reached the command line."""
    if isinstance(error, errors.UnknownOptimizer):
        return NOTHING_MATCHED
    if isinstance(error, errors.UnusableOptimizer | errors.PolicyViolation):
        return PLUGIN_UNUSABLE
    return USAGE if isinstance(error, errors.OptregError) else INTERNAL


def report(error: Exception) -> int:
    """Write one line about the error to stderr and return its exit code."""
    code = code_of(error)
    if os.environ.get("OPTREG_TRACEBACK"):
        traceback.print_exception(error)
    text = str(error) if code != INTERNAL else f"internal error: {type(error).__name__}: {error}"
    hint = " (set OPTREG_TRACEBACK=1 for the traceback)" if code == INTERNAL else ""
    sys.stderr.write(one_line(f"optreg: {text}{hint}") + "\n")
    return code
