"""``optreg bench compare``: what changed between results files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from optreg_cli import rendering
from optreg_cli.bench import baselines, codes

if TYPE_CHECKING:
    from optreg.bench import Results
    from optreg.bench.comparison import Breakage, Comparison, Row, Verdict

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


class Findings(NamedTuple):
    """What the comparison of two results came to; ``named`` are those broken entries that a gate given is about."""

    verdicts: list[Verdict]
    broken: tuple[Breakage, ...]
    named: list[Breakage]


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
    the threshold agree. What finished in the old results and broke in the new ones gives exit code 3, or 1 where
    --fail-on names a metric of it.
    """
    if len(files) < 2:  # noqa: PLR2004 - one has nothing beside it
        raise typer.BadParameter("give at least two results files: the old one, then the new ones")
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    old, *others = [baselines.load(name) for name in files]
    findings = [
        confront(old, new, fail_on, title=f"{name} compared with {files[0]}", all_rows=all_rows)
        for name, new in zip(files[1:], others, strict=True)
    ]
    write_reports(findings, md=md, junit=junit, csv=csv)
    raise typer.Exit(code_of(findings, strict=strict))


def confront(
    old: Results, new: Results, gates: Sequence[str] | None, *, title: str, all_rows: bool = False
) -> Findings:
    """Show what changed, and return what the gates say."""
    from optreg.bench.comparison import DEFAULT_GATES, compare_results, judge, names, parse_gate

    parsed = [parse_gate(text) for text in gates or DEFAULT_GATES]
    found = compare_results(old, new)
    _show(found, title, all_rows=all_rows)
    for breakage in found.broken:
        rendering.paragraph(f"BROKEN {breakage}")
    verdicts = judge(old, new, parsed)
    for verdict in verdicts:
        if verdict.failed:
            rendering.paragraph(f"FAILED {verdict.gate.text}: {verdict.row.label}: {_growth(verdict)}")
    if not any(verdict.failed for verdict in verdicts):
        passed = sum(not verdict.unclear for verdict in verdicts)
        rendering.paragraph(f"{passed} comparisons pass {', '.join(it.text for it in parsed)}{_undecided(verdicts)}.")
    return Findings(verdicts, found.broken, [it for it in found.broken if gates and names(parsed, it)])


def _undecided(verdicts: Sequence[Verdict]) -> str:
    """Say how many comparisons are unclear, and where only more samples or seeds can decide."""
    unclear = [verdict for verdict in verdicts if verdict.unclear]
    few = [verdict.row for verdict in unclear if verdict.row.needed is not None]
    words = [f"{len(unclear) - len(few)} too noisy to decide"] if len(unclear) > len(few) else []
    for metric in dict.fromkeys(row.metric for row in few):
        rows = [row for row in few if row.metric == metric]
        enough = f"{rows[0].needed} {rows[0].kind_of_samples} in each file"
        words.append(f"{len(rows)} of {metric} cannot be decided with fewer than {enough}")
    return "".join(f"; {it}" for it in words)


def code_of(findings: Sequence[Findings], *, strict: bool) -> int:
    """Return the exit code: a gate that fails before an entry that broke, before noise."""
    verdicts = [verdict for it in findings for verdict in it.verdicts]
    if any(verdict.failed for verdict in verdicts) or any(it.named for it in findings):
        return codes.REGRESSION
    if any(it.broken for it in findings):
        return codes.ENTRY_FAILED
    return codes.TOO_NOISY if strict and any(verdict.unclear for verdict in verdicts) else codes.FINE


def write_reports(findings: Sequence[Findings], *, md: str | None, junit: str | None, csv: str | None) -> None:
    """Write the verdicts, and what broke, in the forms that were asked for."""
    from optreg_cli.bench import reports

    verdicts = [verdict for it in findings for verdict in it.verdicts]
    broken = [breakage for it in findings for breakage in it.broken]
    rows = [_cells(verdict.row) for verdict in verdicts]
    rows += [(it.label, "state", "finished", it.state, "", "", "", "BROKEN") for it in broken]
    if md is not None:
        reports.write(md, reports.markdown(_COLUMNS, rows))
    if csv is not None:
        reports.write(csv, reports.csv_text(_COLUMNS, rows))
    if junit is not None:
        cases = [reports.Case(it.gate.text, it.row.label, _growth(it) if it.failed else "") for it in verdicts]
        cases += [reports.Case("finishes", it.label, str(it)) for it in broken]
        reports.write(junit, reports.junit(cases))


def _show(comparison: Comparison, title: str, *, all_rows: bool) -> None:
    rendering.heading(title)
    for warning in comparison.warnings:
        rendering.paragraph(f"not alike: {warning}")
    rows = [row for row in comparison.rows if all_rows or row.worse or row.better or row.unclear]
    if rows:
        rendering.table(_COLUMNS, [_cells(row) for row in sorted(rows, key=lambda row: -row.ratio)])
    judged = [row for row in comparison.rows if row.verdict != "not judged"]
    same = sum(row.verdict == "same" for row in judged)
    rendering.paragraph(f"{same} of {len(judged)} comparisons show no change beyond chance and threshold.")
    for words, labels in (("only in the old", comparison.only_old), ("only in the new", comparison.only_new)):
        if labels:
            rendering.paragraph(f"{words} results: {', '.join(labels)}")


def _cells(row: Row) -> tuple[str, ...]:
    change: Any = row.change
    interval = "" if change is None else f"{change.interval.low:.3f} .. {change.interval.high:.3f}"
    chance = "" if change is None else f"{change.chance:.2g}"
    numbers = (f"{row.old:.4g}", f"{row.new:.4g}", f"{row.ratio:.3f}")
    return (row.label, row.metric, *numbers, interval, chance, _verdict(row))


def _verdict(row: Row) -> str:
    if row.needed is not None:
        return f"~ unclear: {row.fewest} of {row.needed} {row.kind_of_samples}"
    words = {"slower": "worse", "faster": "better", "unclear": "~ unclear", "same": "~", "not judged": "not judged"}
    return words[row.verdict]


def _growth(verdict: Verdict) -> str:
    if verdict.gate.relative:
        return f"{verdict.row.metric} {verdict.gate.statistic} grew by {verdict.growth:.1%}"
    return f"{verdict.row.metric} {verdict.gate.statistic} grew by {verdict.growth:g}"
