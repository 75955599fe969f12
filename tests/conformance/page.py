"""The tables of docs/conformance.md: the checks, the mutants that each catches, and the ledger of each built-in.

``python -m tests.conformance.page`` writes them between the markers of the page, from the catalogue and the records
that ``tests.conformance.mutation_table`` and ``tests.conformance.ledgers`` keep.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optreg.conformance import Check, all_checks, groups

from .ledgers import recorded
from .mutants import all_mutants
from .mutation_table import mutations

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def checks_table() -> str:
    """Return a table for each group: the check, the demand, what it needs, and the mutants made for it."""
    return "\n".join(_group_table(group) for group in groups())


def _group_table(group: str) -> str:
    rows = [_row(check) for check in all_checks() if check.group == group]
    return "\n".join([f"### {group}\n", "| check | demands | mutants |", "|---|---|---|", *rows, ""])


def _row(check: Check) -> str:
    own = ", ".join(mutant.__name__ for mutant in all_mutants() if mutant.caught_by == check.id)
    demand = " ".join((inspect.getdoc(check.function) or "").split()).replace("|", "\\|")
    notes = [check.capability.text, "recommended" * (check.severity == "should"), "on request" * check.on_request]
    noted = f" *({'; '.join(filter(None, notes))})*" if any(notes) else ""
    return f"| `{check.id}` | {demand}{noted} | {own} |"


def mutation_table() -> str:
    """Return how sharp the suite is: for each check its mutants, and the checks that catch these as well."""
    mutants = mutations()
    alone = sum(not _further(found) for found in mutants.values())
    summary = f"{len(mutants)} mutants, each caught by the check it is made for; {alone} by that check alone."
    rows = [_mutation_row(check, mutants) for check in all_checks()]
    return "\n".join([summary, "", "| check | its mutants | also caught by |", "|---|---|---|", *rows, ""])


def _mutation_row(check: Check, mutants: dict[str, Any]) -> str:
    own = [name for name, found in mutants.items() if found["made for"] == check.id]
    catching = {other for name in own for other in _further(mutants[name])}
    others = [other.title for other in all_checks() if other.id in catching]
    return f"| {check.title} | {', '.join(own)} | {'; '.join(others)} |"


def _further(found: dict[str, Any]) -> set[str]:
    """Return the required checks that catch a mutant made for another; hardly a mutant is documented as recommended."""
    required = {check.id for check in all_checks() if check.severity != "should"}
    return required & set(found["caught by"]) - {found["made for"]}


def ledger_table() -> str:
    """Return the ledger of each built-in."""
    columns = ("known", "applicable", "ran", "passed", "failed", "warned", "expected", "skipped", "blocked")
    lines = [f"| optimizer | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    records = recorded()
    lines += [
        f"| {name} | {' | '.join(str(record['ledger'][column]) for column in columns)} |"
        for name, record in records.items()
    ]
    expecting = [f"{name} expects `{check}`" for name, record in records.items() for check in record["expected"]]
    return "\n".join([*lines, "", f"{'; '.join(expecting) or 'No failure is expected'}.", ""])


PARTS: dict[str, Callable[[], str]] = {
    "checks": checks_table,
    "mutation": mutation_table,
    "ledgers": ledger_table,
}


def rendered(text: str) -> str:
    """Return the page with its tables as they are now."""
    return MARKED.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
