"""The page with the comparison holds every animal, and what it says is still so."""

from __future__ import annotations

import pytest

pytest.importorskip("stevedore")

from .animals import ANIMALS
from .compare import MARKED, PAGE, escaped, meetings, row
from .contestants import LOADERS

ROWS = {line.split("`")[1]: line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")}


def test_the_page_has_a_row_for_every_animal_that_says_what_is_expected_of_optreg():
    assert list(ROWS) == [animal.name for animal in ANIMALS]
    for animal in ANIMALS:
        assert f"| {animal.what} |" in ROWS[animal.name]
        assert escaped(animal.message) in ROWS[animal.name]


def test_the_page_says_that_optreg_keeps_the_good_one_tells_the_reason_and_imports_nothing():
    for animal in ANIMALS:
        told = "-" if animal.harmless else "yes"
        assert ROWS[animal.name].split(" | ")[3] == f"yes / {told} / yes / 0"
    [table] = [found[0] for found in MARKED.finditer(PAGE.read_text(encoding="utf-8"))]
    every, reasons = len(ANIMALS), sum(not animal.harmless for animal in ANIMALS)
    counts = [f"{every} of {every}", f"{reasons} of {reasons}", f"{every} of {every}", f"{every} of {every}"]
    assert f"| optreg | {' | '.join(counts)} | the good plugin works |" in table
    assert all(f"\n| {loader} | " in table for loader in LOADERS)


@pytest.mark.parametrize("name", ["raises", "exits", "thrower"])
def test_a_fresh_run_agrees_with_the_page(name):
    [animal] = [animal for animal in ANIMALS if animal.name == name]
    assert row(animal, meetings((animal,))) == ROWS[name]


def test_text_of_plugins_is_written_into_the_page_so_that_it_does_nothing():
    assert escaped("<b>|*x*|</b> [y](z) \x1b[31m \u202e") == (
        r"&lt;b&gt;\|\*x\*\|&lt;/b&gt; \[y\](z) \\x1b\[31m \\u202e"
    )
    assert all(char.isprintable() for char in PAGE.read_text(encoding="utf-8") if char != "\n")
