"""The optimizer under test: its class, the hyperparameters it is built with, and what its card declares."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

from optreg.cards import Card, Interval, Slot
from optreg.errors import NotAnOptimizer
from optreg.registry import default_registry
from optreg.registry.loading import not_an_optimizer, target_of

_BRISK = 0.1
"""Learning rate at which one step of about the rate's size moves a weight near 1 even in bfloat16, which has 8 bits."""

# Numbers to try a hyperparameter with, in this order. Small ones first: a penalty of 0.5 would pin weights to zero.
_CANDIDATES = (0.05, 0.25, 0.5, 0.9, 0.0, 1.0, 2.0, 10.0, -0.05, -0.25, -1.0)


@dataclass(frozen=True)
class Subject:
    """A class with the hyperparameters it is tested with.

    Args:
        cls: Subclass of ``optreg.Optimizer``.
        label: How reports name it.
        hyperparameters: Given to every constructor call; those without default must be among them.
        setting: Of these, the ones that make this subject a variant of the one that was asked for.
        remembered: What is found out once and serves several checks.
    """

    cls: Any
    label: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    setting: Mapping[str, Any] = field(default_factory=dict)
    remembered: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def declared(self) -> Card:
        """The author's card, less what the flags of this subject take away."""
        card: Card = self.cls.card
        return card.given(self.defaults)

    @cached_property
    def origin(self) -> tuple[str, str]:
        """Distribution that registers the class, and its version; optreg's own for a class that none registers."""
        registry = default_registry()
        name = registry.qualified_name_of(self.cls)
        entry = next((entry for entry in registry.index.entries if entry.qualified_name == name), None)
        # From the record: importlib.metadata fails at metadata that is no UTF-8.
        return (entry.distribution, entry.version) if entry and entry.version else ("optreg", version("optreg"))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes declared, float32 where the card names none."""
        return self.declared.dtypes or ("float32",)

    @property
    def dtype(self) -> str:
        """The dtype that checks train in where the dtype is not what they are about."""
        return "float32" if "float32" in self.dtypes else self.dtypes[0]

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The hyperparameters of the constructor with their values here; ``None`` stands for one that must be given."""
        parameters = list(inspect.signature(self.cls.__init__).parameters.values())[1:]
        named = [item for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
        found = {item.name: None if item.default is item.empty else item.default for item in named}
        found.pop("name", None)
        return {name: self.hyperparameters.get(name, default) for name, default in found.items()}

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """The declared ranges of numbers, by hyperparameter of the constructor; those that can be read."""
        found: dict[str, Interval] = {}
        for name, text in self.declared.ranges.items():
            if text != "bool" and name in self.defaults:
                with contextlib.suppress(ValueError):
                    found[name] = Interval.parse(text)
        return found

    @property
    def flags(self) -> tuple[str, ...]:
        """The hyperparameters declared to be True or False."""
        return tuple(name for name, text in self.declared.ranges.items() if text == "bool" and name in self.defaults)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The declared slots that exist with these hyperparameters."""
        return tuple(slot for slot in self.declared.slots if not slot.when or self.defaults.get(slot.when))

    @property
    def switches(self) -> tuple[str, ...]:
        """The hyperparameters that would bring further slots and are off."""
        named = dict.fromkeys(slot.when for slot in self.declared.slots if slot.when)
        return tuple(name for name in named if name in self.defaults and not self.defaults[name])

    @property
    def takes_learning_rate(self) -> bool:
        """Whether the constructor has a ``learning_rate``."""
        return "learning_rate" in self.defaults

    def optimizer(self, **overrides: Any) -> Any:
        """Return a fresh optimizer."""
        return self.cls(**{**self.hyperparameters, **overrides})

    def brisk(self, **overrides: Any) -> Any:
        """Return a fresh optimizer with a learning rate at which every dtype moves within a few steps."""
        rate = self.intervals.get("learning_rate", Interval.parse("[0, inf)"))
        brisk = {"learning_rate": _BRISK} if self.takes_learning_rate and _BRISK in rate else {}
        return self.optimizer(**{**brisk, **overrides})

    def held(self, optimizer: Any) -> tuple[str, ...]:
        """Return the constructor's hyperparameters that the optimizer keeps with ``_set_hyper``."""
        return tuple(name for name in self.defaults if name in optimizer._hyper)

    def two_values(self, name: str) -> tuple[float, float]:
        """Return two different numbers that the hyperparameter may have, neither of them its default."""
        interval = self.intervals.get(name, Interval.parse("(0, inf)"))
        fitting = [number for number in _CANDIDATES if number in interval and number != self.defaults.get(name)]
        if len(fitting) < 2:  # noqa: PLR2004 - the two that are asked for
            fitting += [interval.low + (interval.high - interval.low) * share for share in (0.5, 0.25)]
        return fitting[0], fitting[1]

    @property
    def unusual(self) -> Mapping[str, Any]:
        """Every hyperparameter with a declared range, at a value that is not its default."""
        numbers = {name: self.two_values(name)[0] for name in self.intervals if name not in self.switches}
        return numbers | {name: not self.defaults[name] for name in self.flags if name not in self.switches}

    @cached_property
    def variants(self) -> tuple[Subject, ...]:
        """The subject itself, then with each switch on, then with all switches and flags on."""
        single = {name: self._on(name) for name in self.switches}
        everything = single | {name: True for name in self.flags if not self.defaults[name]}
        settings = [{}, *({name: value} for name, value in single.items())]
        if everything not in settings and self._is_possible(everything):
            settings.append(everything)
        return tuple(self._with(setting) for setting in settings)

    @property
    def shown_setting(self) -> str:
        """What makes this a variant, such as ``amsgrad=True``; empty for the subject itself."""
        return ", ".join(f"{name}={value!r}" for name, value in self.setting.items())

    def _on(self, name: str) -> Any:
        return self.two_values(name)[1] if name in self.intervals else True

    def _is_possible(self, setting: Mapping[str, Any]) -> bool:
        # Options may exclude each other; each alone is a variant anyway, and its refusal would be reported.
        try:
            self.optimizer(**setting)
        except Exception:
            return False
        return True

    def _with(self, setting: Mapping[str, Any]) -> Subject:
        return replace(self, hyperparameters={**self.hyperparameters, **setting}, setting=setting)


def find_subject(optimizer: Any, **hyperparameters: Any) -> Subject:
    """Return the subject for a registered name, ``"module:Class"`` or a class.

    Raises:
        UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer: As for ``optreg.get_optimizer``.
        NotAnOptimizer: Something else was given, or a class that does not derive from ``optreg.Optimizer``.
    """
    if isinstance(optimizer, str):
        cls: Any = default_registry().get_class(optimizer)
        return Subject(cls, optimizer, hyperparameters)
    problem = not_an_optimizer(optimizer)
    if problem:
        shown = getattr(optimizer, "__qualname__", repr(optimizer))
        raise NotAnOptimizer(f"{shown} {problem}; checks take a name, 'module:Class' or a subclass of optreg.Optimizer")
    return Subject(optimizer, target_of(optimizer).rpartition(":")[2], hyperparameters)
