"""Record the terminal session of docs/tutorial.md: ``python -m tests.authors.tutorial``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.authors.session import ROOT, Author, steps

PAGE = ROOT / "docs/tutorial.md"
STEPS = steps("signum", '--author "Ada Lovelace <ada@example.org>"')
_FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
_SESSION = re.compile(r"<!-- session: (\w+) -->\n```console\n(.*?)```", re.DOTALL)
_BY_HAND = {
    "    # b = 2, so w = 4 - 0.5 * 2 = 3; then b = 0.5 * 2 + 2 = 3, so w = 3 - 0.5 * 3 = 1.5.\n": "",
    "assert seen == [3.0, 1.5]": "assert seen == [3.5, 3.0]",
    "[[1.0], [0.0], [3.0]]  # row 1: 2 - 0.5 * (1 + 3)": "[[1.0], [1.5], [3.0]]  # row 1: 2 - 0.5",
}


def edit(package: Path, *, page: str) -> None:
    """Change a new package as the tutorial says."""
    for path, text in _FILE.findall(page):
        (package / path).write_text(text, encoding="utf-8")
    tests = package / "tests/test_optimizer.py"
    text = tests.read_text(encoding="utf-8")
    for before, after in _BY_HAND.items():
        assert before in text, f"{before!r} is no longer in the tests of a new package"
        text = text.replace(before, after)
    tests.write_text(text, encoding="utf-8")


def followed(page: str, folder: Path) -> dict[str, str]:
    """Do what the page says in an empty folder, and return name to what each command printed."""
    return Author(folder).live(STEPS, partial(edit, page=page))


def recorded(page: str) -> dict[str, str]:
    """Return name to block of the sessions that a page shows."""
    return dict(_SESSION.findall(page))


def block(name: str, printed: Mapping[str, str]) -> str:
    """Return what stands in the page for one step: the command and what it printed."""
    [command] = [step.command for step in STEPS if step.name == name]
    return "\n".join([f"$ {command}", *(line.rstrip() for line in printed[name].strip().splitlines())]) + "\n"


def rewritten(page: str, printed: Mapping[str, str]) -> str:
    """Return the page with the blocks of a new session."""
    return _SESSION.sub(lambda found: f"<!-- session: {found[1]} -->\n```console\n{block(found[1], printed)}```", page)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(rewritten(page, followed(page, Path(folder))), encoding="utf-8")
