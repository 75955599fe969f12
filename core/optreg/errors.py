"""The errors optreg raises, one tree under ``OptregError``.

Every error also derives from the built-in that Keras 2.9 raised in the same place,
so that ``except ValueError`` in old code keeps working.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

_LONGEST = 500  # characters


class OptregError(Exception):
    """Root of every error that optreg raises on purpose."""

    # AutoGraph raises an error anew with the user's lines added, but keeps its type only if this is the constructor.
    if not TYPE_CHECKING:  # a type checker would take every error for Any
        __init__ = Exception.__init__


class UnknownOptimizer(OptregError, LookupError, ValueError):
    """No installed distribution offers the name that was asked for."""


class AmbiguousOptimizer(OptregError, LookupError):
    """Several distributions offer the short name; the qualified names tell them apart."""


class UnusableOptimizer(OptregError, RuntimeError):
    """The name is known, but its plugin is broken, disabled, incompatible or incomplete."""


class PolicyViolation(OptregError, RuntimeError):
    """What is installed does not meet the user's demands: strict mode, or required plugins."""


class DeprecatedName(FutureWarning):
    """An old name was used; the message says what replaces it and when it goes."""


class NameTaken(OptregError, ValueError):
    """The name that should be registered belongs to something else."""


class InvalidName(OptregError, ValueError):
    """The word cannot be a registered name."""


class InvalidProject(OptregError, ValueError):
    """A new plugin package cannot be written as asked."""


class NotAnOptimizer(OptregError, ValueError):
    """Something that is not an optimizer of optreg was given as one."""


class InvalidFilter(OptregError, ValueError):
    """A listing is asked for by a word that means nothing, or a plugin setting cannot be read."""


class UnknownHyperparameter(OptregError, TypeError):
    """The optimizer has no hyperparameter of that name."""


class InvalidHyperparameter(OptregError, ValueError):
    """The value lies outside the range that the optimizer declares."""


class HyperparameterTypeError(OptregError, TypeError):
    """The value is not of a kind that the hyperparameter takes."""


class InvalidConfig(OptregError, ValueError):
    """The configuration cannot be turned into an optimizer, or an optimizer into one."""


class IncompleteOptimizer(OptregError, NotImplementedError):
    """The class lacks a method that the contract needs for what was asked."""


class InvalidGradients(OptregError, ValueError):
    """The gradients, variables or their pairing cannot be applied."""


class InvalidVariable(OptregError, TypeError):
    """Something that is not a trainable floating-point variable was given as one."""


class UnknownSlot(OptregError, KeyError):
    """The optimizer holds no such slot for the variable."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would quote a whole sentence.
        return str(self.args[0]) if self.args else ""


class InvalidState(OptregError, ValueError):
    """The weights given do not fit the state of the optimizer."""


class InvalidHook(OptregError, TypeError):
    """A transformer, aggregator or plugin does not keep to its specification."""


class WrongContext(OptregError, RuntimeError):
    """The call is not possible in the present ``tf.distribute`` or graph context."""


class MissingExtra(OptregError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


def suggestion(word: str, candidates: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest candidate, or an empty string."""
    import difflib  # noqa: PLC0415 - only errors need it, and `import optreg` stays light

    known = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f" Did you mean {known[near[0]]!r}?" if near else ""


def printable(text: str) -> str:
    """Return text of a plugin with control characters and line breaks as spaces, so that it cannot drive a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def shortened(text: str) -> str:
    """Return text of a plugin, cut off after 500 characters: one plugin must not fill the listings of all."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"


def listing(names: Iterable[str]) -> str:
    """Return the names sorted and separated by commas, or ``none``."""
    return ", ".join(sorted(names)) or "none"
