"""What a conformance run found: one result for each check, and a ledger that shows what was not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = "optreg.conformance/1"

Status = Literal["passed", "failed", "warned", "expected", "skipped", "blocked"]

STATUSES: tuple[Status, ...] = ("passed", "failed", "warned", "expected", "skipped", "blocked")
RAN: tuple[Status, ...] = ("passed", "failed", "warned", "expected")
"""What can become of a check that was run."""


@dataclass(frozen=True)
class Result:
    """What became of one check.

    Args:
        id: Identity of the check.
        group: Its group.
        status: ``"warned"`` is a failure of a demand that is not enforced, ``"expected"`` one that the card declares;
            ``"skipped"`` could not run here; ``"blocked"`` was not run because a check that it requires failed.
        seconds: Time taken.
        message: What was expected and received, why it was skipped, or by what it is blocked.
        likely_cause: For a failure, the sentence that helps its author.
        error: For a failure, the exception.
    """

    id: str
    group: str
    status: Status
    seconds: float = 0.0
    message: str = ""
    likely_cause: str = ""
    error: BaseException | None = field(default=None, repr=False, compare=False)

    @property
    def stops_dependants(self) -> bool:
        """Whether checks that require this one are blocked."""
        return self.status in {"failed", "blocked"}

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-clean values."""
        return {name: getattr(self, name) for name in _WRITTEN}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Result:
        """Return the result that ``to_dict`` wrote, without its exception."""
        return cls(**{name: written[name] for name in _WRITTEN})


_WRITTEN = ("id", "group", "status", "seconds", "message", "likely_cause")


@dataclass(frozen=True)
class Ledger:
    """How many checks there are, and what became of them.

    ``applicable = ran + skipped + blocked`` and ``ran = passed + failed + warned + expected``.
    """

    known: int
    applicable: int
    ran: int
    passed: int
    failed: int
    warned: int
    skipped: int
    blocked: int
    expected: int = 0


@dataclass(frozen=True)
class Report:
    """The outcome for one optimizer.

    Args:
        optimizer: As it was asked for.
        target: ``module:Class`` that was tested.
        results: One for each applicable check, in the order in which they ran.
        not_applicable: Identity to what the check needs: a capability that the card does not declare.
        known: Number of all checks there are.
        versions: Of optreg, the plugin's distribution, TensorFlow, NumPy and Python.
        problems: What is wrong with the run itself, as sentences: checks of the baseline that did not run, or checks
            of the plugin's own that could not be loaded. With any, the report is not ok.
    """

    optimizer: str
    target: str
    results: tuple[Result, ...]
    not_applicable: Mapping[str, str]
    known: int
    versions: Mapping[str, str]
    problems: tuple[str, ...] = ()

    @property
    def ledger(self) -> Ledger:
        """The results counted."""
        counted = {status: len(self.with_status(status)) for status in STATUSES}
        ran = sum(counted[status] for status in RAN)
        return Ledger(known=self.known, applicable=len(self.results), ran=ran, **counted)

    @property
    def ok(self) -> bool:
        """Whether something passed, nothing failed and nothing is missing: without a pass no run is fine."""
        ledger = self.ledger
        return ledger.passed > 0 and not ledger.failed and not ledger.blocked and not self.problems

    def with_status(self, status: str) -> tuple[Result, ...]:
        """Return the results of that status."""
        return tuple(result for result in self.results if result.status == status)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-clean values."""
        return {
            "schema": SCHEMA,
            "optimizer": self.optimizer,
            "target": self.target,
            "ok": self.ok,
            "ledger": asdict(self.ledger),
            "problems": list(self.problems),
            "results": [result.to_dict() for result in self.results],
            "not_applicable": dict(self.not_applicable),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Report:
        """Return the report that ``to_dict`` wrote; what follows from the results is counted anew."""
        return cls(
            optimizer=written["optimizer"],
            target=written["target"],
            results=tuple(map(Result.from_dict, written["results"])),
            not_applicable=written["not_applicable"],
            known=written["ledger"]["known"],
            versions=written["versions"],
            problems=tuple(written["problems"]),
        )
