"""``optreg new``: a plugin package to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from optreg_cli import rendering

if TYPE_CHECKING:
    from optreg.scaffold import Package

Name = Annotated[str, typer.Argument(help="Name of the optimizer, such as heavy-ball.")]
Style = Annotated[str, typer.Option(help="rule: one function for the mathematics; class: the methods of Keras 2.9.")]
Folder = Annotated[str | None, typer.Option(help="Where to write it. [default: ./ and the distribution]")]
Distribution = Annotated[str, typer.Option(help="What pip installs. [default: optreg- and the name]")]
PackageName = Annotated[str, typer.Option(help="What Python imports. [default: the distribution, with _]")]
Author = Annotated[str, typer.Option(help="Such as 'Ada Lovelace <ada@example.org>'.")]
License = Annotated[str, typer.Option(help="MIT, BSD-3-Clause or Apache-2.0.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the files of the package that exist; others stay.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON (schema optreg.new/1) instead of text.")]


def new(  # noqa: PLR0913 - one argument for each option of the command
    name: Name,
    *,
    style: Style = "rule",
    folder: Folder = None,
    distribution: Distribution = "",
    package: PackageName = "",
    author: Author = "",
    license: License = "MIT",  # noqa: A002 - the option is called so
    force: Force = False,
    json: Json = False,
) -> None:
    """Write a plugin package: an optimizer to start from, its tests, README and CI file.

    It installs and passes optreg validate as it is; then you put your rule in place of its rule.
    """
    from pathlib import Path

    from optreg.scaffold import Project, create

    project = Project(
        name,
        style=style,
        distribution=distribution,
        package=package,
        author=author,
        license=license,
        folder=Path(folder) if folder else None,
    )
    made = create(project, overwrite=force)
    if json:
        _write(made)
    else:
        _show(made)
    for note in made.notes:
        typer.echo(rendering.one_line(f"optreg: note: {note}"), err=True)


def _show(made: Package) -> None:
    project = made.project
    typer.secho(rendering.one_line(f"{made.folder}: the optimizer {project.registered_name!r}"), bold=True)
    rendering.lines(map(str, made.files))
    rendering.heading("Next")
    rendering.lines(made.next_steps)
    typer.echo()
    rendering.paragraph(
        f"Then write your rule in src/{project.package_name}/optimizer.py, and once more in NumPy in reference.py "
        "beside it; the tests compare the two.",
        indent="",
    )


def _write(made: Package) -> None:
    project = made.project
    document = {
        "folder": str(made.folder),
        "name": project.registered_name,
        "class": project.class_name,
        "distribution": project.distribution_name,
        "package": project.package_name,
        "files": [str(path) for path in made.files],
        "notes": made.notes,
        "next_steps": made.next_steps,
    }
    rendering.write_json("optreg.new/1", document)
