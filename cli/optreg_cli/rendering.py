"""Text, tables and JSON on stdout.

Names, summaries and errors come from plugins and are not trusted: control characters are removed, and nothing is
read as markup. A terminal gets tables that fit it; a pipe gets every character, one entry a line, without rich, whose
import would cost more than the listing.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

_PIPED_WIDTH = 100  # columns, for running text only; tables are as wide as their content


def clean(text: object) -> str:
    """Return the text without control characters, so that it cannot drive the terminal."""
    return "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else char for char in str(text)
    )


def one_line(text: object) -> str:
    """Return the text cleaned, on one line."""
    return " ".join(clean(text).split())


def heading(text: str) -> None:
    """Write a heading, bold on a terminal."""
    typer.secho(f"\n{text}", bold=True)


def paragraph(text: str, *, indent: str = "  ") -> None:
    """Write running text, wrapped to the terminal; a blank line in the text starts a new paragraph."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH
    for number, part in enumerate(text.split("\n\n")):
        lines = textwrap.fill(one_line(part), width, initial_indent=indent, subsequent_indent=indent)
        typer.echo(("\n" if number else "") + lines)


def lines(texts: Iterable[str], *, indent: str = "  ") -> None:
    """Write lines as they are, cleaned; formulae keep their alignment."""
    for text in texts:
        typer.echo(f"{indent}{clean(text)}".rstrip())


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table; the first column is never broken."""
    cleaned = [[one_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _terminal_table(columns, cleaned)
    else:
        _plain_table(columns, cleaned)


def write_json(schema: str, content: Mapping[str, Any]) -> None:
    """Write one JSON document, with the name and version of its schema first."""
    document = _plain_data({"schema": schema, **content})
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _terminal_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        grid.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))  # Text is never parsed as markup
    Console(highlight=False).print(grid)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    everything = [[column.upper() for column in columns], *rows]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    for row in everything:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _plain_data(value: Any) -> Any:
    """Return what JSON can hold; a default such as infinity becomes its text."""
    if isinstance(value, Mapping):
        return {str(key): _plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else repr(value)
