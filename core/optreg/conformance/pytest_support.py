"""Conformance checks as pytest tests. pytest is imported where it is used, TensorFlow when the first test runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from optreg.cards import Card
from optreg.cards.reader import read_card
from optreg.conformance.baseline import Baseline, lost_from_catalogue, short_of
from optreg.conformance.catalogue import all_checks, contributed_by, select_checks, with_required
from optreg.conformance.contributed import OwnChecks
from optreg.conformance.definition import Check
from optreg.conformance.report import Result
from optreg.conformance.runner import run_check
from optreg.conformance.subject import Subject, find_subject
from optreg.conformance.validation import divide
from optreg.errors import InvalidFilter
from optreg.registry import default_registry

Test = TypeVar("Test", bound=Callable[..., Any])


def parametrize_with_checks(
    optimizers: Sequence[Any],
    hyperparameters: Mapping[str, Any] | None = None,
    *,
    checks: Sequence[str] = (),
    groups: Sequence[str] = (),
    baseline: Baseline | None = None,
) -> Callable[[Test], Test]:
    """Return a decorator that runs a test for each pair of an optimizer and a check that applies to it.

    ::

        @parametrize_with_checks(["adam", MyOptimizer])
        def test_conforms(optimizer, check):
            check(optimizer)

    The tests are called ``adam-slots_are_created_lazily`` and the like, so that ``-k adam`` and ``-k slots`` choose.
    A test whose prerequisite failed is skipped as blocked, unless that prerequisite was deselected.

    Args:
        optimizers: Registered names, ``"module:Class"`` or classes.
        hyperparameters: Given to every constructor call; needed where one has no default.
        checks: Identities of the checks to run; all by default.
        groups: Groups to run, likewise.
        baseline: For each optimizer, how many tests there must be at least, or the identities of checks that must be
            among them; a skip that goes below it fails.

    Raises:
        InvalidFilter: No optimizers are given, there is no such check or group, none applies, or too few for the
            baseline.
        UnknownOptimizer: A name that nothing answers to.
    """
    import pytest  # noqa: PLC0415 - optreg works without it

    selected = select_checks(checks, groups)
    benches = [_Bench(optimizer, dict(hyperparameters or {})) for optimizer in optimizers]
    cases = [
        pytest.param(bench.optimizer, PytestCheck(check, bench), id=f"{bench.label}-{check.title}")
        for bench in benches
        for check in bench.collect(selected, baseline, with_own=not (checks or groups))
    ]
    if not cases:
        raise InvalidFilter(f"no check to run for {list(optimizers)!r}: a run without checks would pass unnoticed")
    decorator: Callable[[Test], Test] = pytest.mark.parametrize(("optimizer", "check"), cases)
    return decorator


class PytestCheck:
    """A check bound to the results of one optimizer's other checks; called by the test."""

    def __init__(self, check: Check, bench: _Bench) -> None:
        self.check = check
        self._bench = bench

    def __call__(self, optimizer: Any) -> None:  # noqa: ARG002 - the test reads better with it
        """Run the check; fail, skip or warn as pytest does."""
        import warnings  # noqa: PLC0415 - see pytest

        import pytest  # noqa: PLC0415 - optreg works without it

        result = self._bench.run(self.check)
        told = f"{result.message}\nlikely cause: {result.likely_cause}" if result.likely_cause else result.message
        if result.status == "failed":
            pytest.fail(told, pytrace=False)
        if result.status == "blocked":
            (pytest.skip if self._bench.was_reported(self.check.requires) else pytest.fail)(f"blocked: {told}")
        if result.status == "skipped":
            (pytest.fail if self._bench.must_run(self.check) else pytest.skip)(told)
        if result.status == "expected":
            pytest.xfail(told)
        if result.status == "warned":
            warnings.warn(f"{self.check.id}: {told}", stacklevel=2)

    def __repr__(self) -> str:
        return f"<{self.check.id}>"


class _Bench:
    """One optimizer and the results of its checks so far."""

    def __init__(self, optimizer: Any, hyperparameters: dict[str, Any]) -> None:
        self.optimizer = optimizer
        self._hyperparameters = hyperparameters
        self._results: dict[str, Result] = {}
        self._reported: set[str] = set()
        self._baseline: Baseline | None = None
        self._spare = 0

    @property
    def label(self) -> str:
        """Name of the optimizer or class."""
        return self.optimizer if isinstance(self.optimizer, str) else getattr(self.optimizer, "__name__", "optimizer")

    @cached_property
    def subject(self) -> Subject:
        """The optimizer under test; loads TensorFlow."""
        return find_subject(self.optimizer, **self._hyperparameters)

    def collect(self, selected: Sequence[Check], baseline: Baseline | None, *, with_own: bool) -> tuple[Check, ...]:
        """Return the checks to make tests of, those that the plugin contributes for itself among them.

        Raises:
            InvalidFilter: They fall short of the baseline, or a contributed check could not be loaded.
        """
        own = contributed_by(self._distribution()) if with_own else OwnChecks()
        applicable, lacking = divide([*selected, *own.checks], self._declared())
        as_if_run = [Result(check.id, check.group, "passed") for check in applicable]
        lost = lost_from_catalogue(self._declared(), {check.id for check in all_checks()})
        problems = [*own.problems, *lost, *short_of(baseline, as_if_run, lacking)]
        if problems:
            raise InvalidFilter(f"{self.label}: {'; '.join(problems)}")
        self._baseline = baseline if isinstance(baseline, int | None) else frozenset(baseline)
        self._spare = len(applicable) - baseline if isinstance(baseline, int) else 0
        return applicable

    def must_run(self, check: Check) -> bool:
        """Whether the baseline leaves no room for a skip of this check; counts it."""
        if isinstance(self._baseline, frozenset):
            return check.id in self._baseline
        self._spare -= 1
        return self._baseline is not None and self._spare < 0

    def applicable(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """Return the checks that apply to the card, which is read without importing a plugin."""
        return divide(checks, self._declared())[0]

    def run(self, check: Check) -> Result:
        """Return the result of a check, after those that it requires; each is run once."""
        self._reported.add(check.id)
        return self._run(check)

    def was_reported(self, identities: Sequence[str]) -> bool:
        """Whether a test of its own has shown the failure of one of these checks."""
        failed = [name for name in identities if name in self._results and self._results[name].stops_dependants]
        return any(name in self._reported for name in failed)

    def _run(self, check: Check) -> Result:
        if check.id not in self._results:
            known = {one.id: one for one in self.applicable(with_required([check]))}
            for required in check.requires:
                if required in known:
                    self._run(known[required])
            self._results[check.id] = run_check(self.subject, check, self._results)
        return self._results[check.id]

    def _declared(self) -> Card:
        if not isinstance(self.optimizer, str):
            return self.subject.declared
        if ":" in self.optimizer:
            return read_card(self.optimizer, self.optimizer).card.declared or self.subject.declared
        return default_registry().optimizer_info(self.optimizer).card.declared or self.subject.declared

    def _distribution(self) -> str:
        if isinstance(self.optimizer, str) and ":" not in self.optimizer:
            return default_registry().optimizer_info(self.optimizer).distribution
        return "" if isinstance(self.optimizer, str) else self.subject.origin[0]
