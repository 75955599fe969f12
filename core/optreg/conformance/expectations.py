"""Expected failures: checks that an optimizer does not pass yet, as its card declares them, and for how long."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from optreg.cards import ExpectedFailure
from optreg.conformance.definition import Check
from optreg.conformance.report import Result
from optreg.conformance.subject import Subject
from optreg.errors import suggestion

JUDGE = "check_expected_failures_are_in_order"
"""The check that judges the entries, and is run whenever there are any."""

_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(.*)")
_BEFORE_RELEASE = re.compile(r"[._-]?(a|b|c|rc|alpha|beta|pre|preview|dev)\d*", re.IGNORECASE)


def as_expected(subject: Subject, check: Check, result: Result) -> Result:
    """Return the result of a check in the light of what the card expects.

    A failure that is declared is ``expected``; one that was declared and did not happen is ``failed``. Entries that are
    not in order change nothing: see ``problems_of_entries``.
    """
    entry = next((item for item in subject.declared.expected_failures if item.check == check.id), None)
    if entry is None or _fault(entry, *subject.origin) or result.status in {"skipped", "blocked"}:
        return result
    if result.status == "passed":
        message = f"passes, though the card expects a failure until {entry.until} ({entry.reason})"
        return replace(
            result, status="failed", message=message, likely_cause="It was repaired: remove the entry from the card."
        )
    return replace(result, status="expected", message=f"expected until {entry.until}: {entry.reason} {result.message}")


def problems_of_entries(subject: Subject, known: Collection[str], applicable: Collection[str]) -> list[str]:
    """Return what is wrong with the expected failures of a card, a sentence for each.

    Args:
        subject: The optimizer under test.
        known: Identities of all checks.
        applicable: Of these, the ones that apply to the card.
    """
    entries = subject.declared.expected_failures
    names = [entry.check for entry in entries]
    found = [_fault(entry, *subject.origin) or _misplaced(entry, known, applicable) for entry in entries]
    twice = [f"{name} is declared twice" for name in sorted({name for name in names if names.count(name) > 1})]
    return [problem for problem in [*found, *twice] if problem]


def _misplaced(entry: ExpectedFailure, known: Collection[str], applicable: Collection[str]) -> str:
    if entry.check not in known:
        return f"there is no check {entry.check!r}.{suggestion(entry.check, known)}"
    if entry.check not in applicable:
        return f"{entry.check} does not apply to this card: remove the entry"
    return ""


def _fault(entry: ExpectedFailure, distribution: str, version: str) -> str:
    """Return why an entry does not hold (any more), or an empty string."""
    if entry.check == JUDGE:
        return f"{JUDGE} cannot be expected to fail itself"
    if not str(entry.reason).strip():
        return f"{entry.check} has no reason"
    if not entry.until:
        return f"{entry.check} has no expiry: write until='<first version of {distribution} in which it shall pass>'"
    if not _VERSION.fullmatch(str(entry.until)):
        return f"{entry.check}: until must be a version such as '1.2', received {entry.until!r}"
    if _order(version) >= _order(str(entry.until)):
        return f"{entry.check} expired: it was expected until {distribution} {entry.until}, and this is {version}"
    return ""


def _order(version: str) -> tuple[tuple[int, ...], bool]:
    """Return what versions are ordered by; a pre-release comes before its release, local parts count for nothing."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (), False
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), _BEFORE_RELEASE.match(match[2]) is None
