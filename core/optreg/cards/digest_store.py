"""Digests kept on disk, because parsing the sources of a hundred plugins takes seconds.

One file for each top-level package, in the user's cache folder: a checksum, then JSON. What does not fit (another
reader, a changed source, a damaged file) is read anew from the source text; a folder that cannot be written is passed
over. Nothing in the files is ever executed.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optreg.cards.digest import NO_CARD, Digest
from optreg.cards.source_files import SourceFile, find_top_level, locate, names_in_folder

FOLDER = "OPTREG_CACHE"
"""Environment variable: the folder to keep digests in; ``off`` or empty to keep none."""

_KEPT_FOR = 90 * 24 * 3600.0  # seconds
_OURS = re.compile(r".+-[0-9a-f]{8}\.json|optreg-.+\.tmp")  # the user may have named a folder that holds more

_READERS = ("card.py", "digest.py", "digesting.py", "docstrings.py", "literals.py", "reader.py", "rule_options.py")


_WITHOUT_CARD = Digest(note=NO_CARD)


class _Kept(NamedTuple):
    """What is kept of one source file: the (mtime in ns, size) it had, and each name with the fields of its digest."""

    stamp: tuple[int, int]
    names: Mapping[str, Sequence[Any]]


class DigestStore:
    """The digests of one scan. Remembers where packages are, so make a new one when something was installed.

    Args:
        folder: Where to keep digests; None to keep none.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._find = functools.cache(find_top_level)
        self._names_in_folder = functools.cache(names_in_folder)
        self._sources: dict[str, SourceFile] = {}
        self._current: dict[str, Mapping[str, Sequence[Any]]] = {}
        self._shelves: dict[str, dict[str, _Kept]] = {}
        self._changed: set[str] = set()

    def locate(self, module: str) -> SourceFile:
        """Return the source file of a module; each module, top-level name and folder is looked at once."""
        if module not in self._sources:
            self._sources[module] = locate(module, self._find, self._names_in_folder)
        return self._sources[module]

    def look_up(self, file: str, module: str, name: str) -> Digest | None:
        """Return the digest of what a source file binds to a name, or None; from disk where the file is unchanged."""
        if file not in self._current:
            self._current[file] = self._names_in(file, module)
        fields = self._current[file].get(name)
        return None if fields is None else _digest(fields)

    def _names_in(self, file: str, module: str) -> Mapping[str, Sequence[Any]]:
        top, stamp = module.partition(".")[0], _stamp(file)
        shelf = self._shelf(top)
        if file not in shelf or shelf[file].stamp != stamp:
            from optreg.cards.digesting import digest_file  # noqa: PLC0415 - parsing is what this spares

            shelf[file] = _Kept(stamp, digest_file(Path(file), module))
            self._note_change(top)
        return shelf[file].names

    def save(self) -> None:
        """Write what is new, and remove what is old. Safe beside other processes: the last one wins, whole."""
        if self._folder is not None and self._changed:
            _remove_old(self._folder)
        while self._changed:
            top = self._changed.pop()
            kept = {path: item for path, item in self._shelves[top].items() if os.path.exists(path)}
            content = {
                path: [item.stamp, {name: _compact(fields) for name, fields in item.names.items()}]
                for path, item in kept.items()
            }
            _write(self._file(top), {"reader": fingerprint(), "files": content})

    def _shelf(self, top: str) -> dict[str, _Kept]:
        if top not in self._shelves:
            self._shelves[top] = {} if self._folder is None else _read(self._file(top))
        return self._shelves[top]

    def _note_change(self, top: str) -> None:
        if self._folder is not None:
            if not self._changed:
                atexit.register(self.save)
            self._changed.add(top)

    def _file(self, top: str) -> str:
        # The place is part of the name: environments side by side do not overwrite each other's.
        found = self._find(top)
        key = zlib.crc32(repr((found.origin, found.places, sys.version_info[:2])).encode("utf-8", "surrogatepass"))
        return os.path.join(self._folder or "", f"{top[:60]}-{key:08x}.json")


def cache_folder(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the folder to keep digests in: ``OPTREG_CACHE``, else the platform's place for caches; None for off."""
    values = os.environ if environment is None else environment
    if FOLDER in values:
        chosen = values[FOLDER].strip()
        return None if chosen.lower() in ("", "0", "off", "no") else chosen
    home = os.path.expanduser("~")
    if home == "~":
        return None
    if sys.platform == "win32":
        base = values.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = values.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "optreg", "cards")


@functools.cache
def fingerprint() -> str:
    """Return what identifies this reader: a digest made by another one is not believed."""
    here = os.path.dirname(__file__)
    return repr([_stamp(os.path.join(here, name)) for name in _READERS])


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _read(path: str) -> dict[str, _Kept]:
    try:
        with open(path, "rb") as file:
            checksum, _, text = file.read().partition(b"\n")
        if int(checksum, 16) != zlib.crc32(text):
            return {}
        content = json.loads(text)
        if content["reader"] != fingerprint():
            return {}
        return {file: _Kept((stamp[0], stamp[1]), names) for file, (stamp, names) in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return {}


def _digest(fields: Sequence[Any]) -> Digest:
    """Return the digest with these fields; JSON has made lists of its tuples."""
    if isinstance(fields, Digest):
        return fields
    return Digest.thawed(fields) if fields else _WITHOUT_CARD


def _compact(fields: Sequence[Any]) -> Sequence[Any]:
    """Return what is written for a digest: most names of a file are imports, of which there is nothing to say."""
    return () if fields == _WITHOUT_CARD else fields


def _remove_old(folder: str) -> None:
    """Remove the files of environments that are probably gone, and what a killed process left."""
    with contextlib.suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if _OURS.fullmatch(file.name) and time.time() - file.stat().st_mtime > _KEPT_FOR:
                os.unlink(file.path)


def _write(path: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, separators=(",", ":")).encode()
    folder = os.path.dirname(path)
    import tempfile  # noqa: PLC0415 - listings that write nothing do without it

    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix="optreg-", suffix=".tmp")
        try:
            with open(handle, "wb") as file:
                file.write(b"%08x\n" % zlib.crc32(text) + text)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError:  # a read-only home or a full disk: the next listing takes its time again
        return
