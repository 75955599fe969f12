"""``optreg validate``: the conformance checks, and what became of each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from optreg_cli import exit_codes, rendering
from optreg_cli.completion import complete_name
from optreg_cli.validation_tables import describe_report, describe_reports

if TYPE_CHECKING:
    from optreg.conformance import Report, Result

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Names, wildcards such as 'ada*', or module:Class.", autocompletion=complete_name),
]
All = Annotated[bool, typer.Option("--all", help="Validate every optimizer that is installed.")]
Group = Annotated[list[str] | None, typer.Option(help="Only the checks of this group; may be repeated.")]
CheckName = Annotated[list[str] | None, typer.Option("--check", help="Only this check; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.validate/1) instead of tables.")]

_WILDCARDS = frozenset("*?[")


def validate(
    names: Names = None,
    *,
    everything: All = False,
    group: Group = None,
    check: CheckName = None,
    json: Json = False,
) -> None:
    """Run the conformance checks on optimizers: structure, hyperparameters, slots, gradients, persistence and more.

    What a check requires is run with it. The ledger says how many checks there are, how many apply, and
    what became of them. Exit codes: 1 if a check failed, 4 if an optimizer could not be loaded, 3 if nothing was run.
    """
    if bool(names) == everything:
        raise typer.BadParameter("give names of optimizers, or --all")
    from optreg import conformance

    conformance.select_checks(check or (), group or ())  # a misspelt one is reported before TensorFlow is loaded
    chosen = _chosen(names or ["*"])
    reports, unusable = _validate_each(chosen, check or (), group or ())
    code = _exit_code(reports, unusable)
    if json:
        refused = [{"optimizer": name, "reason": reason} for name, reason in unusable.items()]
        content = {
            "ok": code == exit_codes.FINE,
            "reports": [report.to_dict() for report in reports],
            "unusable": refused,
        }
        rendering.write_json("optreg.validate/1", content)
    else:
        for report in reports:
            describe_report(report)
        describe_reports(reports, unusable)
    if code == exit_codes.NOTHING_MATCHED:
        _note("nothing was run; no check asked for applies")
    if code != exit_codes.FINE:
        raise typer.Exit(code)


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
        if ":" in name:
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


def _validate_each(
    names: Sequence[str], checks: Sequence[str], groups: Sequence[str]
) -> tuple[list[Report], dict[str, str]]:
    """Return the reports, and the reason for each optimizer that could not be loaded."""
    from optreg import conformance
    from optreg.errors import UnusableOptimizer
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    conformance.use_two_logical_devices()
    reports, unusable = [], {}
    for name in names:
        progress = _Progress(name)
        try:
            reports.append(conformance.validate(name, checks=checks, groups=groups, progress=progress))
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
