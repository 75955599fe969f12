"""What the user decided about plugins: which may be used, and whose name wins.

Read from arguments, the environment and the configuration file, the former before the latter; decided from metadata
alone, before anything of a plugin is imported.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from optreg.discovery.distributions import normalise
from optreg.discovery.entries import BUILT_IN, SESSION, Entry, State, Verdict, fold
from optreg.discovery.settings import Setting, Settings, read_settings
from optreg.errors import InvalidFilter

DISABLE = "OPTREG_DISABLE_PLUGINS"
ALLOW = "OPTREG_PLUGINS"
PINS = "OPTREG_PINS"
STRICT = "OPTREG_STRICT"
REQUIRE = "OPTREG_REQUIRE_PLUGINS"

ARGUMENT = "the argument 'pins'"

_SWITCH = {**dict.fromkeys(("1", "yes", "true", "on"), True), **dict.fromkeys(("", "0", "no", "false", "off"), False)}
_ALIAS = re.compile(r"[a-z][a-z0-9_]*")


class Rule(NamedTuple):
    """A list of distributions that the user gave, and where; ``source`` is told in reasons."""

    words: tuple[str, ...] = ()
    source: str = ""

    def covers(self, distribution: str) -> bool:
        """Whether one of the words, which may be wildcards, fits the distribution."""
        return any(fnmatch.fnmatchcase(distribution, normalise(word)) for word in self.words)


class Choice(NamedTuple):
    """What the user put behind a name: a distribution for a pin, another name for an alias; and where."""

    target: str
    source: str


class Policy(NamedTuple):
    """Rules about the plugins of one registry. Built-ins are always allowed.

    Args:
        disabled: Distributions that must not be used.
        allowed: The only distributions that may be used; None for all of them.
        pins: Short name to the distribution that shall answer to it.
        aliases: The user's own names for optimizers.
        strict: Where strict mode was switched on; empty where it is off.
        required: Distributions that must be there, with version ranges such as ``lynx-pack>=1.2``.
    """

    disabled: Rule = Rule()
    allowed: Rule | None = None
    pins: Mapping[str, Choice] = MappingProxyType({})
    aliases: Mapping[str, Choice] = MappingProxyType({})
    strict: str = ""
    required: Rule = Rule()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Policy:
        """Read the environment and the configuration file; a variable that is set replaces the setting of the file.

        Pins are added up, name by name. An empty ``OPTREG_PLUGINS`` leaves only the built-ins.

        Raises:
            InvalidFilter: A variable or a line of the file cannot be read.
        """
        values = os.environ if environment is None else environment
        settings = read_settings(environment)
        strict = _setting(values, STRICT, settings, "strict")
        allowed = _setting(values, ALLOW, settings, "allow")
        return cls(
            disabled=_rule(_setting(values, DISABLE, settings, "disable")),
            allowed=None if allowed is None else _rule(allowed),
            pins=_pins_of_file(settings) | dict(_pin(word, PINS) for word in _words(values.get(PINS, ""))),
            aliases=_aliases(settings),
            strict=strict.source if strict and _switched_on(strict) else "",
            required=_rule(_setting(values, REQUIRE, settings, "require")),
        )

    def with_pins(self, pins: Mapping[str, str]) -> Policy:
        """Return the policy with further pins, which win over those of the environment and the file."""
        further = {fold(name): Choice(normalise(distribution), ARGUMENT) for name, distribution in pins.items()}
        return self._replace(pins={**self.pins, **further})

    def verdict(self, distribution: str) -> Verdict:
        """Whether the distribution may be used: ready or disabled."""
        if distribution in (BUILT_IN, SESSION):
            return Verdict()
        if self.disabled.covers(distribution):
            source = self.disabled.source
            return Verdict(State.DISABLED, f"disabled by {source}", f"take {distribution} out of {source}")
        if self.allowed is not None and not self.allowed.covers(distribution):
            source = self.allowed.source
            return Verdict(State.DISABLED, f"not among the plugins in {source}", f"add {distribution} to {source}")
        return Verdict()

    def winner(self, name: str, rivals: list[Entry]) -> Entry | None:
        """Return the entry that answers to a name: of the session, else pinned, else built in, else an only one."""
        pin = self.pins.get(name)
        for first in (SESSION, pin.target if pin else None, BUILT_IN):
            for entry in rivals:
                if entry.distribution == first:
                    return entry
        return rivals[0] if len(rivals) == 1 else None


class _Given(NamedTuple):
    text: str
    source: str


def _setting(values: Mapping[str, str], variable: str, settings: Settings, key: str) -> _Given | None:
    if variable in values:
        return _Given(values[variable], variable)
    found = settings.get(("plugins", key))
    return _Given(found.value, f"{key!r} in {found.place}") if found else None


def _rule(given: _Given | None) -> Rule:
    return Rule(_words(given.text), given.source) if given else Rule()


def _switched_on(given: _Given) -> bool:
    word = given.text.strip().lower()
    if word not in _SWITCH:
        raise InvalidFilter(f"{given.source}: {given.text!r} is not understood; write yes or no")
    return _SWITCH[word]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in re.split(r",(?!\s*[<>=!~])", text) if word.strip())


def _pin(word: str, source: str) -> tuple[str, Choice]:
    name, equals, distribution = word.partition("=")
    if not (name.strip() and equals and distribution.strip()):
        raise InvalidFilter(f"{source}: {word!r} is not of the form name=distribution, such as adam=other-optimizers")
    return fold(name), Choice(normalise(distribution.strip()), source)


def _pins_of_file(settings: Settings) -> dict[str, Choice]:
    pins = {key: setting for (section, key), setting in settings.items() if section == "pins"}
    return dict(_pin(f"{name}={setting.value}", setting.place) for name, setting in pins.items())


def _aliases(settings: Settings) -> dict[str, Choice]:
    written = {fold(key): setting for (section, key), setting in settings.items() if section == "aliases"}
    for name, setting in written.items():
        if not _ALIAS.fullmatch(name) or not setting.value:
            raise InvalidFilter(f"{setting.place}: an alias has the form 'my_name = optimizer', received {name!r}")
        _refuse_cycle(name, written)
    return {name: Choice(setting.value, setting.place) for name, setting in written.items()}


def _refuse_cycle(name: str, aliases: Mapping[str, Setting]) -> None:
    chain = [name]
    while (onward := fold(aliases[chain[-1]].value)) in aliases:
        chain.append(onward)
        if onward in chain[:-1]:
            step = "let one of them name an optimizer, such as optreg/sgd"
            raise InvalidFilter(f"{aliases[name].place}: the alias leads in a circle, {' -> '.join(chain)}; {step}")
