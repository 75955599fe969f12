"""What ``compare`` sees between results files: ``python -m tests.benchmarks.two_files``, on a quiet machine.

The same command is run again and again, each time as a user runs it, in processes of its own. Every pair of files holds
equal work, and any change found in it is a false alarm. Then every file is compared with the next one, whose samples
were made longer by a tenth: the slowdown that has to be found. ``selfcheck`` counts the same within one process.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

from optreg.bench import Results, read_results
from optreg.bench.comparison import compare_results
from optreg.bench.speed.ceiling import AIDS

RUN = ("bench", "sgd", "adam", "--mode", "speed", "--execution", "graph", "--layout", "resnet50", "--budget")


def run_anew(budget: float, processes: int, file: Path) -> Results:
    """Return what a run of its own found."""
    words = [*RUN, str(budget), "--isolate", str(processes), "--json", str(file)]
    command = [sys.executable, "-c", "import optreg_cli.main; optreg_cli.main.run()", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return read_results(file)


def slowed(results: Results, slowdown: float) -> Results:
    """Return the results as they would be if every step of an optimizer took longer by that part."""
    changed = copy.deepcopy(results)
    for entry in changed.speed:
        if entry.implementation not in AIDS:
            entry.samples = [replace(it, seconds=it.seconds * (1 + slowdown)) for it in entry.samples]
    return changed


def count(pairs: Sequence[tuple[Results, Results]]) -> tuple[int, int, int]:
    """Return in how many rows something became worse, in how many better, and how many rows there are."""
    rows = [row for old, new in pairs for row in compare_results(old, new, metrics=["step_time"]).rows]
    return sum(row.worse for row in rows), sum(row.better for row in rows), len(rows)


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--budget", type=float, default=12.0, help="seconds of each run")
    parser.add_argument("--isolate", type=int, default=1, help="processes of each run")
    parser.add_argument("--slowdown", type=float, default=0.1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [run_anew(given.budget, given.isolate, Path(folder) / f"{number}.json") for number in range(given.runs)]
    worse, better, rows = count(list(combinations(runs, 2)))
    print(f"equal work: {worse + better} alarms in {rows} comparisons, of every pair of {given.runs} files")
    worse, better, rows = count([(old, slowed(new, given.slowdown)) for old, new in pairwise(runs)])
    print(f"{given.slowdown:.0%} slower: found in {worse} of {rows} comparisons, of neighbours; {better} called faster")


if __name__ == "__main__":
    main()
