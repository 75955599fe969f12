"""What a new package shall be called and hold, checked so that every word can stand in the templates as it is."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from optreg.discovery.entries import fold
from optreg.errors import InvalidName, InvalidProject, listing, suggestion

STYLES = ("rule", "class")
"""Ways to write an optimizer: one function (``UpdateRule``), or a class with the methods of Keras 2.9."""

LICENSES = ("MIT", "BSD-3-Clause", "Apache-2.0")
"""Licences by their SPDX names."""

_LONGEST = 40  # characters of a name; lines of the templates stay under the length that the linters allow
_LONGEST_DISTRIBUTION = 64  # and of a package, which also have a prefix
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*")
_AUTHOR = re.compile(r"(?P<name>[^<>]+?)(?:\s*<(?P<email>[^<>@\s]+@[^<>@\s]+)>)?")
_USED_BY_TEMPLATES = frozenset({"Any", "Card", "Optimizer", "Slot", "UpdateRule"})


@dataclass(frozen=True)
class Project:
    """A package to be written, with one optimizer.

    Args:
        name: Of the optimizer, such as ``"heavy-ball"``, ``"heavy_ball"`` or ``"HeavyBall"``.
        style: One of ``STYLES``.
        distribution: What pip installs; ``optreg-`` and the name by default.
        package: What Python imports; the distribution with ``_`` by default.
        author: ``"Ada Lovelace"`` or ``"Ada Lovelace <ada@example.org>"``.
        license: One of ``LICENSES``, in any case.
        folder: Where the package is written; a folder called as the distribution, below the current one, by default.

    Raises:
        InvalidName: A name has characters that it cannot have.
        InvalidProject: Another word is not one of those allowed.
    """

    name: str
    style: str = "rule"
    distribution: str = ""
    package: str = ""
    author: str = ""
    license: str = "MIT"
    folder: Path | None = None

    def __post_init__(self) -> None:
        _require_short_match(self.name, _NAME, "The name of an optimizer")
        _require_usable_class(self.name, self.class_name)
        if self.style not in STYLES:
            raise _unknown("style", self.style, STYLES)
        _require_short_match(self.distribution_name, _DISTRIBUTION, "The name of a distribution")
        _require_package_name(self.package_name)
        if not self.author.isprintable() or set(self.author) & set('"\\'):
            raise InvalidProject(
                f"An author is printable text without quotes and backslashes, received {self.author!r}"
            )
        if self._author is None:
            raise InvalidProject(f"An author has the form Name, or Name <name@host>, received {self.author!r}")
        if self.license_name not in LICENSES:
            raise _unknown("license", self.license, LICENSES)

    @property
    def registered_name(self) -> str:
        """The name that users ask for: lower case, ``_`` between words."""
        return fold(self.name)

    @property
    def class_name(self) -> str:
        """The words of the name joined, each with a capital letter: ``HeavyBall``; capitals given are kept."""
        return "".join(word[:1].upper() + word[1:] for word in re.split("[-_]", self.name))

    @property
    def distribution_name(self) -> str:
        """What pip installs."""
        return self.distribution or f"optreg-{self.registered_name.replace('_', '-')}"

    @property
    def package_name(self) -> str:
        """What Python imports."""
        return self.package or re.sub("[-.]", "_", self.distribution_name).lower()

    @property
    def license_name(self) -> str:
        """The licence as SPDX writes it."""
        return next((name for name in LICENSES if name.lower() == self.license.lower()), self.license)

    @property
    def root(self) -> Path:
        """Where the package is written."""
        return Path(self.distribution_name) if self.folder is None else self.folder

    @property
    def holder(self) -> str:
        """Who holds the copyright."""
        return self._author["name"] if self._author else ""

    @property
    def author_table(self) -> str:
        """The author as TOML."""
        email = self._author["email"] if self._author else None
        return f'{{ name = "{self.holder}", email = "{email}" }}' if email else f'{{ name = "{self.holder}" }}'

    @cached_property
    def _author(self) -> re.Match[str] | None:
        return _AUTHOR.fullmatch(self.author.strip() or f"The {self.distribution_name} authors")


def _require_short_match(word: str, allowed: re.Pattern[str], what: str) -> None:
    if not allowed.fullmatch(word):
        separators = "'-', '_' or '.'" if "." in allowed.pattern else "'-' or '_'"
        first = "" if allowed is _DISTRIBUTION else " starting with a letter,"
        raise InvalidName(
            f"{what} is letters a-z and digits,{first} with single {separators} between, received {word!r}"
        )
    _require_length(word, _LONGEST_DISTRIBUTION if allowed is _DISTRIBUTION else _LONGEST, what)


def _require_length(word: str, longest: int, what: str) -> None:
    if len(word) > longest:
        raise InvalidName(f"{what} has at most {longest} characters, received {len(word)}: {word!r}")


def _require_usable_class(name: str, class_name: str) -> None:
    if keyword.iskeyword(class_name) or hasattr(builtins, class_name) or class_name in _USED_BY_TEMPLATES:
        raise InvalidName(
            f"{name!r} would name the class {class_name}, which means something in Python or in optreg already. "
            f"Choose another name, such as '{name}-descent'"
        )


def _require_package_name(name: str) -> None:
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or name != name.lower():
        raise InvalidName(
            f"A package is imported by letters a-z, digits and '_', not starting with a digit and no word of Python's, "
            f"received {name!r}. Give another one as package"
        )
    _require_length(name, _LONGEST_DISTRIBUTION, "The name of a package")


def _unknown(what: str, word: str, allowed: tuple[str, ...]) -> InvalidProject:
    return InvalidProject(f"There is no {what} {word!r}.{suggestion(word, allowed)} Allowed: {listing(allowed)}")
