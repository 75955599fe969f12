"""``optreg info``: everything known of one optimizer, transformer, aggregator or plugin."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optreg_cli import rendering
from optreg_cli.completion import complete_name

if TYPE_CHECKING:
    from optreg.cards import HyperparameterCard, OptimizerCard
    from optreg.discovery.entries import Entry

Name = Annotated[str, typer.Argument(help="Name, qualified name or alias.", autocompletion=complete_name)]
Kind = Annotated[
    str | None,
    typer.Option(help="optimizer, transformer, aggregator or plugin; by default the first of these that has the name."),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.info/1) instead of text.")]


def info(name: Name, *, kind: Kind = None, json: Json = False) -> None:
    """Show what an optimizer does, its hyperparameters, state, sparse behaviour, paper and origin.

    All of it is read from the plugin's source text; nothing of it is imported.
    """
    entry = _found(name, kind)
    if json:
        rendering.write_json("optreg.info/1", _record(entry))
    else:
        _show(entry)


def _found(name: str, kind: str | None) -> Entry:
    """Return the entry of that name and kind; without a kind, an optimizer before anything else.

    Raises:
        UnknownOptimizer: Nothing answers to the name; told as of an optimizer where no kind was asked for.
    """
    from optreg.discovery.entries import KINDS, OPTIMIZER, fold
    from optreg.registry import default_registry
    from optreg.registry.lookup import split

    registry = default_registry()
    short = fold(split(name)[1])
    having = [one for one in KINDS if registry.index.named(one, short) or registry.index.aliased(one, short)]
    return registry.optimizer_info(name, kind=kind or next(iter(having), OPTIMIZER))


def _show(entry: Entry) -> None:
    from optreg.discovery.entries import OPTIMIZER

    card = entry.card
    typer.secho(rendering.one_line(f"{entry.name}  ({entry.origin})"), bold=True)
    if entry.reason:
        step = f". Next: {entry.next_step}" if entry.next_step else ""
        rendering.paragraph(f"{entry.state.value}: {entry.reason}{step}")
    for text in (card.summary, card.description):
        if text:
            typer.echo()
            rendering.paragraph(text)
    if card.rule:
        rendering.heading("Rule")
        rendering.lines(card.rule)
    _show_hyperparameters(card, "Hyperparameters" if entry.kind == OPTIMIZER else "Arguments")
    if entry.kind == OPTIMIZER:
        _show_state(card)
    _show_facts(entry)


def _show_hyperparameters(card: OptimizerCard, heading: str) -> None:
    if card.hyperparameters:
        rendering.heading(heading)
        rows = [(item.name, _default(item), item.range or "-", item.meaning) for item in card.hyperparameters]
        rendering.table(("name", "default", "range", "meaning"), rows)


def _show_state(card: OptimizerCard) -> None:
    from optreg.cards.state_size import bytes_per_parameter, variants

    size = bytes_per_parameter(card)
    if card.declared is None or size is None:
        return
    rendering.heading("State per variable")
    if card.declared.slots:
        rows = [(slot.name, slot.meaning, _existence(slot.when), _kept_as(slot)) for slot in card.declared.slots]
        rendering.table(("slot", "meaning", "exists", "kept as"), rows)
    more = "".join(f"; {other} with {setting}" for setting, other in variants(card).items())
    rendering.paragraph(f"Memory: {size} bytes per float32 parameter with the defaults{more}")


def _show_facts(entry: Entry) -> None:
    from optreg.cards import sparse_meanings

    meaning = sparse_meanings(entry.kind)
    declared = entry.card.declared
    rendering.heading("Facts")
    facts: list[tuple[str, str]] = []
    if declared:
        paper = declared.paper
        facts += [
            ("sparse gradients", f"{declared.sparse}: {meaning[declared.sparse]}"),
            *((f"sparse with {name}", f"{mode}: {meaning[mode]}") for name, mode in declared.sparse_with.items()),
            ("dtypes", ", ".join(declared.dtypes) or "not declared"),
            ("compiles with XLA", "yes" if declared.xla else "no"),
            *((f"with {flag}", f"not {', '.join(lost)}") for flag, lost in declared.without.items()),
            *(("limit", limit) for limit in declared.limits),
            ("paper", f"{paper.authors}: {paper.title} ({paper.year}), {paper.link}" if paper else "none"),
        ]
    facts += [
        ("aliases", ", ".join(_aliases(entry)) or "none"),
        ("state", entry.state.value),
        ("distribution", entry.origin),
        ("qualified name", entry.qualified_name),
        ("class", entry.target or "-"),
        ("file", str(entry.path or "-")),
    ]
    if entry.reading.note:
        facts.append(("note", entry.reading.note))
    rendering.table(("fact", "value"), facts)


def _record(entry: Entry) -> dict[str, Any]:
    from optreg.cards import sparse_meanings
    from optreg.cards.state_size import bytes_per_parameter, variants

    card = entry.card
    declared = None if card.declared is None else asdict(card.declared)
    return {
        "name": entry.name,
        "qualified_name": entry.qualified_name,
        "kind": entry.kind,
        "aliases": _aliases(entry),
        "state": entry.state.value,
        "reason": entry.reason,
        "next_step": entry.next_step,
        "summary": card.summary,
        "description": card.description,
        "rule": card.rule,
        "hyperparameters": [asdict(item) for item in card.hyperparameters],
        "declared": declared,
        "sparse_meaning": sparse_meanings(entry.kind)[card.declared.sparse] if card.declared else None,
        "bytes_per_float32_parameter": bytes_per_parameter(card),
        "bytes_per_float32_parameter_with": variants(card),
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.target,
        "file": str(entry.path) if entry.path else None,
        "note": entry.reading.note,
    }


def _aliases(entry: Entry) -> tuple[str, ...]:
    from optreg.registry import default_registry

    return default_registry().aliases_of(entry)


def _default(item: HyperparameterCard) -> str:
    return "required" if item.required else str(item.default)


def _existence(when: str) -> str:
    return f"with {when}" if when else "always"


def _kept_as(slot: Any) -> str:
    dtype = f"at least {slot.at_least}" if slot.at_least else "the variable's dtype"
    kept = f"one number, {dtype}" if slot.scalar else dtype
    usual = slot.reads == slot.writes == 1
    return kept if usual else f"{kept}; a step reads it {slot.reads:g} times, writes it {slot.writes:g}"
