"""``optreg list``: what is installed, and in which state."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optreg_cli import rendering
from optreg_cli.completion import complete_name
from optreg_cli.exit_codes import NOTHING_MATCHED

if TYPE_CHECKING:
    from optreg.discovery.entries import Entry
    from optreg.registry import Registry

Patterns = Annotated[
    list[str] | None,
    typer.Argument(help="Names or wildcards such as 'ada*'; quote them for the shell.", autocompletion=complete_name),
]
Exclude = Annotated[list[str] | None, typer.Option(help="Leave out what fits this wildcard; may be repeated.")]
StateWord = Annotated[str | None, typer.Option(help="Only this state: ready, broken, disabled, ambiguous, ...")]
Capability = Annotated[str | None, typer.Option(help="Only optimizers that can do this: sparse, xla, bfloat16, ...")]
DistributionName = Annotated[str | None, typer.Option(help="Only from distributions that fit this wildcard.")]
Kind = Annotated[str, typer.Option(help="What to list: optimizer, transformer, aggregator, plugin or all.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.list/1) instead of a table.")]


def list_entries(  # noqa: PLR0913 - one argument for each option of the command
    patterns: Patterns = None,
    *,
    exclude: Exclude = None,
    state: StateWord = None,
    capability: Capability = None,
    distribution: DistributionName = None,
    kind: Kind = "optimizer",
    json: Json = False,
) -> None:
    """List the installed optimizers, with what each one does; transformers and other kinds with --kind.

    Broken, disabled and clashing ones are listed too, with the reason and the next step. Nothing of them is imported.
    """
    from optreg.registry import default_registry
    from optreg.registry.selection import Selection

    registry = default_registry()
    selection = Selection(tuple(patterns or ()), tuple(exclude or ()), distribution, state, capability)
    with _uncollected():
        entries = registry.entries(selection, kind=None if kind == "all" else kind)
        if json:
            rendering.write_json_records("optreg.list/1", "entries", (_record(registry, entry) for entry in entries))
        elif entries:
            columns = (
                ("name", "kind", "state", "from", "about") if kind == "all" else ("name", "state", "from", "about")
            )
            rendering.table(columns, [_row(registry, entry, with_kind=kind == "all") for entry in entries])
    registry.enforce()
    if not entries:
        what = f" fits {', '.join(patterns)}" if patterns else " fits"
        typer.echo(rendering.one_line(f"optreg: nothing installed{what}; 'optreg list' shows everything"), err=True)
        raise typer.Exit(NOTHING_MATCHED)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no garbage be looked for: thousands of small records that all stay make it look a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()  # or the first look would find all of them young
            gc.enable()


def _row(registry: Registry, entry: Entry, *, with_kind: bool) -> tuple[str, ...]:
    about = entry.digest.summary
    if entry.reason:
        about = f"{entry.reason}. Next: {entry.next_step}" if entry.next_step else entry.reason
    kind = (entry.kind,) if with_kind else ()
    return registry.display_name(entry), *kind, entry.state.value, entry.origin, about


def _record(registry: Registry, entry: Entry) -> dict[str, Any]:
    return {
        "name": registry.display_name(entry),
        "qualified_name": entry.qualified_name,
        "kind": entry.kind,
        "state": entry.state.value,
        "reason": entry.reason,
        "next_step": entry.next_step,
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.target,
        "aliases": registry.aliases_of(entry),
        "summary": entry.digest.summary,
        "capabilities": entry.digest.capabilities,
    }
