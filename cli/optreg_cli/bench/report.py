"""``optreg bench report``: a results file as one page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

File = Annotated[Path, typer.Argument(metavar="RESULTS", help="What optreg bench --json wrote.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the page.")]
Baseline = Annotated[
    Path | None, typer.Option("--baseline", metavar="RESULTS", help="Older results: what became faster or slower?")
]


def report(results: File, *, output: Output = Path("report.html"), baseline: Baseline = None) -> None:
    r"""Write one HTML page that shows the results: tables and drawings, each with its data and its command.

    The page needs neither network nor JavaScript, is smaller than 2 MB, and suits light and dark screens and paper.
    Needs the extra optreg\[report].
    """
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    from optreg.bench.report import render

    document = _read(results, "RESULTS")
    older = None if baseline is None else _read(baseline, "--baseline")
    names = (results.name, baseline.name if baseline else "")
    page = render(document, baseline=older, files=names)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {output}: {error.strerror}", param_hint="--output") from error
    typer.echo(f"report: {output} ({len(page.encode()) / 1e6:.1f} MB)", err=True)


def _read(path: Path, hint: str) -> Any:
    from optreg.bench import document
    from optreg.bench.results.file import read_results

    try:
        return document(read_results(path))
    except OSError as error:
        raise typer.BadParameter(f"cannot read {path}: {error.strerror}", param_hint=hint) from error
