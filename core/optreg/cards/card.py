"""Optimizer cards: what is known of an optimizer, without importing it.

An author writes a ``Card`` of literals into the class body. The same literals serve at run time
(ranges are checked, slots are compared) and are read from the source text when the class is only listed.
What the class says anyway is not repeated in the card: the summary, the rule and the meaning of each argument
stand in the docstring, defaults in the constructor's signature, the name in the entry point.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

API_VERSION = 1
"""Version of the contract between optreg and its plugins; raised when old plugins would break."""

OLDEST_API = 1
"""Oldest plugin API version that still works; a plugin written for an older one is refused."""

SparseMode = Literal["exact", "lazy", "decaying", "none"]

SPARSE_MEANING: Mapping[str, str] = {
    "exact": "same result as the dense gradient; every row may move",
    "lazy": "only the rows present in the gradient move, weights and slots",
    "decaying": "slots decay on every row; only the rows present move",
    "none": "not supported; a sparse gradient is refused",
}

_STEP_SPARSE_MEANING: Mapping[str, str] = {
    **SPARSE_MEANING,
    "exact": "same result as the dense gradient, repeated rows summed",
    "lazy": "only the rows present in the gradient change, or none",
    "none": "refused where there are several replicas",
}


def sparse_meanings(kind: str) -> Mapping[str, str]:
    """Return what the values of ``Card.sparse`` mean for an optimizer, or for a transformer or aggregator."""
    return SPARSE_MEANING if kind == "optimizer" else _STEP_SPARSE_MEANING


@dataclass(frozen=True)
class Slot:
    """One array of state that the optimizer keeps for each variable.

    Args:
        name: As in ``get_slot(variable, name)``.
        meaning: A few words on what it holds.
        when: Name of the hyperparameter that must be truthy for the slot to exist; empty for always.
        at_least: Smallest dtype of the slot: ``"float32"`` keeps 16-bit variables' slots in float32.
            Empty: the dtype of the variable.
        scalar: One number for each variable instead of one for each parameter.
        reads: How often a step reads the slot; 0.2 where it does so at each fifth step alone. The benchmark's traffic
            floor counts by it.
        writes: How often a step writes it; 0 for what is only read.

    Raises:
        ValueError: ``reads`` or ``writes`` is no finite number of at least 0.
    """

    name: str
    meaning: str = ""
    when: str = ""
    at_least: str = ""
    scalar: bool = False
    reads: float = 1.0
    writes: float = 1.0

    def __post_init__(self) -> None:
        for name, times in (("reads", self.reads), ("writes", self.writes)):
            number = isinstance(times, int | float) and not isinstance(times, bool)
            if not (number and 0 <= times <= sys.float_info.max):  # an integer may be larger than any float
                wanted = "a finite number of at least 0, how often a step does so"
                raise ValueError(f"Slot {self.name!r}: {name} must be {wanted}; received {times!r}")


@dataclass(frozen=True)
class Paper:
    """Where an update rule was published."""

    title: str
    authors: str
    year: int
    link: str


@dataclass(frozen=True)
class ExpectedFailure:
    """A conformance check that the optimizer is known to fail, for a time.

    Args:
        check: Identity of the check, such as ``"check_repeated_rows_are_summed"``.
        reason: Why it fails, as a sentence for users.
        until: First version of the plugin's distribution in which it shall pass, such as ``"1.2"``.
    """

    check: str
    reason: str = ""
    until: str = ""


@dataclass(frozen=True)
class Deprecated:
    """A former name of an optimizer, or its own name if it shall no longer be used.

    Args:
        name: The old name. It still works, with a warning.
        since: Version of the distribution that deprecated it.
        removal: Version from which on the old name is refused; empty while undecided.
        replacement: The name to use instead; empty for the name of the optimizer itself.
    """

    name: str
    since: str = ""
    removal: str = ""
    replacement: str = ""


@dataclass(frozen=True)
class Card:
    """What an optimizer's class declares about itself. Every field is a literal, readable without import.

    Args:
        aliases: Further names it answers to.
        ranges: Hyperparameter name to ``"[0, 1)"``-style interval or ``"bool"``.
        slots: State kept per variable, in the order of creation.
        sparse: Which rows a sparse gradient moves; see ``SPARSE_MEANING``.
        dtypes: Names of the variable dtypes it takes.
        xla: Whether the step compiles under ``tf.function(jit_compile=True)``.
        sparse_with: Name of a hyperparameter to the sparse behaviour when it is on.
        without: Name of a flag to what is lost when it is on: dtypes, or ``"xla"``.
        paper: Source of the update rule.
        limits: One sentence for each thing that it does not do and a user might expect.
        api: Plugin API version it was written for.
        reference: ``"module:function"``, the rule in NumPy, for the conformance suite: ``function(value, gradient,
            state, step, **hyperparameters)`` returns the new value; ``state`` is a dictionary, steps count from 1.
        expected_failures: Conformance checks that it is known to fail.
        tensorflow: Range of TensorFlow versions it works with, such as ``">=2.16,<3"``; empty for any.
        requires: Packages it needs beyond those of its distribution, as pip writes them: ``("torch>=2",)``.
        deprecated: Its old names.
    """

    aliases: tuple[str, ...] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    sparse: SparseMode = "none"
    sparse_with: Mapping[str, SparseMode] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ()
    xla: bool = False
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    paper: Paper | None = None
    limits: tuple[str, ...] = ()
    api: int = API_VERSION
    reference: str = ""
    expected_failures: tuple[ExpectedFailure, ...] = ()
    tensorflow: str = ""
    requires: tuple[str, ...] = ()
    deprecated: tuple[Deprecated, ...] = ()

    def given(self, settings: Mapping[str, Any]) -> Card:
        """Return the card of an optimizer built with these hyperparameters: less what their flags take away."""
        lost = {word for flag, words in self.without.items() if settings.get(flag) for word in words}
        modes = [mode for name, mode in self.sparse_with.items() if settings.get(name)]
        if not lost and not modes:
            return self
        dtypes = tuple(name for name in self.dtypes if name not in lost)
        return replace(self, dtypes=dtypes, xla=self.xla and "xla" not in lost, sparse=[self.sparse, *modes][-1])

    @property
    def capabilities(self) -> frozenset[str]:
        """Words that ``list_optimizers(capability=...)`` filters by, such as ``sparse`` or ``bfloat16``."""
        words = set(self.dtypes)
        words |= {"sparse", f"sparse-{self.sparse}"} if self.sparse != "none" else set()
        words |= {"xla"} if self.xla else set()
        words |= {"complex"} if any(name.startswith("complex") for name in self.dtypes) else set()
        words |= {"stateless"} if not self.slots else set()
        return frozenset(words)


@dataclass(frozen=True)
class Interval:
    """A range of numbers written as in mathematics: ``[0, 1)`` holds 0 and excludes 1."""

    low: float
    high: float
    low_open: bool
    high_open: bool
    text: str

    _SYNTAX = re.compile(r"([\[(])\s*(\S+)\s*,\s*(\S+)\s*([\])])")

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read ``"[0, 1)"``; ``inf`` and ``-inf`` are allowed as bounds.

        Raises:
            ValueError: The text is not an interval.
        """
        match = cls._SYNTAX.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not an interval such as '[0, 1)'")
        opening, low, high, closing = match.groups()
        return cls(float(low), float(high), opening == "(", closing == ")", text)

    def __contains__(self, value: float) -> bool:
        if math.isnan(value):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below


@dataclass(frozen=True)
class HyperparameterCard:
    """One constructor argument of an optimizer, as shown by ``optreg info``.

    ``default`` is the value where the source states a literal, else the text of the expression;
    ``required`` is true where the signature gives no default.
    """

    name: str
    default: Any = None
    required: bool = False
    range: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class OptimizerCard:
    """All that is known of one optimizer class: its ``Card`` with what docstring and signature say.

    Built from the source text by ``optreg.discovery.index`` and from the live class by ``describe_class``;
    the conformance suite proves the two equal.
    """

    summary: str = ""
    description: str = ""
    rule: tuple[str, ...] = ()
    hyperparameters: tuple[HyperparameterCard, ...] = ()
    declared: Card | None = None

    def slot_names(self, **hyperparameters: Any) -> tuple[str, ...]:
        """Return the slots that exist for the given hyperparameters, defaults standing in for the rest."""
        values = {item.name: item.default for item in self.hyperparameters} | hyperparameters
        slots = self.declared.slots if self.declared else ()
        return tuple(slot.name for slot in slots if not slot.when or values.get(slot.when))
