"""The order in which learning rates are tried, under a stated number of trials.

First five decades, then outward while the best lies on the edge, then between the best and its neighbours. Only so can
a search say that it did not stop short of the optimum.

D. Choi et al.: On empirical comparisons of optimizers for deep learning. 2019. https://arxiv.org/abs/1910.05446
P. T. Sivaprasad et al.: Optimizer benchmarking needs to account for hyperparameter tuning. ICML 2020.
https://arxiv.org/abs/1910.11758
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optreg.errors import OptregError

Edge = Literal["", "lowest", "highest"]

_FIRST = (1e-2, 1e-1, 1e-3, 1.0, 1e-4)  # the middle first, so that a short search has tried what is common
_LEAST, _GREATEST = 1e-8, 1e4
_SIGNIFICANT = 6


class InvalidGrid(OptregError, ValueError):
    """The learning rates to be tried make no grid."""


@dataclass(frozen=True)
class Rates:
    """What a search may try: at most ``trials`` learning rates of its own choice, or exactly those of ``grid``.

    Raises:
        InvalidGrid: No trial, or a rate that is not a positive number.
    """

    trials: int = 9
    grid: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        bad = [rate for rate in self.grid if not (math.isfinite(rate) and rate > 0)]
        if bad:
            raise InvalidGrid(f"a learning rate to try must be a positive number, received {bad[0]!r}")
        if self.trials < 1:
            raise InvalidGrid(f"a search needs at least one trial, received {self.trials}")


def search_rates(rank: Callable[[float], Any], plan: Rates) -> float:
    """Try learning rates and return the best; ``rank`` trains with one and returns a sort key, the least the best."""
    ranks: dict[float, Any] = {}
    while True:
        rate = next_rate(ranks, plan)
        if rate is None:
            return best_rate(ranks)
        ranks[rate] = rank(rate)


def next_rate(ranks: dict[float, Any], plan: Rates) -> float | None:
    """Return the learning rate to try after those tried, or None when the search is over."""
    if plan.grid:
        return next((rate for rate in plan.grid if rate not in ranks), None)
    if len(ranks) >= plan.trials:
        return None
    untried = [rate for rate in _FIRST if rate not in ranks]
    return untried[0] if untried else _beside_the_best(ranks)


def _beside_the_best(ranks: dict[float, Any]) -> float | None:
    ordered, best = sorted(ranks), best_rate(ranks)
    edge = edge_of(ordered, best)
    if edge:
        further = _rounded(best * 10 if edge == "highest" else best / 10)
        return further if _LEAST <= further <= _GREATEST else None
    place = ordered.index(best)
    halves = [_rounded(math.sqrt(best * neighbour)) for neighbour in (ordered[place - 1], ordered[place + 1])]
    # The wider gap first: it is the one where a better rate may hide.
    by_width = sorted(halves, key=lambda rate: -abs(math.log(rate / best)))
    return next((rate for rate in by_width if rate not in ranks), None)


def best_rate(ranks: dict[float, Any]) -> float:
    """Return the tried rate of least rank; of equals the smaller."""
    return min(ranks, key=lambda rate: (ranks[rate], rate))


def edge_of(rates: Sequence[float], best: float) -> Edge:
    """Tell whether the best is the lowest or highest of all that were tried: then the optimum may lie beyond."""
    if len(rates) < 2:  # noqa: PLR2004 - one rate has no neighbours
        return ""
    return "lowest" if best == min(rates) else "highest" if best == max(rates) else ""


def expected_best(values: Sequence[float], *, higher_is_better: bool) -> list[float]:
    """Return the expected best of k trials drawn from those made, for k = 1 .. n: what a smaller budget would find."""
    worst_first = sorted(values, reverse=not higher_is_better)
    count = len(values)
    return [
        sum(value * math.comb(place, k - 1) for place, value in enumerate(worst_first)) / math.comb(count, k)
        for k in range(1, count + 1)
    ]


def _rounded(rate: float) -> float:
    return float(f"{rate:.{_SIGNIFICANT}g}")
