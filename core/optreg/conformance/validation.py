"""Validating an optimizer: from a name or class to a report."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from optreg.cards import Card
from optreg.conformance.baseline import Baseline, lost_from_catalogue, short_of
from optreg.conformance.catalogue import all_checks, contributed_by, select_checks, with_required
from optreg.conformance.contributed import OwnChecks
from optreg.conformance.definition import Check
from optreg.conformance.expectations import JUDGE
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.report import Report, Result
from optreg.conformance.runner import Progress, run_checks
from optreg.conformance.subject import Subject, find_subject
from optreg.registry.loading import target_of


def validate(  # noqa: PLR0913 - each is one question that a caller may have
    optimizer: Any,
    hyperparameters: Mapping[str, Any] | None = None,
    *,
    checks: Sequence[str] = (),
    groups: Sequence[str] = (),
    baseline: Baseline | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run the conformance checks that apply to an optimizer.

    Args:
        optimizer: A registered name, ``"module:Class"`` or a class.
        hyperparameters: Given to every constructor call; needed where one has no default.
        checks: Identities of the checks to run, and with them what they require; all by default. Those that an
            installed plugin contributes are called ``distribution/check_...`` and run where they are asked for, and
            on the optimizers of that distribution.
        groups: Groups to run, likewise.
        baseline: How many checks must have run, or the identities of those that must have; fewer are a problem.
        progress: Called with each ``Result`` as it is there.

    Returns:
        A report; ``report.ok`` says whether the optimizer conforms.

    Raises:
        InvalidFilter: There is no such check or group.
        UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer: As for ``optreg.get_optimizer``.
        NotAnOptimizer: The class does not derive from ``optreg.Optimizer``.
    """
    return plan(optimizer, hyperparameters, checks=checks, groups=groups, baseline=baseline).run(progress)


@dataclass(frozen=True)
class Plan:
    """What a validation is going to run, known before any check is run.

    Args:
        subject: The optimizer under test.
        applicable: The checks to run, each after those that it requires.
        not_applicable: Identity to the capability that the card does not declare.
        known: Number of all checks there are.
        problems: What is wrong already.
        baseline: As given to ``validate``.
    """

    subject: Subject
    applicable: tuple[Check, ...]
    not_applicable: Mapping[str, str]
    known: int
    problems: tuple[str, ...]
    baseline: Baseline | None

    def run(self, progress: Progress | None = None) -> Report:
        """Run the checks and report."""
        return self.report(run_checks(self.subject, self.applicable, progress=progress))

    def report(self, results: Sequence[Result]) -> Report:
        """Return the report on these results."""
        problems = (*self.problems, *short_of(self.baseline, results, self.not_applicable))
        target, versions = target_of(self.subject.cls), _versions(self.subject)
        return Report(
            self.subject.label, target, tuple(results), self.not_applicable, self.known, versions, tuple(problems)
        )


def plan(
    optimizer: Any,
    hyperparameters: Mapping[str, Any] | None = None,
    *,
    checks: Sequence[str] = (),
    groups: Sequence[str] = (),
    baseline: Baseline | None = None,
) -> Plan:
    """Return what ``validate`` would run for the same arguments. Loads the optimizer.

    Raises:
        InvalidFilter, UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer, NotAnOptimizer: As for ``validate``.
    """
    selected = select_checks(checks, groups)
    subject = find_subject(optimizer, **(hyperparameters or {}))
    own = OwnChecks() if checks or groups else contributed_by(subject.origin[0])
    wanted, not_applicable = divide([*selected, *own.checks], subject.declared)
    # What is required is not asked for: where nothing asked for applies, nothing runs and the report is not ok.
    applicable, _ = divide(with_required(_with_expectations(wanted, subject.declared)), subject.declared)
    lost = lost_from_catalogue(subject.declared, {check.id for check in all_checks()})
    if not checks and not groups:
        not_applicable |= {check.id: "to be asked for by name" for check in all_checks() if check.on_request}
    known = len({check.id for check in (*all_checks(), *selected, *own.checks)})
    return Plan(subject, applicable, not_applicable, known, (*own.problems, *lost), baseline)


def divide(checks: Sequence[Check], card: Card) -> tuple[tuple[Check, ...], dict[str, str]]:
    """Return the checks that apply to a card, and for the others the capability that it does not declare."""
    applicable = tuple(check for check in checks if check.capability.holds(card))
    return applicable, {check.id: check.capability.text for check in checks if check not in applicable}


def _with_expectations(checks: Sequence[Check], card: Card) -> Sequence[Check]:
    """Return the checks with the one that judges expected failures, which is run whenever there are any."""
    if not checks or not card.expected_failures:
        return checks
    judge = select_checks([JUDGE])
    return (*checks, *(check for check in judge if check not in checks))


def _versions(subject: Subject) -> dict[str, str]:
    distribution, number = subject.origin
    versions = {"optreg": version("optreg"), distribution: number}
    return versions | {"tensorflow": tf.__version__, "numpy": np.__version__, "python": platform.python_version()}
