"""Every hook has a page with an example that implements it, a line in the index, and a test."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from optreg.hookspecs import ContributionHooks, StepHooks

ROOT = Path(__file__).parents[2]
HOOKS = {name: spec for kind in (StepHooks, ContributionHooks) for name, spec in vars(kind).items() if name[0] != "_"}
TESTS = [path for path in (ROOT / "tests").rglob("test_*.py") if path.name != Path(__file__).name]


def implementations(source: str) -> Iterator[ast.FunctionDef]:
    """Return the functions that are marked as hook implementations."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and any("hookimpl" in ast.unparse(mark) for mark in node.decorator_list):
            yield node


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_a_page_that_explains_it_and_shows_it_at_work(name):
    page = (ROOT / f"docs/hooks/{name}.md").read_text()
    assert page.startswith(f"# `{name}`\n")
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [shown] = [function for function in implementations(example) if function.name == name]
    arguments = [argument for argument in inspect.signature(HOOKS[name]).parameters if argument != "self"]
    assert {argument.arg for argument in shown.args.args} - {"self"} <= set(arguments)
    explained = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert explained == arguments
    for word in ("**Called**", "**Returns**", *(["**Arguments:** none"] if not arguments else [])):
        assert word in page, word


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_stands_in_the_index_and_has_a_test(name):
    assert f"](hooks/{name}.md)" in (ROOT / "docs/hooks.md").read_text()
    implemented = re.compile(rf"hookimpl(?:\([^)]*\))?\s+def {name}\(")
    assert any(implemented.search(path.read_text()) for path in TESTS), f"no test implements {name}"


def test_no_page_is_left_of_a_hook_that_is_gone():
    assert {path.stem for path in (ROOT / "docs/hooks").glob("*.md")} == set(HOOKS)
