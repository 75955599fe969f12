"""``optreg bench``: its verbs, of which ``run`` may be left out."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from optreg_cli.bench import codes
from optreg_cli.bench.calibrate import calibrate
from optreg_cli.bench.checking import probe, selfcheck
from optreg_cli.bench.comparing import compare
from optreg_cli.bench.listing import list_choices
from optreg_cli.bench.publishing import schema
from optreg_cli.bench.report import report
from optreg_cli.bench.running import run
from optreg_cli.startup import TextCommand

_DEFAULT = "run"


class Verbs(TyperGroup):
    """Takes what is no verb for the arguments of ``run``, and has exit codes of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, with the verb put in where it was left out."""
        verbs = self.list_commands(ctx)
        if not args or (args[0] not in verbs and args[0] not in ("--help", "-h")):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; what it raises becomes one line and an exit code of the benchmark."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, OSError):
            raise
        except Exception as error:
            if hasattr(error, "exit_code"):
                raise
            raise typer.Exit(codes.report(error)) from error


app = typer.Typer(
    name="bench",
    cls=Verbs,
    help="Measure optimizers: speed, memory and quality of training. Without a verb: run.",
    epilog=codes.MEANINGS,
)
# Every option can be set in the environment: OPTREG_BENCH_BUDGET=30.
_ENVIRONMENT = {"auto_envvar_prefix": "OPTREG_BENCH"}
app.command("run", cls=TextCommand, epilog=codes.MEANINGS, context_settings=_ENVIRONMENT)(run)
app.command("list", cls=TextCommand, epilog=codes.MEANINGS)(list_choices)
app.command("compare", cls=TextCommand, epilog=codes.MEANINGS)(compare)
app.command("report", epilog=codes.MEANINGS)(report)
app.command("calibrate", epilog=codes.MEANINGS)(calibrate)
app.command("probe", cls=TextCommand, epilog=codes.MEANINGS)(probe)
app.command("selfcheck", cls=TextCommand, epilog=codes.MEANINGS)(selfcheck)
app.command("schema", cls=TextCommand, epilog=codes.MEANINGS)(schema)
