"""Conformance: checks that any optimizer of the contract must pass, for its author as for optreg itself.

::

    report = optreg.conformance.validate("adam")        # or a class, or "module:Class"
    print(report.ok, report.ledger)

    @optreg.conformance.parametrize_with_checks(["adam"])
    def test_conforms(optimizer, check):
        check(optimizer)

    optreg.conformance.check_repeated_rows_are_summed(optreg.conformance.find_subject("adam"))

Each check is a plain function of a ``Subject`` and an attribute of this module; ``all_checks()`` describes them.
``optreg validate`` is the same on the command line. Importing this module does not load TensorFlow.
"""

from __future__ import annotations

from optreg.conformance.baseline import Baseline
from optreg.conformance.catalogue import all_checks, groups, select_checks
from optreg.conformance.definition import Capability, Check, CheckFailure, CheckFunction, Skipped, check
from optreg.conformance.devices import use_two_logical_devices
from optreg.conformance.isolated import validate_isolated
from optreg.conformance.promised import BASELINE
from optreg.conformance.pytest_support import parametrize_with_checks
from optreg.conformance.report import Ledger, Report, Result
from optreg.conformance.source_paths import loadable
from optreg.conformance.subject import Subject, find_subject
from optreg.conformance.validation import validate
from optreg.errors import suggestion

__all__ = [
    "BASELINE",
    "Baseline",
    "Capability",
    "Check",
    "CheckFailure",
    "CheckFunction",
    "Ledger",
    "Report",
    "Result",
    "Skipped",
    "Subject",
    "all_checks",
    "check",
    "find_subject",
    "groups",
    "loadable",
    "parametrize_with_checks",
    "select_checks",
    "use_two_logical_devices",
    "validate",
    "validate_isolated",
]


def __getattr__(name: str) -> CheckFunction:
    """Return the check function of that name."""
    found = {check.id: check.function for check in all_checks()}
    if name not in found:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{suggestion(name, [*found, *__all__])}")
    return found[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *(check.id for check in all_checks())})
