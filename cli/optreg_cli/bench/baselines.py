"""Baselines: results files kept under a name, to compare later runs with."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from optreg.bench import Results

FOLDER = "OPTREG_BENCH_BASELINES"
_DEFAULT = ".optreg-bench"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def path_of(name: str) -> Path:
    """Return where the baseline of this name is kept, or the file itself if ``name`` is the path of one.

    Raises:
        BadParameter: The name could lead out of the folder.
    """
    if name.endswith(".json"):
        return Path(name)
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(f"a baseline's name has letters, digits, '.', '_' and '-'; received {name!r}")
    return Path(os.environ.get(FOLDER, _DEFAULT)) / f"{name}.json"


def load(name: str) -> Results:
    """Return the results of that baseline or file.

    Raises:
        BadParameter: There is none; those that exist are named.
    """
    from optreg.bench import read_results

    path = path_of(name)
    try:
        return read_results(path)
    except OSError as error:
        folder = Path(os.environ.get(FOLDER, _DEFAULT))
        known = ", ".join(sorted(it.stem for it in folder.glob("*.json"))) or "none"
        raise typer.BadParameter(f"cannot read {path}: {error.strerror}; baselines: {known}") from error


def save(name: str, results: Results) -> Path:
    """Keep the results under the name and return where."""
    from optreg.bench import document, write_results

    path = path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_results(path, document(results))
    return path
