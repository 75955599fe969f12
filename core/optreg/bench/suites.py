"""Suites: how much is measured, and how long that may take on two cores, under a name that can be remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optreg.bench.run import EXECUTIONS, MODES, Options
from optreg.bench.selection import select
from optreg.bench.speed.layouts import DEFAULT_LAYOUTS, LAYOUTS
from optreg.bench.tasks.catalogue import UnknownSuite
from optreg.errors import suggestion


@dataclass(frozen=True)
class Suite:
    """Options that belong together.

    Args:
        summary: What is measured, in a few words.
        seconds: What it may take; for each optimizer, or for all of them together where ``in_all`` is true.
        options: Options that differ from those of a run without a suite.
    """

    summary: str
    seconds: float
    options: Mapping[str, Any]
    in_all: bool = False

    def budget(self, optimizers: int) -> float:
        """Return the seconds for so many optimizers."""
        return self.seconds * (1 if self.in_all else max(optimizers, 1))


IN_ONE_PROCESS = tuple(mode for mode in MODES if mode != "replicas")

SUITES: Mapping[str, Suite] = {
    "smoke": Suite(
        "does it run: two tasks, one layout, in graphs",
        20.0,
        {"layouts": ("one-big",), "executions": ("graph",), "seeds": 1},
        in_all=True,
    ),
    "quick": Suite(
        "every mode but replicas: five tasks, three layouts",
        120.0,
        {"layouts": DEFAULT_LAYOUTS, "modes": IN_ONE_PROCESS, "seeds": 3, "split": True},
    ),
    "standard": Suite(
        "every mode: all tasks and functions, a search of five learning rates, sparse gradients",
        900.0,
        {"layouts": (*DEFAULT_LAYOUTS, "embedding"), "modes": MODES, "seeds": 5, "trials": 5, "split": True},
    ),
    "full": Suite(
        "everything: all layouts, XLA, the cost of the hooks, a search of nine learning rates, twenty seeds",
        7200.0,
        {
            "layouts": tuple(LAYOUTS),
            "modes": MODES,
            "executions": EXECUTIONS,
            "seeds": 20,
            "trials": 9,
            "hooks": True,
            "split": True,
        },
    ),
}


def suite_options(suite: str, names: Sequence[str] = (), **given: Any) -> Options:
    """Return the options of a suite for these optimizers; what is given counts more than what the suite says.

    Args:
        suite: ``smoke``, ``quick``, ``standard`` or ``full``.
        names: As given to ``run``: the budget grows with the number of optimizers, but for ``smoke``.
        given: Fields of ``Options``.

    Raises:
        UnknownSuite: There is no such suite.
        UnknownOptimizer, InvalidSelection: A name cannot be read, or a pattern matches nothing.
    """
    if suite not in SUITES:
        raise UnknownSuite(f"unknown suite {suite!r}; suites: {', '.join(SUITES)}.{suggestion(suite, SUITES)}")
    chosen = SUITES[suite]
    fields = {"budget": chosen.budget(len(select(names))), **chosen.options, **given}
    return Options(**fields, suite=suite)
