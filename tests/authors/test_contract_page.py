"""The reference pages of the optimizer contract and of update rules say what the code has."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
from tests.authors import contract_page
from tests.authors.signatures import CONTRACT, methods

import optreg
from optreg.cards import SPARSE_MEANING
from optreg.cards.rule_options import RULE_OPTIONS

ROOT = Path(__file__).parents[2]
METHODS = dict(methods(optreg.Optimizer))


def rows(page: str) -> list[list[str]]:
    """Return the cells of all lines of the tables in a page."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]


def protected_names(source: str) -> set[str]:
    """Return the protected names that a module defines in a class, or reaches for on ``self`` or ``super()``."""
    tree = ast.walk(ast.parse(source))
    names = {
        node.name if isinstance(node, ast.FunctionDef) else node.attr
        for node in tree
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"self", "super()"})
    }
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def test_the_list_of_methods_is_that_of_the_code():
    page = CONTRACT.read_text()
    assert contract_page.rewritten(page) == page, "run python -m tests.authors.contract_page"


def test_every_public_method_stands_in_one_table():
    listed = re.findall(r"^\| `(\w+)", contract_page.listed(), re.MULTILINE)
    public = {name for name in dir(optreg.Optimizer) if name[0] != "_" and name != "card"}
    assert public <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_is_listed_says_what_it_does(name):
    documented = optreg.Optimizer if name == "__init__" else METHODS[name]
    assert contract_page.row(name, METHODS[name]).count("|") == 4
    assert (documented.__doc__ or "").strip().partition("\n")[0].endswith((".", ":"))


def test_every_method_to_override_has_a_row_with_its_signature_its_time_and_its_result():
    section = CONTRACT.read_text().partition("## Methods to override\n")[2].partition("\n## ")[0]
    table = {cells[0].strip("`"): cells[1:] for cells in rows(section)[2:]}
    ours = {name for base in optreg.Optimizer.__mro__ if base.__module__.startswith("optreg") for name in vars(base)}
    overridable = {name: getattr(optreg.Optimizer, name) for name in sorted(ours) if name not in {"card", "__doc__"}}
    overridable = {name: found for name, found in overridable.items() if contract_page.overridable(found)}
    expected = {contract_page.written(name, found) for name, found in overridable.items()} | {"get_config()"}
    assert set(table) == expected
    assert all(len(cells) == 3 and all(cells) for cells in table.values())


def test_the_optimizers_of_optreg_use_only_methods_that_the_page_names():
    used = set().union(*(protected_names(path.read_text()) for path in (ROOT / "plugins").rglob("*.py")))
    used = {name for name in used if callable(getattr(optreg.Optimizer, name, None))}
    assert {"_set_hyper", "_replace_rows", "_finish_step"} <= used
    assert used - set(METHODS) == set()


def test_every_declaration_of_a_rule_is_explained():
    explained = [cells[0] for cells in rows((ROOT / "docs/update-rule.md").read_text())]
    text = "\n".join(explained)
    for mode in SPARSE_MEANING:
        assert f'`sparse="{mode}"`' in text
    for option in RULE_OPTIONS:
        assert f"`{option.name}`" in explained
    for item in fields(optreg.Slot):
        assert item.name in {"name", "meaning"} or f"`Slot({item.name}=" in text
    [update] = [
        name
        for name in vars(optreg.UpdateRule)
        if name[0] != "_" and callable(getattr(optreg.UpdateRule, name)) and name != "get_config"
    ]
    written = contract_page.written(update, optreg.UpdateRule.update)
    assert f"`{written}`" in explained
