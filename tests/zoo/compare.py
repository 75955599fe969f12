"""The comparison of docs/zoo.md: the same zoo under optreg, pluggy and stevedore.

``python -m tests.zoo.compare`` lets each loader meet each animal alone beside the good plugin, and then all of them
together, and writes the tables between the markers of the page. It takes some minutes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from .animal import Animal
from .animals import ANIMALS
from .contest import Verdict, meet
from .contestants import LOADERS

PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"
MARKED = re.compile(r"(<!-- generated: zoo -->\n).*?(<!-- end -->)", re.DOTALL)

Verdicts = Mapping[str, Verdict]
"""Loader to what became of it."""

_WORDS = {True: "yes", False: "no", None: "-"}


def meetings(animals: tuple[Animal, ...]) -> Verdicts:
    """Let every loader meet these animals, all at once."""
    return {loader: meet(loader, animals) for loader in LOADERS}


def tables(alone: Mapping[str, Verdicts], together: Verdicts) -> str:
    """Return the summary, and a row for each animal."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("optreg", "pluggy", "stevedore"))
    heads = ("loader", "good plugin works", "reason shown", "process survives", "imports nothing", "all together")
    lines = [f"{len(alone)} animals; {versions}.", "", *_head(heads)]
    lines += [
        _summary(loader, [verdicts[loader] for verdicts in alone.values()], together[loader]) for loader in LOADERS
    ]
    lines += ["", *_head(("animal", "what is wrong", "state in optreg, and why", *LOADERS))]
    lines += [row(animal, alone[animal.name]) for animal in ANIMALS if animal.name in alone]
    return "\n".join([*lines, ""])


def row(animal: Animal, verdicts: Verdicts) -> str:
    """Return the line of one animal."""
    reason = ": ".join(filter(None, (animal.after, animal.message)))
    if animal.danger:
        reason = f"{animal.state}; in a child process: {animal.danger} ..."
    return _line(f"`{animal.name}`", animal.what, escaped(reason), *(cell(verdicts[loader]) for loader in LOADERS))


def cell(verdict: Verdict) -> str:
    """Return the good plugin, the reason, the ending and the imports, in this order."""
    survives = f"no: {verdict.ending}" if verdict.ending else "yes"
    return escaped(f"{_WORDS[verdict.good]} / {_WORDS[verdict.told]} / {survives} / {verdict.imported}")


def escaped(text: str) -> str:
    """Return text of a plugin so that Markdown and HTML show it as it is; what is not printable as Python writes it."""
    printable = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(printable, quote=False))


def write(text: str) -> None:
    """Put the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKED.sub(lambda found: f"{found[1]}{text}{found[2]}", page), encoding="utf-8")


def _summary(loader: str, alone: list[Verdict], together: Verdict) -> str:
    told = [verdict.told for verdict in alone if verdict.told is not None]
    counts = [
        (sum(verdict.good for verdict in alone), len(alone)),
        (sum(told), len(told)),
        (sum(not verdict.ending for verdict in alone), len(alone)),
        (sum(verdict.imported == 0 and not verdict.ending for verdict in alone), len(alone)),
    ]
    # Which animal ends the process first depends on the order in which the file system tells them.
    outcome = "the good plugin works" if together.good else "the process ends" if together.ending else "it is lost"
    return _line(loader, *(f"{some} of {every}" for some, every in counts), outcome)


def _head(columns: tuple[str, ...]) -> list[str]:
    return [_line(*columns), "|---" * len(columns) + "|"]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    found = {}
    for animal in ANIMALS:
        found[animal.name] = meetings((animal,))
        print(row(animal, found[animal.name]), flush=True)
    write(tables(found, meetings(ANIMALS)))
