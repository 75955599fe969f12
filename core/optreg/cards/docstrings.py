"""Reading the docstring of an optimizer: summary, description, rule and the meaning of each argument.

The same parser serves the source text and the live class, so both say the same.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from optreg.errors import shortened

_SECTIONS = (
    "rule",
    "differences",
    "args",
    "arguments",
    "sparse gradients",
    "example",
    "examples",
    "reference",
    "references",
    "raises",
    "returns",
    "yields",
    "note",
    "notes",
    "attributes",
)
_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


class Docstring(NamedTuple):
    """The parts of a docstring that a card shows."""

    summary: str
    description: str
    rule: tuple[str, ...]
    arguments: Mapping[str, str]


def parse_docstring(text: str | None) -> Docstring:
    """Split a cleaned docstring (see ``inspect.cleandoc``) into its parts; missing parts are empty."""
    sections = _sections((text or "").splitlines())
    paragraphs = list(_paragraphs(sections.get("", [])))
    summary, rest = _first_sentence(paragraphs[0]) if paragraphs else ("", "")
    arguments = sections.get("arguments", []) + sections.get("args", [])
    return Docstring(
        summary=shortened(summary),
        description="\n\n".join([rest, *paragraphs[1:]] if rest else paragraphs[1:]),
        rule=_block(sections.get("rule", [])),
        arguments=dict(_argument_entries(_block(arguments))),
    )


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """Group the lines under their headings; the key ``""`` holds what stands before the first one."""
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in lines:
        heading, colon, rest = line.partition(":")
        if colon and heading.lower() in _SECTIONS:
            current = heading.lower()
            sections.setdefault(current, []).append(f"    {rest.strip()}")
        else:
            sections[current].append(line)
    return sections


def _paragraphs(lines: list[str]) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        words = " ".join(paragraph.split())
        if words:
            yield words


def _first_sentence(paragraph: str) -> tuple[str, str]:
    first, *rest = _SENTENCE_END.split(paragraph, maxsplit=1)
    return first, rest[0] if rest else ""


def _block(lines: list[str]) -> tuple[str, ...]:
    """Return the lines without common indentation and without blank lines at either end."""
    written = [line for line in lines if line.strip()]
    if not written:
        return ()
    first, last = lines.index(written[0]), len(lines) - lines[::-1].index(written[-1])
    return tuple(line.rstrip() for line in textwrap.dedent("\n".join(lines[first:last])).splitlines())


def _argument_entries(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield (name, meaning); deeper lines continue the entry above them."""
    names: list[str] = []
    words: list[str] = []
    for line in (*lines, "end:"):
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            words += line.split()
            continue
        yield from ((name, " ".join(words)) for name in names)
        names = [name.strip().lstrip("*") for name in entry[1].split(",")]
        words = entry[2].split()
