"""What results do not tell: where on a machine files lie, whose they are, and what the machines are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FOLDERS = re.compile(r"(?:^|(?<=[=,]))(?:~\w*|[A-Za-z]:)?[\\/](?:[^=,]*[\\/])?(?=[^\\/=,])")
_ADDRESS = "--ray-address"
_SOMEWHERE = "HOST:PORT"
_HERE = ("", "auto", "local")


def without_folders(text: str) -> str:
    """Return a word with each absolute path in it cut down to its last part; relative ones stay."""
    return _FOLDERS.sub("", text)


def without_host(address: str) -> str:
    """Return the address of a cluster without the name of its host."""
    return address if address in _HERE else _SOMEWHERE


def discreet_words(argv: Sequence[str]) -> list[str]:
    """Return a command line that names no folder outside the present one, and no host."""
    words = []
    for before, word in zip(["", *argv], argv, strict=False):
        option, equals, value = word.partition("=")
        if before == _ADDRESS:
            words.append(without_host(word))
        elif option == _ADDRESS and equals:
            words.append(f"{option}={without_host(value)}")
        else:
            words.append(without_folders(word))
    return words


def discreet_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a run, with paths and address as in ``discreet_words``."""
    layouts = {
        name: [without_folders(it) if isinstance(it, str) else it for it in options[name]]
        for name in ("layouts", "replicated_layouts")
    }
    return {**options, **layouts, "address": without_host(options["address"])}


def without_home(text: str) -> str:
    """Return the text with the user's own folder as ``~``: errors of others may quote paths."""
    home = str(Path.home())
    return text if home == Path(home).anchor else re.sub(rf"{re.escape(home)}(?=[\\/]|$)", "~", text)
