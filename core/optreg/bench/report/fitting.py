"""Keep a page below its limit: what is left out is said, and its numbers stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from optreg.bench.report.figure import Exhibit, Section, Table

_CELL = len("<td></td>")
_ROWS = 20  # that are left of a table too long for the page


def fitted(sections: Sequence[Section], render: Callable[[Sequence[Section]], str], most: int) -> str:
    """Return the page, without its largest drawings, and then the ends of its longest tables, where it is too large.

    Args:
        sections: What should stand on the page.
        render: Makes the page of sections.
        most: Bytes that it stays below.
    """
    page = render(sections)
    for weight, lighten in ((_bytes_of_drawing, _without_drawing), (_bytes_of_table, _shortened)):
        while (excess := len(page.encode()) - most) >= 0:
            heavy = _heaviest(sections, weight, excess)
            if not heavy:
                break
            sections = [replace(it, exhibits=[_lighter(e, heavy, lighten) for e in it.exhibits]) for it in sections]
            page = render(sections)
    return page


def _heaviest(sections: Sequence[Section], weight: Callable[[Exhibit], int], excess: int) -> set[str]:
    """Return the names of the exhibits to lighten, the heaviest first, until they make up for the excess."""
    chosen: set[str] = set()
    for exhibit in sorted((e for it in sections for e in it.exhibits if weight(e)), key=weight, reverse=True):
        if excess < 0:
            break
        chosen.add(exhibit.name)
        excess -= weight(exhibit)
    return chosen


def _lighter(exhibit: Exhibit, heavy: set[str], lighten: Callable[[Exhibit], Exhibit]) -> Exhibit:
    return lighten(exhibit) if exhibit.name in heavy else exhibit


def _bytes_of_drawing(exhibit: Exhibit) -> int:
    return len(exhibit.svg.encode())


def _without_drawing(exhibit: Exhibit) -> Exhibit:
    told = "the drawing is left out to keep the page small; its numbers stand here"
    return replace(exhibit, svg="", warnings=[*exhibit.warnings, told])


def _bytes_of_table(exhibit: Exhibit) -> int:
    return sum(sum(_lengths(table)) for table in (exhibit.data, exhibit.shown) if table and len(table.rows) > _ROWS)


def _lengths(table: Table) -> Iterator[int]:
    return (len(cell.encode()) + _CELL for row in table.rows[_ROWS:] for cell in row)


def _shortened(exhibit: Exhibit) -> Exhibit:
    told = f"only the first {_ROWS} rows of the table are shown, to keep the page small; the results file holds all"
    shown = exhibit.shown and replace(exhibit.shown, rows=exhibit.shown.rows[:_ROWS])
    data = replace(exhibit.data, rows=exhibit.data.rows[:_ROWS])
    return replace(exhibit, data=data, shown=shown, warnings=[*exhibit.warnings, told])
