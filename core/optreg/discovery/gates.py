"""What a plugin requires of its surroundings, compared with the metadata of what is installed. Nothing is imported.

``packaging`` comes with TensorFlow. Importing it takes a noticeable part of a listing, so it is done when a plugin
states a requirement.
"""

from __future__ import annotations

import functools
import importlib.util
import platform
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from optreg.cards.card import API_VERSION, OLDEST_API
from optreg.discovery.distributions import Distribution, installed_versions, normalise
from optreg.discovery.entries import BUILT_IN, READY, State, Verdict

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from optreg.cards.digest import Digest

TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-intel", "tensorflow-gpu", "tf-nightly")
"""Distributions that bring the module ``tensorflow``; one stands for another in a requirement."""

_KERAS = ("keras", "keras-nightly")
_TF_KERAS = ("tf-keras", "tf-keras-nightly")
_SUPPORTED = (BUILT_IN, *TENSORFLOW)
"""A wrong version of these makes a plugin incompatible; of others, pip has told the user, and it may work."""


class Surroundings:
    """Versions of the distributions on a path, read when first asked for.

    Args:
        path: Folders that imports come from.
    """

    def __init__(self, path: Sequence[str]) -> None:
        self._path = path

    @cached_property
    def versions(self) -> dict[str, str]:
        """Normalised name of every distribution, to its version."""
        return installed_versions(self._path)

    def find(self, name: str) -> tuple[str, str] | None:
        """Return (distribution, version) of what fills the place of a distribution, or None."""
        families = (TENSORFLOW, _KERAS, _TF_KERAS)
        family = next((family for family in families if name in family), (name,))
        found = next((other for other in (name, *family) if other in self.versions), None)
        return (found, self.versions[found]) if found else None


class Gates:
    """The gates before the import of one distribution's entries: API, TensorFlow, requirements, in this order.

    Args:
        distribution: With what its metadata requires.
        surroundings: What is installed beside it.
    """

    def __init__(self, distribution: Distribution, surroundings: Surroundings) -> None:
        self._distribution = distribution
        self._surroundings = surroundings
        self._answers: dict[tuple[bool, int, str, tuple[str, ...]], Verdict] = {}

    def verdict(self, digest: Digest) -> Verdict:
        """Return why an entry may not be imported, or that it is ready."""
        # The entries of one distribution mostly ask for the same.
        asked = (digest.declared, digest.api, digest.tensorflow, digest.requires)
        if asked not in self._answers:
            verdicts = (found for _, found in self.passed(digest))
            self._answers[asked] = next((found for found in verdicts if found.state is not State.READY), READY)
        return self._answers[asked]

    def passed(self, digest: Digest) -> Iterator[tuple[str, Verdict]]:
        """Yield each gate with what it says of an entry, in their order."""
        yield f"plugin API {digest.api or 'not said'}", self._api(digest)
        yield f"TensorFlow {digest.tensorflow or 'of any version'}", self._tensorflow(digest.tensorflow)
        yield f"requirements: {', '.join(self._distribution.requires) or 'none'}", self._of_distribution
        for text in digest.requires:
            yield f"requirement of the card: {text}", self._requirement(text, f"its card requires {text!r}")

    def _api(self, digest: Digest) -> Verdict:
        if digest.declared and digest.api > API_VERSION:
            reason = f"written for plugin API {digest.api}; this optreg offers {API_VERSION}"
            return Verdict(State.INCOMPATIBLE, reason, "pip install --upgrade optreg")
        if digest.declared and digest.api < OLDEST_API:
            reason = f"written for plugin API {digest.api}; this optreg still supports {OLDEST_API} to {API_VERSION}"
            return Verdict(State.INCOMPATIBLE, reason, f"pip install --upgrade {self._distribution.name}")
        return READY

    def _tensorflow(self, wanted: str) -> Verdict:
        if not wanted:
            return READY
        if not is_range(wanted):
            reason = f"card field 'tensorflow' must be a range such as '>=2.16,<3', received {wanted!r}"
            return Verdict(State.BROKEN, reason, f"report it to the authors of {self._distribution.name}")
        found = self._surroundings.find(TENSORFLOW[0])
        if found is None:
            reason = f"it needs TensorFlow {wanted}, which is not installed"
            return Verdict(State.MISSING_DEPENDENCY, reason, _install(f"tensorflow{wanted}"))
        if not contains(wanted, found[1]):
            reason = f"it works with TensorFlow {wanted}; installed is {found[0]} {found[1]}"
            step = f"{_install(f'{found[0]}{wanted}')}, or look for another version of {self._distribution.name}"
            return Verdict(State.INCOMPATIBLE, reason, step)
        return READY

    @cached_property
    def _of_distribution(self) -> Verdict:
        """What the metadata requires; the same for all entries of the distribution."""
        verdicts = (self._requirement(text, "its metadata says so") for text in self._distribution.requires)
        wrong = next((verdict for verdict in verdicts if verdict.state is not State.READY), READY)
        return self._python() if wrong is READY else wrong

    def _python(self) -> Verdict:
        wanted = self._distribution.requires_python
        if not wanted:
            return READY
        here = platform.python_version()
        if not is_range(wanted) or contains(wanted, here):  # what is no range is its author's slip; pip has told
            return READY
        reason = f"it works with Python {wanted}; this is {here}"
        return Verdict(State.INCOMPATIBLE, reason, "use it with another Python")

    def _requirement(self, text: str, whose: str) -> Verdict:
        requirement = _parsed(text)
        if requirement is None or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            return READY
        name = normalise(requirement.name)
        wanted = f"{name}{requirement.specifier}"
        found = self._surroundings.find(name)
        if found is None:
            if name == BUILT_IN or _importable(name):
                return READY
            return Verdict(State.MISSING_DEPENDENCY, f"it needs the package {name!r} ({whose})", _install(wanted))
        if name in _SUPPORTED and not contains(str(requirement.specifier), found[1]):
            reason = f"it requires {wanted}; installed is {found[0]} {found[1]}"
            return Verdict(State.INCOMPATIBLE, reason, _install(wanted.replace(name, found[0], 1)))
        return READY


@functools.cache
def _parsed(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - see the head of this file

    try:
        return Requirement(text)
    except InvalidRequirement:  # pip has told whoever installed it
        return None


@functools.cache
def is_range(text: str) -> bool:
    """Whether a text is a range of versions, such as ``>=2.16,<3``."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - see the head of this file

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


@functools.cache
def contains(range_: str, version: str) -> bool:
    """Whether a version lies in a range; one that cannot be compared keeps nobody out."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - see the head of this file
    from packaging.version import InvalidVersion  # noqa: PLC0415 - see the head of this file

    try:
        return SpecifierSet(range_).contains(version, prereleases=True)
    except InvalidVersion:
        return True


def _importable(name: str) -> bool:
    """Whether the module is there although no metadata says so, as where another tool than pip has put it."""
    try:
        return importlib.util.find_spec(name.replace("-", "_")) is not None
    except (Exception, SystemExit):  # foreign import finders may raise anything
        return False


def _install(requirement: str) -> str:
    quoted = f'"{requirement}"' if set(requirement) & set("<>!~=") else requirement
    return f"pip install {quoted}, then optreg.refresh()"
