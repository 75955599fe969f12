"""What a conformance check is: a function of one subject, and what must be known to choose and explain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from optreg.cards import Card
from optreg.conformance.subject import Subject

CheckFunction = Callable[[Subject], None]
Severity = Literal["must", "should"]

_PREFIX = "check_"
_ATTRIBUTE = "conformance_check"


class CheckFailure(AssertionError):
    """The optimizer does not do what the check demands.

    Args:
        what: What was looked at, as the beginning of a sentence.
        expected: What the contract demands.
        received: What the optimizer did.
    """

    def __init__(self, what: str, *, expected: Any, received: Any) -> None:
        super().__init__(f"{what}: expected {expected}, received {received}")
        self.what = what
        self.expected = expected
        self.received = received


class Skipped(Exception):
    """The check cannot run here; the message says why and what would let it run."""


@dataclass(frozen=True)
class Capability:
    """What an optimizer must declare for a check to apply.

    Args:
        text: In words, such as ``"sparse gradients"``; empty where every optimizer is meant.
        holds: Whether a card declares it.
    """

    text: str
    holds: Callable[[Card], bool]


EVERY_OPTIMIZER = Capability("", lambda _: True)


@dataclass(frozen=True)
class Check:
    """One demand of the contract.

    Args:
        function: Raises ``CheckFailure`` where the demand is not met, ``Skipped`` where that cannot be told.
        group: Such as ``"slots"``.
        likely_cause: The mistake that most often stands behind a failure, as a sentence for the author.
        requires: Identities of checks without which a failure of this one would say nothing.
        capability: What the card must declare for the check to apply.
        severity: ``"must"`` fails the optimizer, ``"should"`` warns.
        since: Plugin API version that introduced the demand; plugins written for an older one are only warned.
        every_variant: Whether it runs for each setting of the hyperparameters that switch slots or branches on.
        on_request: Whether it runs only where it, or its group, is asked for by name.
        distribution: Whose it is, for a check that a plugin contributes; empty for those of optreg.
    """

    function: CheckFunction
    group: str
    likely_cause: str
    requires: tuple[str, ...] = ()
    capability: Capability = EVERY_OPTIMIZER
    severity: Severity = "must"
    since: int = 1
    every_variant: bool = True
    on_request: bool = False
    distribution: str = ""

    @property
    def id(self) -> str:
        """The name of the function, for a plugin's after ``distribution/``: what selects the check and is reported."""
        name = self.function.__name__
        return f"{self.distribution}/{name}" if self.distribution else name

    @property
    def sentence(self) -> str:
        """The demand as a sentence."""
        return self.title.replace("_", " ")

    @property
    def title(self) -> str:
        """The identity without its prefix, for the names of tests."""
        title = self.function.__name__.removeprefix(_PREFIX)
        return f"{self.distribution}/{title}" if self.distribution else title

    def enforced_for(self, card: Card) -> bool:
        """Whether a failure counts as one, rather than as a warning."""
        return self.severity == "must" and self.since <= card.api


def check(  # noqa: PLR0913 - the fields of a Check; each is one word at the place of use
    likely_cause: str,
    *,
    requires: tuple[CheckFunction, ...] = (),
    capability: Capability = EVERY_OPTIMIZER,
    severity: Severity = "must",
    since: int = 1,
    every_variant: bool = True,
    on_request: bool = False,
    group: str = "",
) -> Callable[[CheckFunction], CheckFunction]:
    """Make a check of a function ``check_<what_must_hold>(subject)``, which stays a plain function.

    Arguments are those of ``Check``; ``group`` is the name of the module by default, and ``requires`` takes the
    functions themselves.

    Raises:
        ValueError: The name of the function does not begin with ``check_``.
    """

    def mark(function: CheckFunction) -> CheckFunction:
        if not function.__name__.startswith(_PREFIX):
            raise ValueError(f"a check is called {_PREFIX}<what_must_hold>, received {function.__name__}")
        described = Check(
            function,
            group or function.__module__.rpartition(".")[2],
            likely_cause,
            tuple(required.__name__ for required in requires),
            capability,
            severity,
            since,
            every_variant,
            on_request,
        )
        setattr(function, _ATTRIBUTE, described)
        return function

    return mark


def check_behind(function: object) -> Check | None:
    """Return the check that a function was made into by ``check``, or None."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Check) else None
