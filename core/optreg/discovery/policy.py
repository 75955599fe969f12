"""What the user decided about plugins: which may be used, and whose name wins.

Read from the environment; decided from metadata alone, before anything of a plugin is imported.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from optreg.discovery.distributions import normalise
from optreg.discovery.entries import BUILT_IN, SESSION, Entry, State, Verdict, fold
from optreg.errors import InvalidFilter

DISABLE = "OPTREG_DISABLE_PLUGINS"
ALLOW = "OPTREG_PLUGINS"
PINS = "OPTREG_PINS"


class Policy(NamedTuple):
    """Rules about the plugins of one registry. Built-ins are always allowed.

    Args:
        disabled: Distribution names, with wildcards, that must not be used.
        allowed: The only distributions that may be used; None for all of them.
        pins: Short name to the distribution that shall answer to it.
    """

    disabled: tuple[str, ...] = ()
    allowed: tuple[str, ...] | None = None
    pins: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Policy:
        """Read the three variables; an empty ``OPTREG_PLUGINS`` leaves only the built-ins.

        Raises:
            InvalidFilter: ``OPTREG_PINS`` is not of the form ``name=distribution,...``.
        """
        values = os.environ if environment is None else environment
        return cls(
            disabled=_words(values.get(DISABLE, "")),
            allowed=_words(values[ALLOW]) if ALLOW in values else None,
            pins=dict(_pin(word) for word in _words(values.get(PINS, ""))),
        )

    def with_pins(self, pins: Mapping[str, str]) -> Policy:
        """Return the policy with further pins, which win over those of the environment."""
        further = {fold(name): normalise(distribution) for name, distribution in pins.items()}
        return Policy(self.disabled, self.allowed, {**self.pins, **further})

    def verdict(self, distribution: str) -> Verdict:
        """Whether the distribution may be used: ready or disabled."""
        if distribution in (BUILT_IN, SESSION):
            return Verdict()
        if any(_fits(distribution, pattern) for pattern in self.disabled):
            return Verdict(State.DISABLED, f"disabled by {DISABLE}", f"take {distribution} out of {DISABLE}")
        if self.allowed is not None and not any(_fits(distribution, pattern) for pattern in self.allowed):
            return Verdict(State.DISABLED, f"not among the plugins in {ALLOW}", f"add {distribution} to {ALLOW}")
        return Verdict()

    def winner(self, name: str, rivals: list[Entry]) -> Entry | None:
        """Return the entry that answers to a name: of the session, else pinned, else built in, else an only one."""
        for first in (SESSION, self.pins.get(name), BUILT_IN):
            for entry in rivals:
                if entry.distribution == first:
                    return entry
        return rivals[0] if len(rivals) == 1 else None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _fits(distribution: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(distribution, normalise(pattern))


def _pin(word: str) -> tuple[str, str]:
    name, equals, distribution = word.partition("=")
    if not (name.strip() and equals and distribution.strip()):
        raise InvalidFilter(f"{PINS}: {word!r} is not of the form name=distribution, such as adam=other-optimizers")
    return fold(name), normalise(distribution.strip())
