"""``optreg bench compare``: what changed between results files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optreg_cli import rendering
from optreg_cli.bench import baselines, codes

if TYPE_CHECKING:
    from optreg.bench import Results
    from optreg.bench.comparison import Comparison, Row, Verdict

Files = Annotated[
    list[str], typer.Argument(help="The old results first, then one or more new ones: files or names of baselines.")
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(help="What counts as worse, such as 'step_time:median>5%' (default) or 'state_bytes>0'. Repeatable."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 4 where the samples are too noisy to decide.")]
Markdown = Annotated[str | None, typer.Option("--md", metavar="FILE", help="Write a Markdown table; - for stdout.")]
Junit = Annotated[
    str | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML for continuous integration.")
]
Csv = Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write the table as CSV; - for stdout.")]
Everything = Annotated[bool, typer.Option("--all", help="Show also what did not change.")]

_COLUMNS = ("entry", "metric", "old", "new", "new / old", "95 % interval", "p", "verdict")


def compare(  # noqa: PLR0913 - one argument for each option of the command
    files: Files,
    *,
    fail_on: FailOn = None,
    strict: Strict = False,
    md: Markdown = None,
    junit: Junit = None,
    csv: Csv = None,
    all_rows: Everything = False,
) -> None:
    """Compare results files: B with A, and C with A.

    A difference counts when the Mann-Whitney test, corrected over all entries, the bootstrap interval of the ratio and
    the threshold agree.
    """
    if len(files) < 2:  # noqa: PLR2004 - one has nothing beside it
        raise typer.BadParameter("give at least two results files: the old one, then the new ones")
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    old, *others = [baselines.load(name) for name in files]
    verdicts: list[Verdict] = []
    for name, new in zip(files[1:], others, strict=True):
        verdicts += confront(old, new, fail_on, title=f"{name} compared with {files[0]}", all_rows=all_rows)
    write_reports(verdicts, md=md, junit=junit, csv=csv)
    raise typer.Exit(code_of(verdicts, strict=strict))


def confront(
    old: Results, new: Results, gates: Sequence[str] | None, *, title: str, all_rows: bool = False
) -> list[Verdict]:
    """Show what changed, and return what the gates say."""
    from optreg.bench.comparison import DEFAULT_GATES, compare_results, judge, parse_gate

    parsed = [parse_gate(text) for text in gates or DEFAULT_GATES]
    _show(compare_results(old, new), title, all_rows=all_rows)
    verdicts = judge(old, new, parsed)
    for verdict in verdicts:
        if verdict.failed:
            rendering.paragraph(f"FAILED {verdict.gate.text}: {verdict.row.label}: {_growth(verdict)}")
    if not any(verdict.failed for verdict in verdicts):
        unclear = sum(verdict.unclear for verdict in verdicts)
        rest = f"; {unclear} too noisy to decide" if unclear else ""
        rendering.paragraph(f"{len(verdicts)} comparisons pass {', '.join(it.text for it in parsed)}{rest}.")
    return verdicts


def code_of(verdicts: Sequence[Verdict], *, strict: bool) -> int:
    """Return the exit code that the verdicts come to."""
    if any(verdict.failed for verdict in verdicts):
        return codes.REGRESSION
    return codes.TOO_NOISY if strict and any(verdict.unclear for verdict in verdicts) else codes.FINE


def write_reports(verdicts: Sequence[Verdict], *, md: str | None, junit: str | None, csv: str | None) -> None:
    """Write the verdicts in the forms that were asked for."""
    from optreg_cli.bench import reports

    rows = [_cells(verdict.row) for verdict in verdicts]
    if md is not None:
        reports.write(md, reports.markdown(_COLUMNS, rows))
    if csv is not None:
        reports.write(csv, reports.csv_text(_COLUMNS, rows))
    if junit is not None:
        cases = [reports.Case(it.gate.text, it.row.label, _growth(it) if it.failed else "") for it in verdicts]
        reports.write(junit, reports.junit(cases))


def _show(comparison: Comparison, title: str, *, all_rows: bool) -> None:
    rendering.heading(title)
    for warning in comparison.warnings:
        rendering.paragraph(f"not alike: {warning}")
    rows = [row for row in comparison.rows if all_rows or row.worse or row.better or row.unclear]
    if rows:
        rendering.table(_COLUMNS, [_cells(row) for row in sorted(rows, key=lambda row: -row.ratio)])
    same = len(comparison.rows) - len(rows)
    rendering.paragraph(f"{same} of {len(comparison.rows)} comparisons show no change beyond chance and threshold.")
    for words, labels in (("only in the old", comparison.only_old), ("only in the new", comparison.only_new)):
        if labels:
            rendering.paragraph(f"{words} results: {', '.join(labels)}")


def _cells(row: Row) -> tuple[str, ...]:
    change: Any = row.change
    interval = "" if change is None else f"{change.interval.low:.3f} .. {change.interval.high:.3f}"
    chance = "" if change is None else f"{change.chance:.2g}"
    verdict = "worse" if row.worse else "better" if row.better else "~ unclear" if row.unclear else "~"
    return (row.label, row.metric, f"{row.old:.4g}", f"{row.new:.4g}", f"{row.ratio:.3f}", interval, chance, verdict)


def _growth(verdict: Verdict) -> str:
    if verdict.gate.relative:
        return f"{verdict.row.metric} {verdict.gate.statistic} grew by {verdict.growth:.1%}"
    return f"{verdict.row.metric} {verdict.gate.statistic} grew by {verdict.growth:g}"
