"""The exit codes of ``optreg bench``; they follow what other benchmarks do, and differ from the other commands."""

from __future__ import annotations

from optreg import errors
from optreg_cli import exit_codes

FINE = 0
REGRESSION = 1
USAGE = 2
ENTRY_FAILED = 3
TOO_NOISY = 4

MEANINGS = (
    "Exit codes of bench: 0 fine, 1 slower, larger or worse than allowed, 2 wrong usage, 3 an optimizer crashed, "
    "hung, raised or diverged, 4 too noisy to decide (--strict, selfcheck), 5 internal error, 130 interrupted."
)


def report(error: Exception) -> int:
    """Write one line about the error to stderr and return its exit code: every mistake in the arguments is usage."""
    code = exit_codes.report(error)
    return USAGE if isinstance(error, errors.OptregError) else code
