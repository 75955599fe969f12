"""The tables of docs/conformance.md: the checks, the mutants that each catches, and the ledger of each built-in.

``python -m tests.conformance.page`` writes them between the markers of the page, from the catalogue and the records
that ``tests.conformance.mutation_table`` and ``tests.conformance.ledgers`` keep.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optreg.conformance import Check, all_checks, groups

from .ledgers import recorded
from .mutation_table import RECORD

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def checks_table() -> str:
    """Return a table for each group: the check, the demand, what it needs, and the mutants made for it."""
    mutants: dict[str, Any] = json.loads(RECORD.read_text())
    return "\n".join(_group_table(group, mutants) for group in groups())


def _group_table(group: str, mutants: dict[str, Any]) -> str:
    rows = [_row(check, mutants) for check in all_checks() if check.group == group]
    return "\n".join([f"### {group}\n", "| check | demands | mutants |", "|---|---|---|", *rows, ""])


def _row(check: Check, mutants: dict[str, Any]) -> str:
    own = [_shown(name, mutants[name]) for name in mutants if mutants[name]["made for"] == check.id]
    others = sum(check.id in one["caught by"] and one["made for"] != check.id for one in mutants.values())
    demand = " ".join((inspect.getdoc(check.function) or "").split()).replace("|", "\\|")
    notes = [check.capability.text, "recommended" * (check.severity == "should"), "on request" * check.on_request]
    noted = f" *({'; '.join(filter(None, notes))})*" if any(notes) else ""
    further = f"; {others} of others" if others else ""
    return f"| `{check.id}` | {demand}{noted} | {', '.join(own)}{further} |"


def _shown(name: str, found: dict[str, Any]) -> str:
    also = len(found["caught by"]) - 1
    return f"{name} (+{also})" if also else name


def mutation_summary() -> str:
    """Return how sharp the suite is, in a sentence."""
    mutants = list(json.loads(RECORD.read_text()).values())
    alone = sum(found["caught by"] == [found["made for"]] for found in mutants)
    return f"{len(mutants)} mutants, all caught by the check they are made for; {alone} by that check alone.\n"


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
    "mutation": mutation_summary,
    "ledgers": ledger_table,
}


def rendered(text: str) -> str:
    """Return the page with its tables as they are now."""
    return MARKED.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
