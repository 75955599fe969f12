"""Entry points of the installed distributions, read from the metadata folders on ``sys.path``.

``importlib.metadata`` would do, but importing it takes as long as the rest of ``optreg list`` together (it brings the
email, csv and zip packages), so it is called only for path entries that are not plain folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_METADATA_FOLDERS = (".dist-info", ".egg-info")
_SECTION = re.compile(r"\[\s*(.+?)\s*\]")


class EntryPoint(NamedTuple):
    """One line of an ``entry_points.txt``, as written; ``value`` is empty where the line has no ``=``."""

    group: str
    name: str
    value: str


class Distribution(NamedTuple):
    """An installed distribution: its normalised name, its version and its entry points in the groups asked for."""

    name: str
    version: str
    entry_points: tuple[EntryPoint, ...] = ()


def normalise(name: str) -> str:
    """Return a distribution's name as package indexes compare it: lower case, ``-`` between words."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(path: Sequence[str], *, group_prefix: str) -> list[Distribution]:
    """Return the distributions with entry points in groups that begin with the prefix, sorted by name.

    A distribution that is on the path twice counts once, with the first one, as the import system would have it.
    """
    first: dict[str, Distribution] = {}
    for found in _every_distribution(path, group_prefix):
        first.setdefault(found.name, found)
    return sorted((found for found in first.values() if found.entry_points), key=lambda found: found.name)


def installed_versions(path: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """Return the version of each of the named distributions that is installed; none of their files is opened."""
    wanted = {normalise(name) for name in names}
    versions: dict[str, str] = {}
    for place in path:
        for folder in _metadata_folders(place):
            name, version = _name_and_version(folder)
            if name in wanted:
                versions.setdefault(name, version)
    return versions


def parse_entry_points(text: str, *, group_prefix: str) -> list[EntryPoint]:
    """Read the lines of an ``entry_points.txt`` that stand in groups beginning with the prefix."""
    group, found = "", []
    for line in map(str.strip, text.splitlines()):
        section = _SECTION.fullmatch(line)
        if section:
            group = section[1]
        elif line and line[0] not in "#;" and group.startswith(group_prefix):
            name, _, value = line.partition("=")
            found.append(EntryPoint(group, name.strip(), value.strip()))
    return found


def _every_distribution(path: Sequence[str], group_prefix: str) -> Iterator[Distribution]:
    for place in dict.fromkeys(path):
        if place and Path(place).is_file():
            yield from _archived_distributions(place, group_prefix)
        for folder in _metadata_folders(place):
            yield _read_folder(folder, group_prefix)


def _metadata_folders(place: str) -> list[str]:
    # Text instead of Path objects: an environment holds hundreds of these folders, and every command looks at each.
    try:
        with os.scandir(place or ".") as items:
            return sorted(item.path for item in items if item.name.endswith(_METADATA_FOLDERS) and item.is_dir())
    except OSError:  # not there, not a folder, not readable: the import system passes over it too
        return []


def _name_and_version(folder: str) -> tuple[str, str]:
    name, _, rest = folder.rpartition(os.sep)[2].rpartition(".")[0].partition("-")
    return normalise(name), rest


def _read_folder(folder: str, group_prefix: str) -> Distribution:
    name, version = _name_and_version(folder)
    text = _text(f"{folder}/entry_points.txt")
    if group_prefix not in text:
        return Distribution(name, version)
    metadata = _text(f"{folder}/METADATA") or _text(f"{folder}/PKG-INFO")
    return Distribution(
        normalise(_header(metadata, "Name") or name),
        _header(metadata, "Version") or version,
        tuple(parse_entry_points(text, group_prefix=group_prefix)),
    )


def _header(metadata: str, field: str) -> str:
    headers = metadata.partition("\n\n")[0]
    match = re.search(rf"^{field}:[ \t]*(.*)$", headers, re.MULTILINE)
    return match[1].strip() if match else ""


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - see _metadata_folders
            return file.read().decode("utf-8", errors="replace").replace("\r\n", "\n")
    except OSError:
        return ""


def _archived_distributions(place: str, group_prefix: str) -> Iterator[Distribution]:
    """Yield what a zip file on the path holds."""
    import importlib.metadata  # noqa: PLC0415 - slow to import, see the head of this file

    for found in importlib.metadata.distributions(path=[place]):
        text = found.read_text("entry_points.txt") or ""
        name = normalise(found.metadata["Name"] or "")
        yield Distribution(name, found.version, tuple(parse_entry_points(text, group_prefix=group_prefix)))
