"""``optreg bench run --dry-run``: the plan, with what it will take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optreg_cli import rendering

if TYPE_CHECKING:
    from optreg.bench import Options


def show_plan(names: Sequence[str], options: Options) -> None:
    """Show each piece of work with its forecast, and what the budget leaves out."""
    from optreg.bench import outline

    plan = outline(names, options)
    rendering.heading(f"Would be measured, within {options.budget:g} s")
    rows = [(piece.label, f"{piece.least:.1f} s", f"{piece.likely:.1f} s", piece.note) for piece in plan.pieces]
    rendering.table(("what", "at least", "likely", ""), rows)
    rendering.paragraph(
        f"In all about {plan.seconds:.0f} s; the budget ends it after {min(plan.seconds, options.budget):.0f} s."
    )
    rendering.lines(plan.notes)
