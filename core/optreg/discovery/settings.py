"""The user's configuration file: which plugins may be used, whose names win, and names of the user's own.

::

    [plugins]
    allow = lynx-pack, other-*
    disable = slow-pack
    require = lynx-pack>=1.2
    strict = yes

    [pins]
    adam = other-optimizers

    [aliases]
    my_favourite = lynx-pack/lynx

The syntax is that of INI files, one setting a line; the reader knows the line of each, so that errors can name it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from optreg.errors import InvalidFilter, listing, suggestion

CONFIG = "OPTREG_CONFIG"
"""Environment variable: the file to read; empty for none."""

_SECTIONS: dict[str, tuple[str, ...]] = {
    "plugins": ("allow", "disable", "require", "strict"),
    "pins": (),
    "aliases": (),
}
_HEADING = re.compile(r"\[\s*([^\]]*?)\s*\]")


class Setting(NamedTuple):
    """One line of the file: what it says, and where it stands."""

    value: str
    path: str
    line: int

    @property
    def place(self) -> str:
        """Where it stands, as told in errors."""
        return f"{self.path}, line {self.line}"


Settings = Mapping[tuple[str, str], Setting]
"""(section, key) to setting; keys are lower case, as written otherwise."""


def settings_path(environment: Mapping[str, str] | None = None) -> str:
    """Return the file that settings are read from, whether it exists or not; empty for none."""
    values = os.environ if environment is None else environment
    if CONFIG in values:
        return values[CONFIG].strip()
    home = os.path.expanduser("~")
    if home == "~":
        return ""
    if sys.platform == "win32":
        base = values.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = values.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(base, "optreg", "config.ini")


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return what the configuration file says; nothing where there is none.

    Raises:
        InvalidFilter: The file named by ``OPTREG_CONFIG`` cannot be read, or a line means nothing.
    """
    path = settings_path(environment)
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        values = os.environ if environment is None else environment
        if CONFIG in values or not isinstance(error, FileNotFoundError | NotADirectoryError):
            step = f"correct {CONFIG}" if CONFIG in values else "make it readable, or set OPTREG_CONFIG= to go without"
            raise InvalidFilter(f"The settings in {path} cannot be read ({error.strerror}); {step}") from error
        return {}
    return parse_settings(_decoded(content, path), path)


def parse_settings(text: str, path: str) -> Settings:
    """Read the text of a configuration file.

    Raises:
        InvalidFilter: A line means nothing; the message names file and line.
    """
    section, found = "", dict[tuple[str, str], Setting]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        heading = _HEADING.fullmatch(line)
        if heading:
            section = _known(heading[1].lower(), _SECTIONS, "section", f"{path}, line {number}")
            continue
        key, equals, value = line.partition("=")
        setting = Setting(value.strip(), path, number)
        if not (equals and key.strip() and section):
            wanted = "key = value" if section else "a section such as [plugins] first"
            raise InvalidFilter(f"{setting.place}: {line!r} is not understood; expected {wanted}")
        key = key.strip().lower()
        key = _known(key, _SECTIONS[section], "setting", setting.place) if _SECTIONS[section] else key
        if (section, key) in found:
            before = found[section, key].line
            raise InvalidFilter(f"{setting.place}: {key!r} is given already in line {before}; take one of them out")
        found[section, key] = setting
    return found


def _known(word: str, allowed: Mapping[str, object] | tuple[str, ...], what: str, place: str) -> str:
    if word not in allowed:
        hint = suggestion(word, allowed)
        raise InvalidFilter(f"{place}: there is no {what} {word!r}.{hint} Allowed: {listing(allowed)}")
    return word


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidFilter(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from error
