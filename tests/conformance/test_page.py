"""docs/conformance.md names every check and mutant, and its tables are those that the commands write."""

from __future__ import annotations

from optreg.conformance import all_checks
from optreg.registry import default_registry

from .ledgers import recorded
from .mutants import all_mutants
from .mutation_table import mutations
from .page import PAGE, rendered


def test_the_page_names_every_check_and_every_mutant() -> None:
    text = PAGE.read_text()
    assert [check.id for check in all_checks() if f"`{check.id}`" not in text] == []
    assert [mutant.__name__ for mutant in all_mutants() if mutant.__name__ not in text] == []


def test_the_tables_of_the_page_are_those_of_the_records() -> None:
    assert rendered(PAGE.read_text()) == PAGE.read_text()


def test_each_check_has_a_row_in_the_mutation_table_with_a_mutant_that_it_caught() -> None:
    found = mutations()
    assert {name: one["made for"] for name, one in found.items()} == {m.__name__: m.caught_by for m in all_mutants()}
    assert {one["made for"] for one in found.values()} == {check.id for check in all_checks()}
    assert [name for name, one in found.items() if one["made for"] not in one["caught by"]] == []


def test_the_ledgers_cover_every_built_in_and_every_check() -> None:
    records = recorded()
    assert set(records) == {entry.name for entry in default_registry().entries() if entry.distribution == "optreg"}
    for record in records.values():
        assert {*record["ran"], *record["not applicable"]} == {check.id for check in all_checks()}
        assert record["ledger"]["ran"] == len(record["ran"])
        assert record["ledger"]["failed"] == record["ledger"]["blocked"] == record["ledger"]["skipped"] == 0
