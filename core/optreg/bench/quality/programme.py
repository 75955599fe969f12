"""What a run of the benchmark does for quality: which tasks, functions and probes, how long, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optreg.bench.contenders import OURS, Contender
from optreg.bench.landscapes.descent import Extent
from optreg.bench.landscapes.expedition import Expedition, select_landscapes
from optreg.bench.landscapes.functions import Landscape
from optreg.bench.probes.matrix import PROBES, answers
from optreg.bench.probes.probe import Answer
from optreg.bench.progress import Clock
from optreg.bench.quality.rates import Rates
from optreg.bench.quality.study import Regime, Study, broken_tasks
from optreg.bench.results import History, Results
from optreg.bench.selection import parse_choice
from optreg.bench.sweep.sweep import Sweep
from optreg.bench.tasks.catalogue import Offer, select_tasks

_WEIGHTS = {"properties": 1.0, "training": 2.0, "landscapes": 2.0, "speed": 6.0}
"""How the budget is divided among the modes of a run; what one leaves over is for the next."""

_CAUTION = 1.5
"""What later modes are forecast to take may be wrong by this factor before they lose time to an earlier one."""

_PROBES_SECONDS = 6.0  # all probes of one optimizer


@dataclass(frozen=True)
class Programme:
    """The part of a run's options that concerns quality, with every name looked up.

    Args:
        modes: Modes of the whole run.
        offers: Tasks to train on.
        landscapes: Functions to descend.
        regime: Seeds, epochs, the search for a learning rate, and the device.
    """

    modes: Sequence[str]
    offers: Mapping[str, Offer]
    landscapes: Sequence[Landscape]
    regime: Regime

    def until(self, mode: str, clock: Clock, own: float = 0.0) -> float:
        """Return when the mode has to end, on the clock, seen from now.

        That is after its share of the time left, or later where what comes after it is not going to need that much.

        Args:
            mode: A mode of the programme.
            clock: The run's clock, which knows what is ahead.
            own: Seconds of that which are the mode's own.
        """
        ahead = [name for name in _WEIGHTS if name in self.modes]
        rest = sum(_WEIGHTS[name] for name in ahead[ahead.index(mode) :])
        share = clock.now + clock.left * _WEIGHTS[mode] / rest
        return max(share, clock.ends - _CAUTION * max(clock.ahead() - own, 0.0))


def programme(
    modes: Sequence[str],
    *,
    tasks: Sequence[str] = (),
    suite: str = "smoke",
    landscapes: Sequence[str] = (),
    regime: Regime | None = None,
) -> Programme:
    """Return the programme; only what the modes need is looked up.

    Raises:
        UnknownTask, UnknownSuite, UnknownLandscape: A name that does not exist.
    """
    offers = select_tasks(tasks, suite) if "training" in modes else {}
    everything = suite in ("standard", "full")
    functions = select_landscapes(landscapes, all_by_default=everything) if "landscapes" in modes else []
    return Programme(modes, offers, functions, regime or Regime())


class Undertaking:
    """A programme under way; all its runs stand in the results from the beginning."""

    def __init__(
        self,
        plan: Programme,
        field: Sequence[Contender],
        results: Results,
        clock: Clock,
        *,
        history: History | None = None,
    ) -> None:
        ours = [it for it in field if it.implementation == OURS and not it.broken]
        self._choices = [parse_choice(contender.optimizer) for contender in ours]
        self._plan, self._results, self._clock = plan, results, clock
        self._history = history or History()
        self._study = Study(field, plan.offers, results, clock=clock, regime=plan.regime)
        self._study.history = self._history
        self._sweep = Sweep(self._study, results, self._history, clock)
        if "training" in plan.modes:
            results.tasks += broken_tasks()
        self._expedition = Expedition(self._choices, plan.landscapes, clock=clock, extent=Extent(plan.regime.search))
        self._expedition.history = self._history
        results.descents = self._expedition.descents

    def everything(self) -> None:
        """Probe, train and descend, each within its part of the budget."""
        if "properties" in self._plan.modes:
            self._probe(until=self._until("properties"))
        if "training" in self._plan.modes:
            until = self._until("training")
            if self._plan.regime.staff.several:
                self._sweep.everything(until=until)
            self._study.everything(until=until)
        if "landscapes" in self._plan.modes:
            self._expedition.everything(until=self._until("landscapes"))

    def _until(self, mode: str) -> float:
        return self._plan.until(mode, self._clock, self._seconds_of(mode))

    def seconds_ahead(self) -> float:
        """Forecast the seconds that everything not yet begun will take."""
        return sum(self._seconds_of(mode) for mode in ("properties", "training", "landscapes"))

    def _seconds_of(self, mode: str) -> float:
        if mode == "training":
            return self._study.seconds_ahead() / self._plan.regime.staff.expected
        if mode == "landscapes":
            return self._expedition.seconds_ahead()
        asked = len({answer.optimizer for answer in self._results.properties})
        return _PROBES_SECONDS * (len(self._choices) - asked) if mode in self._plan.modes else 0.0

    def _probe(self, *, until: float) -> None:
        for choice in self._choices:
            self._clock.tell(f"properties of {choice.label}")
            self._history.announce(f"properties of {choice.label}", choice.label, OURS)
            found: list[Answer] = self._history.of("properties", optimizer=choice.label)
            self._results.properties += found
            for answer in answers(choice, until=until, observe=self._clock.tell, known=[it.probe for it in found]):
                found.append(answer)
                self._results.properties.append(answer)
                self._history.keep(answer)
            if len(found) < len(PROBES):
                left = len(PROBES) - len(found)
                self._results.notes.append(
                    f"{choice.label}: no time for {left} of {len(PROBES)} probes; raise --budget"
                )


def search_plan(trials: int, rates: Sequence[float]) -> Rates | None:
    """Return the search that ``--trials`` or ``--lr-grid`` ask for, None for none.

    Raises:
        InvalidGrid: A rate is not a positive number.
    """
    if rates:
        return Rates(trials=len(rates), grid=tuple(rates))
    return Rates(trials=trials) if trials else None
