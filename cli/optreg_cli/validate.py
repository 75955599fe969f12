"""``optreg validate``: the conformance checks, and what became of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from optreg_cli import exit_codes, rendering
from optreg_cli.completion import complete_name
from optreg_cli.validation_output import Delivery

if TYPE_CHECKING:
    from optreg.conformance import Report, Result

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names, wildcards such as 'ada*', module:Class, or ./file.py:Class, which need not be installed.",
        autocompletion=complete_name,
    ),
]
All = Annotated[bool, typer.Option("--all", help="Validate every optimizer that is installed.")]
Group = Annotated[list[str] | None, typer.Option(help="Only the checks of this group; may be repeated.")]
CheckName = Annotated[list[str] | None, typer.Option("--check", help="Only this check; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.validate/1) instead of tables.")]
Isolate = Annotated[
    bool | None,
    typer.Option(
        "--isolate/--no-isolate",
        help="Use a child process for each, where a crash is a failed check; by default for all but built-ins.",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(min=1, help="Seconds for each optimizer in a child process. [default: 600]")
]
JUnit = Annotated[str | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML; - for stdout.")]
Markdown = Annotated[str | None, typer.Option("--markdown", metavar="FILE", help="Write markdown; - for stdout.")]

_WILDCARDS = frozenset("*?[")
_DEFAULT_TIMEOUT = 600.0  # seconds; the slowest built-in takes a tenth of it


def validate(  # noqa: PLR0913 - one argument for each option of the command
    names: Names = None,
    *,
    everything: All = False,
    group: Group = None,
    check: CheckName = None,
    isolate: Isolate = None,
    timeout: Timeout = None,
    json: Json = False,
    junit: JUnit = None,
    markdown: Markdown = None,
) -> None:
    """Run the conformance checks on optimizers: structure, hyperparameters, slots, gradients, persistence and more.

    What a check requires is run with it. The ledger says how many checks there are, how many apply, and
    what became of them. Exit codes: 1 if a check failed, 4 if an optimizer could not be loaded, 3 if nothing was run.
    """
    if bool(names) == everything:
        raise typer.BadParameter("give names of optimizers, or --all")
    if isolate is False and timeout is not None:
        raise typer.BadParameter("a limit needs a child process: leave out --no-isolate", param_hint="--timeout")
    delivery = Delivery(as_json=json, junit=junit, markdown=markdown)
    from optreg import conformance

    conformance.select_checks(check or (), group or ())  # a misspelt one is reported before TensorFlow is loaded
    chosen = _chosen(names or ["*"])
    delivery.check_writable()
    run = _Run(tuple(check or ()), tuple(group or ()), isolate, timeout or _DEFAULT_TIMEOUT)
    reports, unusable = _validate_each(chosen, run)
    code = _exit_code(reports, unusable)
    delivery.deliver(reports, unusable, ok=code == exit_codes.FINE)
    if code == exit_codes.NOTHING_MATCHED:
        _note("nothing was run; no check asked for applies")
    if code != exit_codes.FINE:
        raise typer.Exit(code)


class _Run(NamedTuple):
    """What is asked of each optimizer."""

    checks: tuple[str, ...]
    groups: tuple[str, ...]
    isolate: bool | None
    timeout: float

    def validate(self, name: str, progress: Callable[[Result], None]) -> Report:
        """Validate one, in a child process where that is asked for or it is foreign code."""
        from optreg import conformance

        given: Any = {"checks": self.checks, "groups": self.groups, "progress": progress}
        if _is_foreign(name) if self.isolate is None else self.isolate:
            return conformance.validate_isolated(name, timeout=self.timeout, **given)
        with conformance.loadable(name) as optimizer:
            conformance.use_two_logical_devices()
            return conformance.validate(optimizer, **given)


def _is_foreign(name: str) -> bool:
    """Whether something other than optreg itself, or than what this process registered, is going to be run."""
    from optreg.registry import default_registry

    if ":" in name or name.endswith(".py"):
        return True
    entry = default_registry().optimizer_info(name)
    return not entry.built_in and entry.live is None


def _chosen(names: Iterable[str]) -> list[str]:
    """Return the optimizers that names and wildcards stand for, each once.

    Raises:
        UnknownOptimizer: A name that nothing answers to, or a wildcard that nothing fits.
    """
    from optreg.errors import UnknownOptimizer
    from optreg.registry import default_registry

    registry = default_registry()
    chosen: list[str] = []
    for name in names:
        if ":" in name or name.endswith(".py"):
            chosen.append(name)
        elif not _WILDCARDS & set(name):
            registry.optimizer_info(name)
            chosen.append(name)
        else:
            found = registry.list_optimizers(name)
            if not found:
                raise UnknownOptimizer(f"no installed optimizer fits {name!r}; 'optreg list' shows all")
            chosen += found
    return list(dict.fromkeys(chosen))


def _validate_each(names: Sequence[str], run: _Run) -> tuple[list[Report], dict[str, str]]:
    """Return the reports, and the reason for each optimizer that could not be loaded."""
    from optreg.errors import UnusableOptimizer
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    reports, unusable = [], {}
    for name in names:
        progress = _Progress(name)
        try:
            reports.append(run.validate(name, progress))
        except UnusableOptimizer as error:
            unusable[name] = str(error)
            _note(str(error))
        finally:
            progress.end()
    return reports, unusable


def _exit_code(reports: Sequence[Report], unusable: dict[str, str]) -> int:
    ran = [report for report in reports if report.results]
    if not all(report.ok for report in ran):
        return exit_codes.CHECKS_FAILED
    if unusable:
        return exit_codes.PLUGIN_UNUSABLE
    return exit_codes.FINE if ran else exit_codes.NOTHING_MATCHED


def _note(text: str) -> None:
    typer.echo(rendering.one_line(f"optreg: {text}"), err=True)


class _Progress:
    """One line on stderr that says what is being done; rewritten on a terminal, else written once."""

    def __init__(self, name: str) -> None:
        self._name = rendering.one_line(name)
        self._made = 0
        self._rewrites = sys.stderr.isatty()
        self._write(f"validating {self._name} ...", end="" if self._rewrites else "\n")

    def __call__(self, result: Result) -> None:
        self._made += 1
        if self._rewrites:
            self._write(f"\r\x1b[2Kvalidating {self._name}: {self._made} {result.group}", end="")

    def end(self) -> None:
        """Clear the line."""
        if self._rewrites:
            self._write("\r\x1b[2K", end="")

    def _write(self, text: str, *, end: str) -> None:
        sys.stderr.write(text + end)
        sys.stderr.flush()
