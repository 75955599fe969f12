"""Write the list of methods in docs/contract.md from the code: ``python -m tests.authors.contract_page``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from tests.authors.signatures import CONTRACT, methods, parameters

import optreg

_BLOCK = re.compile(r"(<!-- generated: contract -->\n).*?(<!-- end: contract -->)", re.DOTALL)
_OVERRIDE = re.compile(r"Override\b")
_TRAINING = ("__init__", "apply_gradients", "build", "get_gradients", "get_updates", "minimize")
_CONFIGURATION = ("from_config", "get_config", "to_dict")
HEADINGS = ("Train", "State", "Configuration", "Options", "For a class to call")


def heading(name: str, found: Any) -> str:
    """Return the table in which a method or property stands."""
    if name in _TRAINING:
        return "Train"
    if name in _CONFIGURATION:
        return "Configuration"
    if name.startswith("_") or name in ("add_slot", "add_weight"):
        return "For a class to call"
    return "Options" if isinstance(found, property) and found.fset and name != "iterations" else "State"


def overridable(found: Any) -> bool:
    """Whether a method says in its first line that a class overrides it."""
    return _OVERRIDE.match(inspect.getdoc(found) or "") is not None


def listed() -> str:
    """Return the tables of all methods to call; those to override have a table by hand, with more columns."""
    rows: dict[str, list[str]] = {title: [] for title in HEADINGS}
    for name, found in methods(optreg.Optimizer):
        if not overridable(found):
            rows[heading(name, found)].append(row(name, found))
    return "\n".join(line for title, lines in rows.items() for line in _table(title, lines))


def _table(title: str, rows: list[str]) -> Iterator[str]:
    yield from (f"### {title}\n", "| method | does | raises |", "|---|---|---|", *rows, "")


def row(name: str, found: Any) -> str:
    """Return one line of a table: signature, first sentence of the docstring, errors that it documents."""
    documented = optreg.Optimizer if name == "__init__" else found
    text = inspect.getdoc(documented) or ""
    return f"| `{written(name, found)}` | {_code(_summary(text))} | {', '.join(_errors(text))} |"


def written(name: str, found: Any) -> str:
    """Return a method as it is called, or the name of a property."""
    if isinstance(found, property):
        return name
    inner = re.sub(r"^\((self|cls)(, )?", "(", parameters(found))
    return ("Optimizer" if name == "__init__" else name) + inner


def _summary(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def _code(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _errors(text: str) -> list[str]:
    """Return the errors of a docstring's section Raises, each once."""
    section = re.search(r"^Raises:\n((?: +.*\n?)+)", text, re.MULTILINE)
    starts = re.findall(r"^ {4}(\w+(?:, \w+)*):", section[1] if section else "", re.MULTILINE)
    return list(dict.fromkeys(name for names in starts for name in names.split(", ")))


def rewritten(page: str) -> str:
    """Return the page with the list as the code has it."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{listed()}\n{found[2]}", page)


if __name__ == "__main__":
    CONTRACT.write_text(rewritten(CONTRACT.read_text(encoding="utf-8")), encoding="utf-8")
