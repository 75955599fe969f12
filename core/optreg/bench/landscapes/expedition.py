"""All optimizers on all functions, by default and with the learning rate that suits each function best."""

from __future__ import annotations

from collections.abc import Sequence

from optreg.bench.landscapes.descent import Descent, Extent, descend, tune
from optreg.bench.landscapes.functions import LANDSCAPES, Landscape
from optreg.bench.progress import Clock
from optreg.bench.quality.tunable import tunable
from optreg.bench.results import History, State
from optreg.bench.selection import Choice
from optreg.errors import OptregError, listing, suggestion
from optreg.registry.default import get_optimizer, optimizer_info

_SECONDS = 0.2  # one descent
FEW = ("sphere", "rotated-ellipse", "rosenbrock", "rastrigin", "beale", "plateau")
"""The functions of a short run."""


class UnknownLandscape(OptregError, LookupError):
    """No function has the name."""


def select_landscapes(names: Sequence[str], *, all_by_default: bool) -> list[Landscape]:
    """Return the functions of these names; without names the few of a short run, or all.

    Raises:
        UnknownLandscape: There is none of that name.
    """
    known = {landscape.name: landscape for landscape in LANDSCAPES}
    chosen = names or (tuple(known) if all_by_default else FEW)
    for name in chosen:
        if name not in known:
            raise UnknownLandscape(f"unknown function {name!r}; functions: {listing(known)}.{suggestion(name, known)}")
    return [known[name] for name in chosen]


class Expedition:
    """One descent for each optimizer, function and setting; planned when it is made, so that none is forgotten."""

    def __init__(
        self,
        choices: Sequence[Choice],
        landscapes: Sequence[Landscape],
        *,
        clock: Clock,
        extent: Extent,
    ) -> None:
        self._choices = {choice.label: choice for choice in choices}
        self._landscapes = {landscape.name: landscape for landscape in landscapes}
        self._clock, self._plan = clock, extent.search
        self.history = History()
        self.descents = [
            _planned(choice, landscape, setting, extent)
            for landscape in landscapes
            for choice in choices
            for setting in (("default", "tuned") if extent.search else ("default",))
        ]

    def everything(self, *, until: float) -> None:
        """Descend until the time is over."""
        for record in self.descents:
            if self.history.adopt(record):
                continue
            if self._clock.now > until:
                record.state = State("skipped", "no time; raise --budget")
                continue
            label = f"{record.landscape}: {record.optimizer}, {record.setting}"
            self._clock.tell(label)
            self.history.announce(label, record.optimizer, record.implementation)
            self._descend(record)
            self.history.keep(record)

    def seconds_ahead(self) -> float:
        """Forecast the seconds that the descents not yet begun will take."""
        waiting = [record for record in self.descents if not record.steps_to and record.state.name == "finished"]
        trials = self._plan.trials if self._plan else 1
        return sum(_SECONDS * (trials if record.setting == "tuned" else 1) for record in waiting)

    def _descend(self, record: Descent) -> None:
        choice, landscape = self._choices[record.optimizer], self._landscapes[record.landscape]
        if record.setting == "default":
            descend(lambda: get_optimizer(choice.name, **choice.hyperparameters), landscape, record)
            return
        make = tunable(record.optimizer)
        if isinstance(make, State):
            record.state = make
        elif self._plan is not None:
            tune(lambda rate: make(rate)().optimizer, landscape, record, plan=self._plan)


def _planned(choice: Choice, landscape: Landscape, setting: str, extent: Extent) -> Descent:
    record = Descent(choice.label, "optreg", landscape.name, setting, dtype=_dtype(choice))
    record.starts, record.steps = extent.starts, extent.steps
    return record


def _dtype(choice: Choice) -> str:
    """Return float64 unless the card says that the optimizer does not train it."""
    card = optimizer_info(choice.name).card
    declared = card.declared.dtypes if card is not None and card.declared is not None else ()
    return "float32" if declared and "float64" not in declared else "float64"
