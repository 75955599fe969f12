"""Writing a new package: the templates filled in, and nothing overwritten that was not offered for it."""

from __future__ import annotations

import datetime
import importlib.metadata
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from string import Template

from optreg.cards import API_VERSION
from optreg.errors import InvalidProject
from optreg.registry import Registry, default_registry
from optreg.scaffold.conflicts import conflicts
from optreg.scaffold.project import Project

_TEMPLATES = {
    "pyproject.toml": "templates/pyproject.toml.txt",
    "README.md": "templates/README.md.txt",
    "LICENSE": "licenses/$license.txt",
    ".gitignore": "templates/gitignore.txt",
    ".github/workflows/tests.yml": "templates/workflow.yml.txt",
    "src/$package/__init__.py": "templates/init.py.txt",
    "src/$package/optimizer.py": "templates/$style.py.txt",
    "src/$package/reference.py": "templates/reference.py.txt",
    "src/$package/py.typed": "",
    "tests/conftest.py": "templates/conftest.py.txt",
    "tests/test_optimizer.py": "templates/test_optimizer.py.txt",
}
"""File of the new package to the template that it is made from; both may name fields of the project."""

_SHOWN = 3  # files named in an error


@dataclass(frozen=True)
class Package:
    """A package that was written.

    Args:
        project: What it was made from.
        folder: Where it is.
        files: Its files, relative to the folder.
        notes: Sentences that the author should know, such as who else uses the name.
    """

    project: Project
    folder: Path
    files: tuple[PurePosixPath, ...]
    notes: tuple[str, ...]

    @property
    def next_steps(self) -> tuple[str, ...]:
        """Commands that install, validate and test it."""
        return (
            f"cd {shlex.quote(str(self.folder))}",
            'python -m pip install -e ".[test]"',
            f"optreg validate {self.project.registered_name}",
            "python -m pytest",
        )


def create(project: Project, *, overwrite: bool = False, registry: Registry | None = None) -> Package:
    """Write the package and return what was written. Everything is checked before the first file is touched.

    Args:
        project: What to write.
        overwrite: Whether files of the package that exist are replaced; other files in the folder always stay.
        registry: Where names in use are looked up; that of the process by default.

    Raises:
        NameTaken, InvalidName: As for ``conflicts``.
        InvalidProject: A file would be overwritten, or the folder cannot be written to.
    """
    notes = conflicts(project, registry or default_registry())
    texts = rendered(project)
    if not overwrite:
        _require_room(project.root, texts)
    try:
        for path, text in texts.items():
            target = project.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InvalidProject(f"{project.root} cannot be written: {error}. Choose another folder") from error
    return Package(project, project.root, tuple(texts), notes)


def rendered(project: Project) -> dict[PurePosixPath, str]:
    """Return path to text of every file of the package."""
    fields = _fields(project)
    home = files("optreg.scaffold")
    return {
        PurePosixPath(_filled(path, fields)): _filled(
            (home / _filled(template, fields)).read_text(encoding="utf-8") if template else "", fields
        )
        for path, template in _TEMPLATES.items()
    }


def _fields(project: Project) -> dict[str, str]:
    return {
        "api": str(API_VERSION),
        "author_table": project.author_table,
        "class_name": project.class_name,
        "distribution": project.distribution_name,
        "holder": project.holder,
        "license": project.license_name,
        "name": project.registered_name,
        "optreg_version": importlib.metadata.version("optreg"),
        "package": project.package_name,
        "style": project.style,
        "year": str(datetime.datetime.now(tz=datetime.timezone.utc).year),
    }


def _filled(text: str, fields: Mapping[str, str]) -> str:
    return Template(text).substitute(fields)


def _require_room(folder: Path, texts: Mapping[PurePosixPath, str]) -> None:
    present = [str(path) for path in texts if (folder / path).exists()]
    if present:
        shown = ", ".join(present[:_SHOWN]) + (f" and {len(present) - _SHOWN} more" if len(present) > _SHOWN else "")
        raise InvalidProject(f"{folder} holds {shown} already. Choose another folder, or allow to overwrite (--force)")
