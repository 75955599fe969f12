"""Tables for other programs: Markdown, CSV and JUnit XML. All text in them is escaped."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

import typer

from optreg_cli.rendering import one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")


class Case(NamedTuple):
    """One test case: the group it belongs to, its name, and why it failed, empty where it did not."""

    group: str
    name: str
    failure: str = ""


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [
        columns,
        ["---"] * len(columns),
        *([_SPECIAL.sub(r"\\\1", one_line(cell)) for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return CSV; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_harmless(one_line(cell)) for cell in row] for row in rows])
    return text.getvalue()


def junit(cases: Sequence[Case]) -> str:
    """Return a JUnit document with one test case for each case."""
    failed = sum(bool(case.failure) for case in cases)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<testsuites><testsuite name="optreg bench" tests="{len(cases)}" failures="{failed}">',
    ]
    for case in cases:
        names = f"classname={quoteattr(one_line(case.group))} name={quoteattr(one_line(case.name))}"
        inside = f"<failure message={quoteattr(one_line(case.failure))}>{escape(one_line(case.failure))}</failure>"
        lines.append(f"<testcase {names}>{inside if case.failure else ''}</testcase>")
    return "\n".join([*lines, "</testsuite></testsuites>"]) + "\n"


def write(target: str, text: str) -> None:
    """Write the text to a file, or to stdout for a dash."""
    if target == "-":
        typer.echo(text, nl=False)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {target}: {error.strerror}") from error


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
