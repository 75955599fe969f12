"""``optreg bench list``: what the options of ``run`` can name."""

from __future__ import annotations

from typing import Annotated

import typer

from optreg_cli import rendering

Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.bench.list/1).")]


def list_choices(*, json: Json = False) -> None:
    """Show the layouts, libraries, tasks, metrics and suites that can be named."""
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    from optreg.bench import choices

    found = choices()
    if json:
        rendering.write_json("optreg.bench.list/1", found)
        return
    for title, entries in found.items():
        rendering.heading(title)
        rendering.table(("name", "what it is"), list(entries.items()))
