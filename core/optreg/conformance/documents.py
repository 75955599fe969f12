"""Reports as documents that other programs read: JUnit XML and markdown. All text of plugins is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from xml.etree import ElementTree

from optreg.conformance.report import STATUSES, Report, Result
from optreg.errors import printable

_MARKUP = re.compile(r"([\\`*_{}\[\]#|~])")
_QUIET = ("skipped", "blocked", "expected")  # what continuous integration should show as not run rather than failed


def junit(reports: Sequence[Report], unusable: Mapping[str, str]) -> str:
    """Return JUnit XML: a suite for each optimizer, a test case for each check.

    What could not be loaded, and what is wrong with a run as a whole, are errors. Skipped, blocked and expected checks
    are skipped test cases with their reason; warnings are test cases that pass with their text as output.
    """
    root = ElementTree.Element("testsuites", name="optreg validate")
    for report in reports:
        suite = _suite(root, report.optimizer, len(report.results) + len(report.problems))
        counted = asdict(report.ledger)
        suite.set("failures", str(counted["failed"]))
        suite.set("errors", str(len(report.problems)))
        suite.set("skipped", str(sum(counted[status] for status in _QUIET)))
        suite.set("time", f"{sum(result.seconds for result in report.results):.3f}")
        for result in report.results:
            _case(suite, report, result)
        for problem in report.problems:
            case = ElementTree.SubElement(suite, "testcase", classname=printable(report.optimizer), name="the run")
            ElementTree.SubElement(case, "error", message=printable(problem))
    for name, reason in unusable.items():
        suite = _suite(root, name, 1)
        suite.set("errors", "1")
        case = ElementTree.SubElement(suite, "testcase", classname=printable(name), name="it can be loaded")
        ElementTree.SubElement(case, "error", message=printable(reason))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, name: str, tests: int) -> ElementTree.Element:
    return ElementTree.SubElement(root, "testsuite", name=printable(name), tests=str(tests), failures="0", errors="0")


def _case(suite: ElementTree.Element, report: Report, result: Result) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=printable(f"{report.optimizer}.{result.group}"),
        name=printable(result.id),
        time=f"{result.seconds:.3f}",
    )
    if result.status == "failed":
        failure = ElementTree.SubElement(case, "failure", message=printable(result.message))
        failure.text = printable(result.likely_cause)
    elif result.status in _QUIET:
        ElementTree.SubElement(case, "skipped", message=printable(f"{result.status}: {result.message}"))
    elif result.message:
        ElementTree.SubElement(case, "system-out").text = printable(f"{result.status}: {result.message}")


def markdown(reports: Sequence[Report], unusable: Mapping[str, str]) -> str:
    """Return a table of ledgers, and a list of everything that did not pass, for a pull request or a summary page."""
    head = ("optimizer", "verdict", "known", "applicable", "ran", *STATUSES)
    rows = [head, ("---",) * len(head)]
    for report in reports:
        counted = asdict(report.ledger)
        verdict = "conforms" if report.ok else "does not conform" if report.results else "nothing run"
        rows.append((escaped(report.optimizer), verdict, *(str(counted[name]) for name in head[2:])))
    rows += [(escaped(name), "unusable", *[""] * (len(head) - 2)) for name in unusable]
    lines = ["# Conformance", "", *("| " + " | ".join(row) + " |" for row in rows)]
    for report in reports:
        lines += _told(report)
    for name, reason in unusable.items():
        lines += ["", f"## {escaped(name)}", "", f"- unusable: {escaped(reason)}"]
    versions = {name: number for report in reports for name, number in report.versions.items()}
    lines += ["", ", ".join(f"{escaped(name)} {escaped(number)}" for name, number in versions.items())]
    return "\n".join(lines).rstrip() + "\n"


def _told(report: Report) -> list[str]:
    items = [f"- problem: {escaped(problem)}" for problem in report.problems]
    for result in report.results:
        if result.status != "passed":
            cause = f" Likely cause: {escaped(result.likely_cause)}" if result.likely_cause else ""
            items.append(f"- {result.status} `{printable(result.id)}`: {escaped(result.message)}.{cause}")
    return ["", f"## {escaped(report.optimizer)}", "", *items] if items else []


def escaped(text: str) -> str:
    """Return text that markdown shows as it is: no markup, no HTML, on one line."""
    return _MARKUP.sub(r"\\\1", html.escape(printable(text), quote=False))
