"""What is installed already under the names of a new package. Nothing of it is imported."""

from __future__ import annotations

import importlib.util
import sys

from optreg.discovery.distributions import installed_versions, normalise
from optreg.discovery.entries import Entry
from optreg.errors import InvalidName, NameTaken
from optreg.registry import Registry
from optreg.scaffold.project import Project


def conflicts(project: Project, registry: Registry) -> tuple[str, ...]:
    """Return sentences about names that others use too and that will have to be told apart.

    Raises:
        NameTaken: A built-in optimizer answers to the name, so that the short name would never lead to the new one.
        InvalidName: The package would hide, or be hidden by, a module that is installed.
    """
    _require_own_module(project)
    others = [entry for entry in _answering(project, registry) if not _is_own(entry, project)]
    for entry in others:
        if entry.built_in:
            raise NameTaken(
                f"{project.registered_name!r} belongs to the built-in {entry.qualified_name}, which keeps its names: "
                f"users would have to ask for '{normalise(project.distribution_name)}/{project.registered_name}'. "
                "Choose another name"
            )
    return tuple(
        f"{project.registered_name!r} is offered by {entry.origin} too. Where both are installed, users ask for "
        f"'{normalise(project.distribution_name)}/{project.registered_name}' or pin one"
        for entry in others
    )


def _answering(project: Project, registry: Registry) -> list[Entry]:
    name, index = project.registered_name, registry.index
    return [*index.named("optimizer", name), *index.aliased("optimizer", name), *index.formerly("optimizer", name)]


def _is_own(entry: Entry, project: Project) -> bool:
    return entry.distribution == normalise(project.distribution_name)


def _require_own_module(project: Project) -> None:
    """Refuse a package that Python finds already, unless it belongs to the distribution itself, written anew."""
    package, distribution = project.package_name, project.distribution_name
    if package in sys.stdlib_module_names:
        raise InvalidName(f"{package!r} is a module of Python itself. Give another package name")
    if normalise(distribution) in installed_versions(sys.path, [distribution]):
        return
    if importlib.util.find_spec(package) is not None:
        raise InvalidName(f"A module {package!r} is installed already, and one would hide the other. Give another name")
