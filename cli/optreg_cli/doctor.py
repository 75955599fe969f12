"""``optreg doctor``: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from optreg_cli import exit_codes, rendering
from optreg_cli.completion import complete_name

if TYPE_CHECKING:
    from optreg.diagnosis import Finding

Name = Annotated[
    str | None,
    typer.Argument(help="Only this optimizer; it is loaded in a child process.", autocompletion=complete_name),
]
Kind = Annotated[str, typer.Option(help="Kind of the name: optimizer, transformer, aggregator or plugin.")]
Load = Annotated[bool, typer.Option("--load", help="Load every plugin, each in a child process, and run its checks.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.doctor/1) instead of text.")]


def doctor(name: Name = None, *, kind: Kind = "optimizer", load: Load = False, json: Json = False) -> None:
    """Look for what is wrong: libraries, paths, settings, plugins. Without a name and --load nothing is imported.

    Exit codes: 0 where there is no problem, else 1; 3 for an unknown name, 4 for one that cannot be used.
    """
    from optreg.diagnosis import diagnose

    found = diagnose(name, kind=kind, load=load)
    if json:
        content = {
            "ok": found.healthy,
            "findings": [finding._asdict() for finding in found.findings],
            "facts": [fact._asdict() for fact in found.facts],
        }
        rendering.write_json("optreg.doctor/1", content)
    else:
        rendering.table(("about", "value"), found.facts)
        for finding in found.findings:
            _show(finding)
        if found.healthy:
            typer.echo("\nno problems found")
    if not found.healthy:
        raise typer.Exit(exit_codes.PLUGIN_UNUSABLE if name is not None else exit_codes.CHECKS_FAILED)


def _show(finding: Finding) -> None:
    rendering.heading(rendering.one_line(f"{finding.severity}: {finding.about}"))
    rendering.paragraph(finding.text)
    if finding.next_step:
        rendering.paragraph(f"Next step: {finding.next_step}")
    if finding.trace:
        rendering.lines(finding.trace.splitlines(), indent="    ")
