"""The learning rate over a training run: constant, or warmed up and then brought down to zero where the run ends.

A schedule multiplies the learning rate that an optimizer has, whether chosen, tried or found. Its horizon is the
planned length of the run itself: only so does the end of a run say what the schedule can do.

P. Goyal et al.: Accurate, large minibatch SGD. 2017. https://arxiv.org/abs/1706.02677 (warm-up)
I. Loshchilov, F. Hutter: SGDR: stochastic gradient descent with warm restarts. ICLR 2017.
https://arxiv.org/abs/1608.03983 (cosine)
G. E. Dahl et al.: Benchmarking neural network training algorithms. 2023. https://arxiv.org/abs/2306.07179
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from optreg.errors import InvalidFilter, listing, suggestion

SCHEDULES: Mapping[str, str] = {
    "constant": "the same learning rate in every step",
    "linear": "warmed up, then down to zero in a straight line",
    "cosine": "warmed up, then down to zero along half a wave",
}
"""Names, as given to ``--schedule``, and what they do."""

WARMUP = 0.05
"""Share of the steps in which a schedule that ends at zero begins, unless another is given."""

# From the share of the way behind the warm-up, in [0, 1), to the factor on the learning rate.
_SHAPES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": np.ones_like,
    "linear": lambda way: 1 - way,
    "cosine": lambda way: (1 + np.cos(np.pi * way)) / 2,
}


@dataclass(frozen=True)
class Schedule:
    """What a run does with its learning rate: the name of the shape, and the share of the steps that warms up."""

    name: str = "constant"
    warmup: float = 0.0

    @property
    def is_constant(self) -> bool:
        """Whether no step has another learning rate than the next."""
        return self.name == "constant" and not self.warmup

    @property
    def words(self) -> str:
        """The schedule in words; none for a learning rate that is constant."""
        warmup = f", warm-up over {100 * self.warmup:g} % of the steps" if self.warmup else ""
        return "" if self.is_constant else f"learning rate {self.name}{warmup}"

    def factors(self, steps: int) -> np.ndarray:
        """Return the factor on the learning rate of each of so many steps.

        The warm-up rises by equal parts to 1, which is the factor of the first step behind it. The end is 0 when the
        last step has been made: no step is made with a learning rate of 0, neither the first nor the last.
        """
        rising = min(round(self.warmup * steps), steps - 1)
        made = np.arange(steps)
        way = np.maximum(made - rising, 0) / (steps - rising)
        return np.where(made < rising, (made + 1) / (rising + 1), _SHAPES[self.name](way))


def schedule_named(name: str, warmup: float | None = None) -> Schedule:
    """Return the schedule that ``--schedule`` and ``--warmup`` ask for.

    Args:
        name: Of ``SCHEDULES``.
        warmup: Share of the steps; by default ``WARMUP``, and none where the learning rate is constant.

    Raises:
        InvalidFilter: There is no such schedule, or the warm-up is no share.
    """
    if name not in SCHEDULES:
        raise InvalidFilter(f"unknown schedule {name!r}; allowed: {listing(SCHEDULES)}.{suggestion(name, SCHEDULES)}")
    if warmup is None:
        return Schedule(name, 0.0 if name == "constant" else WARMUP)
    if not 0 <= warmup < 1:
        raise InvalidFilter(f"the warm-up is a share of the steps in [0, 1), received {warmup:g}")
    return Schedule(name, float(warmup))
