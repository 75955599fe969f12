"""Conformance reports as text: a table of groups, what did not pass and why, and the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from optreg_cli import rendering

if TYPE_CHECKING:
    from optreg.conformance import Ledger, Report, Result

_COUNTED = ("passed", "failed", "warned", "expected", "skipped", "blocked")


def describe_report(report: Report) -> None:
    """Write the groups, what did not pass, and the ledger of one optimizer."""
    rendering.heading(rendering.one_line(f"{report.optimizer} ({report.target})"))
    if report.results:
        rendering.table(("group", *_COUNTED, "seconds"), [_row(name, group) for name, group in _groups(report).items()])
    for result in report.results:
        if result.status not in {"passed", "blocked"}:
            _describe_result(result)
    for result in report.with_status("blocked"):
        rendering.paragraph(f"blocked {result.id}: {result.message}")
    for problem in report.problems:
        rendering.paragraph(f"problem: {problem}")
    typer.echo(f"  ledger: {ledger_line(report.ledger)}")
    if report.not_applicable and not report.results:
        wanted = ", ".join(f"{name} needs {capability}" for name, capability in report.not_applicable.items())
        rendering.paragraph(f"not applicable: {wanted}")


def describe_reports(reports: Sequence[Report], unusable: Mapping[str, str]) -> None:
    """Write one line for each optimizer, if there are several, and the versions that all ran with."""
    if len(reports) + len(unusable) > 1:
        rendering.heading("all")
        rows = [(report.optimizer, _verdict(report), ledger_line(report.ledger)) for report in reports]
        rendering.table(
            ("name", "verdict", "ledger"), rows + [(name, "unusable", text) for name, text in unusable.items()]
        )
    if reports:
        versions = {name: number for report in reports for name, number in report.versions.items()}
        typer.echo("\n" + rendering.one_line(", ".join(f"{name} {number}" for name, number in versions.items())))


def ledger_line(ledger: Ledger) -> str:
    """Return the ledger as a sentence in which nothing is left out."""
    return (
        f"{ledger.known} checks known, {ledger.applicable} applicable, {ledger.ran} ran: {ledger.passed} passed, "
        f"{ledger.failed} failed, {ledger.warned} warned, {ledger.expected} expected; {ledger.skipped} skipped, "
        f"{ledger.blocked} blocked"
    )


def _groups(report: Report) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        groups.setdefault(result.group, []).append(result)
    return groups


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    counts = [sum(result.status == status for result in results) for status in _COUNTED]
    seconds = sum(result.seconds for result in results)
    return (name, *(str(count) if count else "-" for count in counts), f"{seconds:.1f}")


def _describe_result(result: Result) -> None:
    rendering.paragraph(f"{result.status} {result.id}: {result.message}")
    if result.likely_cause:
        rendering.paragraph(f"likely cause: {result.likely_cause}", indent="    ")


def _verdict(report: Report) -> str:
    if not report.results:
        return "nothing run"
    return "conforms" if report.ok else "does not conform"
