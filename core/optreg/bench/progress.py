"""What a running benchmark tells those who wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """Where the run stands: a few words, and the seconds behind and (about) ahead of it."""

    doing: str
    elapsed: float
    remaining: float


@dataclass(frozen=True)
class Turn:
    """The time that one piece of work may take, and who is told that it goes on.

    ``until`` is a time of ``timer``.
    """

    until: float = math.inf
    tell: Callable[[], object] = lambda: None
    timer: Callable[[], float] = time.perf_counter

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.timer() > self.until


ENDLESS = Turn()
"""A turn that never ends."""

Observer = Callable[[Progress], object]


@dataclass
class Clock:
    """The run's own clock: when it started, when its budget ends, and who is to be told.

    ``ahead`` returns a forecast of the seconds that the rest will take; it may end well before the budget.
    """

    budget: float
    observer: Observer | None = None
    timer: Callable[[], float] = time.perf_counter
    started: float = field(init=False)
    doing: str = ""
    ahead: Callable[[], float] = lambda: math.inf

    def __post_init__(self) -> None:
        self.started = self.timer()

    @property
    def ends(self) -> float:
        """End of the budget, on ``timer``."""
        return self.started + self.budget

    @property
    def now(self) -> float:
        """The time, on ``timer``."""
        return self.timer()

    @property
    def left(self) -> float:
        """Seconds left of the budget; never negative."""
        return max(self.ends - self.now, 0.0)

    def tell(self, doing: str = "") -> None:
        """Tell the observer what is being done; without words, what was being done before."""
        self.doing = doing or self.doing
        if self.observer is not None:
            self.observer(Progress(self.doing, self.now - self.started, min(self.left, self.ahead())))
