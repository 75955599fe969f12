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

_LONG = 300  # rows from which on speed counts more than looks
_NARROWEST = 20  # columns of text
_PIPED_WIDTH = 100  # columns, for running text only; tables are as wide as their content


def clean(text: object) -> str:
    """Return the text without control characters, so that it cannot drive the terminal."""
    written = str(text)
    if written.isprintable():  # told in C; a listing of thousands of entries is a million characters
        return written
    return "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else char for char in written
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
        _long_terminal_table(columns, cleaned) if len(rows) > _LONG else _terminal_table(columns, cleaned)
    else:
        _plain_table(columns, cleaned)


def write_json(schema: str, content: Mapping[str, Any]) -> None:
    """Write one JSON document, with the name and version of its schema first."""
    document = _plain_data({"schema": schema, **content})
    written = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    typer.echo("\n".join(map(_escaped, written.split("\n"))))


def write_json_records(schema: str, name: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON document that holds a list of flat records, one a line, quickly."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode  # without indent it runs in C
    rows = ",\n".join(f"    {_escaped(encode(record))}" for record in records)
    rows = f"[\n{rows}\n  ]" if rows else "[]"
    typer.echo(f'{{\n  "schema": {encode(schema)},\n  {encode(name)}: {rows}\n}}')


def _escaped(line: str) -> str:
    r"""Return a line of JSON in which what is not printable stands as ``\u....``, as JSON has it for some of them."""
    if line.isprintable():  # told in C, see clean
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


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


def _long_terminal_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table of thousands of rows, for which rich takes seconds; only the last column is folded."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    last = max(_NARROWEST, shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths[:-1]))
    indent = " " * (sum(widths[:-1]) + 2 * len(widths[:-1]))
    shown = ["", _row(columns, widths), "─" * (len(indent) + min(last, widths[-1]))]
    for row in rows:
        head, *folded = textwrap.wrap(row[-1], last) if len(row[-1]) > last else [row[-1]]
        shown += [_row((*row[:-1], head), widths), *(indent + line for line in folded)]
    typer.echo("\n".join([*shown, ""]))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    everything = [[column.upper() for column in columns], *rows]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    typer.echo("\n".join(_row(row, widths) for row in everything))  # at once: every echo is flushed


def _plain_data(value: Any) -> Any:
    """Return what JSON can hold; a default such as infinity becomes its text."""
    if isinstance(value, Mapping):
        return {str(key): _plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else repr(value)
