"""What the page shows of one thing: a drawing, its words, its data and the command that makes it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Columns and rows of text, already formatted; everything is escaped by the template.

    A ``matrix`` holds answers, with a colour beside the word; ``headings`` stand above the rows of these numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    matrix: bool = False
    headings: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exhibit:
    """One exhibit of the report.

    Args:
        name: Identifier on the page.
        title: What is to be seen.
        caption: How to read it, and what it does not say.
        data: The numbers behind it.
        command: What makes it again.
        svg: The drawing; without one a table is shown.
        alt: What the drawing shows, for those who cannot see it.
        warnings: What to be careful about.
        shown: The table in place of a drawing; ``data`` where there is none.
    """

    name: str
    title: str
    caption: str
    data: Table
    command: str
    svg: str = ""
    alt: str = ""
    warnings: Sequence[str] = ()
    shown: Table | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page: its exhibits under a heading, with a sentence on what it answers."""

    name: str
    title: str
    lead: str
    exhibits: Sequence[Exhibit] = field(default_factory=tuple)
