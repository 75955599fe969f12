"""Where the result of ``optreg validate`` goes: tables or JSON on stdout, JUnit and markdown into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from optreg_cli import rendering
from optreg_cli.validation_tables import describe_report, describe_reports

if TYPE_CHECKING:
    from optreg.conformance import Report

_STDOUT = "-"


class Delivery(NamedTuple):
    """What was asked for.

    Args:
        as_json: JSON on stdout instead of tables.
        junit: File for JUnit XML; ``-`` for stdout instead of tables.
        markdown: The same for markdown.
    """

    as_json: bool = False
    junit: str | None = None
    markdown: str | None = None

    def check_writable(self) -> None:
        """Find out before minutes of checking that a file cannot be written, or that stdout is wanted twice."""
        if [self.junit, self.markdown].count(_STDOUT) + self.as_json > 1:
            raise typer.BadParameter("stdout takes one of --json, --junit - and --markdown -")
        for option, file in (("--junit", self.junit), ("--markdown", self.markdown)):
            if file is not None and file != _STDOUT:
                try:
                    Path(file).open("a", encoding="utf-8").close()
                except OSError as error:
                    raise typer.BadParameter(f"cannot write {file}: {error.strerror}", param_hint=option) from error

    def deliver(self, reports: Sequence[Report], unusable: Mapping[str, str], *, ok: bool) -> None:
        """Write everything that was asked for."""
        from optreg.conformance import documents

        for file, write in ((self.junit, documents.junit), (self.markdown, documents.markdown)):
            if file == _STDOUT:
                typer.echo(write(reports, unusable), nl=False)
            elif file is not None:
                Path(file).write_text(write(reports, unusable), encoding="utf-8")
        if self.as_json:
            refused = [{"optimizer": name, "reason": reason} for name, reason in unusable.items()]
            content = {"ok": ok, "reports": [report.to_dict() for report in reports], "unusable": refused}
            rendering.write_json("optreg.validate/1", content)
        elif _STDOUT not in (self.junit, self.markdown):
            for report in reports:
                describe_report(report)
            describe_reports(reports, unusable)
