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
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SECTION = re.compile(r"\[\s*(.+?)\s*\]")


class EntryPoint(NamedTuple):
    """One line of an ``entry_points.txt``, as written; ``value`` is empty where the line has no ``=``."""

    group: str
    name: str
    value: str


class Distribution(NamedTuple):
    """An installed distribution, with its entry points in the groups asked for.

    Args:
        name: Normalised.
        version: Empty where the metadata does not say.
        entry_points: As written.
        requires: What it requires, as pip writes it; left out where it has no entry points.
        requires_python: Range of Python versions; empty for any.
        place: The folder or archive on the path that holds its metadata.
        others: (version, place) of further copies, which the first one hides.
    """

    name: str
    version: str
    entry_points: tuple[EntryPoint, ...] = ()
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    place: str = ""
    others: tuple[tuple[str, str], ...] = ()


def normalise(name: str) -> str:
    """Return a distribution's name as package indexes compare it: lower case, ``-`` between words."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(path: Sequence[str], *, group_prefix: str) -> list[Distribution]:
    """Return the distributions with entry points in groups that begin with the prefix, sorted by name.

    A distribution that is on the path twice counts once, with the first one, as the import system would have it; in
    one folder, where an interrupted upgrade may leave two, the newer one counts.
    """
    copies: dict[str, list[Distribution]] = {}
    for found in _every_distribution(path, group_prefix):
        copies.setdefault(found.name, []).append(found)
    chosen = (items[0] if len(items) == 1 else _first(items) for items in copies.values())
    return sorted((found for found in chosen if found.entry_points), key=lambda found: found.name)


def _first(copies: list[Distribution]) -> Distribution:
    """Return the copy that counts, knowing the others."""
    beside = [copy for copy in copies if copy.place == copies[0].place]
    chosen = max(beside, key=lambda copy: version_key(copy.version))
    return chosen._replace(others=tuple((copy.version, copy.place) for copy in copies if copy is not chosen))


def version_key(version: str) -> tuple[bool, tuple[tuple[int, str], ...]]:
    """Return a key that sorts versions: numbers by value, and a release after its candidates."""
    parts = re.findall(r"\d+|[a-z]+", version.lower())
    final = not any(part in ("a", "b", "rc", "dev", "alpha", "beta") for part in parts)
    numbers = tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)
    return bool(version), (*numbers, (0, "") if final else (-2, ""))


def installed_versions(path: Sequence[str], names: Iterable[str] | None = None) -> dict[str, str]:
    """Return the version of each of the named distributions that is installed, or of all; no file is opened."""
    wanted = None if names is None else {normalise(name) for name in names}
    versions: dict[str, str] = {}
    for place in dict.fromkeys(path):
        here: dict[str, str] = {}
        for folder in _metadata_folders(place):
            name, version = _name_and_version(folder)
            if wanted is None or name in wanted:
                here[name] = max(here.get(name, ""), version, key=version_key) if name in here else version
        versions = here | versions
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
            yield _read_folder(folder, group_prefix)._replace(place=place)


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
    written = _header(metadata, "Name")
    return Distribution(
        normalise(written) if _NAME.fullmatch(written) else name,  # pip goes by the folder too
        _header(metadata, "Version") or version,
        tuple(parse_entry_points(text, group_prefix=group_prefix)),
        tuple(_headers(metadata, "Requires-Dist")),
        _header(metadata, "Requires-Python"),
    )


def _header(metadata: str, field: str) -> str:
    return next(iter(_headers(metadata, field)), "")


def _headers(metadata: str, field: str) -> list[str]:
    headers = metadata.partition("\n\n")[0]
    return [value.strip() for value in re.findall(rf"^{field}:[ \t]*(.*)$", headers, re.MULTILINE)]


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
        points = tuple(parse_entry_points(text, group_prefix=group_prefix))
        yield Distribution(name, found.version, points, tuple(found.requires or ()), place=place)
