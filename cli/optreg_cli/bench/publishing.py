"""``optreg bench schema``: what a results file holds, for programs in any language."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Write the JSON schema of the results file to stdout."""
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    from optreg.bench.results import results_schema

    typer.echo(json.dumps(results_schema(), indent=1))
