"""``optreg why``: each step from a name to what answers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from optreg_cli import exit_codes, rendering
from optreg_cli.completion import complete_name

if TYPE_CHECKING:
    from optreg.discovery.entries import Entry

Name = Annotated[str, typer.Argument(help="Name, qualified name, alias or old name.", autocompletion=complete_name)]
Kind = Annotated[str, typer.Option(help="What is looked for: optimizer, transformer, aggregator or plugin.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.why/1) instead of text.")]


def why(name: Name, *, kind: Kind = "optimizer", json: Json = False) -> None:
    """Show why a name leads where it leads: spelling, aliases, pins and where they stand, candidates, gates, outcome.

    Nothing is imported. Exit codes are those that using the name would have: 2 ambiguous, 3 unknown, 4 unusable.
    """
    from optreg.registry import default_registry
    from optreg.registry.explanation import explain

    found = explain(default_registry(), name, kind=kind)
    if json:
        content = {
            "asked": found.asked,
            "kind": found.kind,
            "steps": [{"at": step.at, "result": step.result} for step in found.steps],
            "candidates": [_record(entry) for entry in found.candidates],
            "answer": _record(found.entry) if found.entry else None,
            "error": str(found.error) if found.error else None,
        }
        rendering.write_json("optreg.why/1", content)
    else:
        rendering.table(("step", "what came of it"), found.steps)
        if len(found.candidates) > 1:
            rendering.heading("Candidates")
            rows = [(entry.qualified_name, entry.state.value, entry.origin, entry.reason) for entry in found.candidates]
            rendering.table(("name", "state", "from", "reason"), rows)
    if found.error is not None:
        raise typer.Exit(exit_codes.report(found.error))


def _record(entry: Entry) -> dict[str, Any]:
    return {
        "qualified_name": entry.qualified_name,
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.target,
        "state": entry.state.value,
        "reason": entry.reason,
        "next_step": entry.next_step,
    }
