"""Validating an optimizer: from a name or class to a report."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from optreg.cards import Card
from optreg.conformance.catalogue import all_checks, select_checks, with_required
from optreg.conformance.check import Check
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.report import Report
from optreg.conformance.runner import Progress, run_checks
from optreg.conformance.subject import Subject, find_subject
from optreg.registry import default_registry
from optreg.registry.loading import target_of


def validate(
    optimizer: Any,
    hyperparameters: Mapping[str, Any] | None = None,
    *,
    checks: Sequence[str] = (),
    groups: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Run the conformance checks that apply to an optimizer.

    Args:
        optimizer: A registered name, ``"module:Class"`` or a class.
        hyperparameters: Given to every constructor call; needed where one has no default.
        checks: Identities of the checks to run, and with them what they require; all by default.
        groups: Groups to run, likewise.
        progress: Called with each ``Result`` as it is there.

    Returns:
        A report; ``report.ok`` says whether the optimizer conforms.

    Raises:
        InvalidFilter: There is no such check or group.
        UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer: As for ``optreg.get_optimizer``.
        NotAnOptimizer: The class does not derive from ``optreg.Optimizer``.
    """
    selected = select_checks(checks, groups)
    subject = find_subject(optimizer, **(hyperparameters or {}))
    wanted, not_applicable = divide(selected, subject.declared)
    # What is required is not asked for: where nothing asked for applies, nothing runs and the report is not ok.
    applicable, _ = divide(with_required(wanted), subject.declared)
    results = run_checks(subject, applicable, progress=progress)
    versions = _versions(subject)
    return Report(subject.label, target_of(subject.cls), results, not_applicable, len(all_checks()), versions)


def divide(checks: Sequence[Check], card: Card) -> tuple[tuple[Check, ...], dict[str, str]]:
    """Return the checks that apply to a card, and for the others the capability that it does not declare."""
    applicable = tuple(check for check in checks if check.capability.holds(card))
    return applicable, {check.id: check.capability.text for check in checks if check not in applicable}


def _versions(subject: Subject) -> dict[str, str]:
    versions = {"optreg": version("optreg"), **_plugin(subject)}
    return versions | {"tensorflow": tf.__version__, "numpy": np.__version__, "python": platform.python_version()}


def _plugin(subject: Subject) -> dict[str, str]:
    """Return the distribution that registers the class, with its version; nothing for a class of this process."""
    qualified = default_registry().qualified_name_of(subject.cls) or ""
    distribution = qualified.partition("/")[0]
    try:
        return {distribution: version(distribution)} if distribution else {}
    except PackageNotFoundError:
        return {}
