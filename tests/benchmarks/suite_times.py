"""How long the suites really take: ``python -m tests.benchmarks.suite_times smoke quick standard``, on a quiet machine.

Each suite is run as a user runs it, by the command line in a process of its own, from start-up to the end. The table
that comes out stands in docs/benchmark.md. ``--budget 20`` measures how a budget is kept instead of what a suite says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from optreg.bench import SUITES

SECTIONS = ("speed", "training", "memory", "descents")


def measured(suite: str, names: list[str], budget: float | None) -> tuple[float, dict[str, Any]]:
    """Return the seconds from start to end, and the results."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        words = ["bench", "run", *names, "--suite", suite, "--json", str(file)]
        words += [] if budget is None else ["--budget", str(budget)]
        command = [sys.executable, "-c", "import optreg_cli.main; optreg_cli.main.run()", *words]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if not file.exists():
            raise SystemExit(done.stderr)
        return seconds, json.loads(file.read_text(encoding="utf-8"))


def row(suite: str, names: list[str], budget: float | None) -> str:
    """Return one line of the table."""
    promise = SUITES[suite].budget(len(names)) if budget is None else budget
    seconds, results = measured(suite, names, budget)
    states = Counter(entry["state"]["name"] for section in SECTIONS for entry in results[section])
    cells = (suite, str(len(names)), f"{promise:g} s", f"{seconds:.1f} s", f"{seconds / promise:.0%}")
    return f"| {' | '.join(cells)} | {states['finished']} of {states.total()} |"


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=["smoke", "quick", "standard"], help=", ".join(SUITES))
    parser.add_argument("--optimizer", action="append", help="adam by default; repeatable")
    parser.add_argument("--budget", type=float, help="seconds, instead of what the suite says")
    given = parser.parse_args()
    names = given.optimizer or ["adam"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, optimizers: {', '.join(names)}\n")
    print("| suite | optimizers | promised | took | of it | entries measured |\n|---|---|---|---|---|---|")
    for suite in given.suites:
        print(row(suite, names, given.budget), flush=True)


if __name__ == "__main__":
    main()
