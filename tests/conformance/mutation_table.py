"""Which checks catch which mutant: every mutant against the whole suite.

``python -m tests.conformance.mutation_table`` runs them all (half an hour on two cores) and writes
``mutation_table.json`` beside this file; ``python -m tests.conformance.page`` puts it into docs/conformance.md.
The two checks that start a process run only on the mutants that are made for them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

from optreg.conformance import select_checks, use_two_logical_devices, validate

RECORD = Path(__file__).with_name("mutation_table.json")
SLOW = {"check_a_fresh_process_continues_the_training", "check_importing_it_leaves_the_devices_free"}
CAUGHT = {"failed", "warned"}


def mutations() -> dict[str, Any]:
    """Return mutant to what was recorded: the check it is made for, and those that caught it."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def caught(mutant: Any) -> dict[str, Any]:
    """Return what the suite makes of one mutant."""
    checks = [check.id for check in select_checks() if check.id not in SLOW] + [mutant.caught_by]
    results = validate(mutant, checks=list(dict.fromkeys(checks))).results
    return {
        "made for": mutant.caught_by,
        "caught by": sorted(result.id for result in results if result.status in CAUGHT),
        "blocked": sum(result.status == "blocked" for result in results),
    }


def _begin() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    use_two_logical_devices()


def _caught_by_name(name: str) -> tuple[str, dict[str, Any]]:
    from .mutants import all_mutants

    mutant = next(one for one in all_mutants() if one.__name__ == name)
    return name, caught(mutant)


def main(workers: int = 2) -> None:
    """Run all mutants and write the record."""
    from .mutants import all_mutants

    names = [mutant.__name__ for mutant in all_mutants()]
    with multiprocessing.get_context("spawn").Pool(workers, _begin) as pool:
        found = dict(pool.imap_unordered(_caught_by_name, names))
    missed = [name for name in names if found[name]["made for"] not in found[name]["caught by"]]
    RECORD.write_text(json.dumps({name: found[name] for name in names}, indent=1) + "\n")
    if missed:
        sys.exit(f"not caught by the check they are made for: {', '.join(missed)}")


if __name__ == "__main__":
    main()
