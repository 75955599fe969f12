"""The application: which commands there are, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from optreg_cli import exit_codes
from optreg_cli.bench.app import app as bench_app
from optreg_cli.doctor import doctor
from optreg_cli.info import info
from optreg_cli.listing import list_entries
from optreg_cli.new import new
from optreg_cli.startup import TextCommand, take_text_unconverted
from optreg_cli.validate import validate
from optreg_cli.why import why


class Shell(TyperGroup):
    """Turns every error of a command into one line and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, without converting flags."""
        take_text_unconverted(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return our commands, then the plugins that bring some; nothing is imported for it."""
        from optreg_cli.plugin_commands import plugins_with_commands

        own = super().list_commands(ctx)
        return [*own, *(name for name in plugins_with_commands() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one of our commands, which no plugin can displace, else the commands of a plugin of that name."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        from optreg_cli.plugin_commands import group_of

        return group_of(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors of the command-line library itself pass, it reports them."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(exit_codes.INTERRUPTED) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:  # as in `optreg list | head -1`
                raise typer.Exit(exit_codes.CLOSED_PIPE) from None
            if hasattr(error, "exit_code"):
                raise
            raise typer.Exit(exit_codes.report(error)) from error


app = typer.Typer(
    name="optreg",
    cls=Shell,
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    epilog=exit_codes.MEANINGS,
)
app.command("list", cls=TextCommand, epilog=exit_codes.MEANINGS)(list_entries)
app.command("info", cls=TextCommand, epilog=exit_codes.MEANINGS)(info)
app.command("why", cls=TextCommand, epilog=exit_codes.MEANINGS)(why)
app.command("doctor", cls=TextCommand, epilog=exit_codes.MEANINGS)(doctor)
app.command("validate", cls=TextCommand, epilog=exit_codes.MEANINGS)(validate)
app.add_typer(bench_app)
app.command("new", cls=TextCommand, epilog=exit_codes.MEANINGS)(new)


@app.callback()
def root(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show versions and plugin distributions, and exit.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="With --version: write JSON (schema optreg.version/1).")] = False,
) -> None:
    """Optimizers for TensorFlow: find, inspect, validate and benchmark what is installed.

    In Python: optreg.get_optimizer("adam", learning_rate=3e-4).
    """
    if version:
        from optreg_cli.versions import show_versions

        show_versions(as_json=json)
        raise typer.Exit(exit_codes.FINE)
    if ctx.invoked_subcommand is None or json:
        raise typer.BadParameter("give a command, or --version; --json stands after the command", ctx=ctx)


def run() -> None:
    """Run the console script. Never returns: it ends the process with the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a symbol gets a question mark, not a UnicodeEncodeError.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        try:
            app(prog_name="optreg")
        finally:
            sys.stdout.flush()  # what is still held back may meet the closed pipe only here
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain when it ends
        sys.exit(exit_codes.CLOSED_PIPE)
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
