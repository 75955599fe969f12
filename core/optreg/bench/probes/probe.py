"""What a probe is, and what comes of asking it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from optreg.bench.probes.trial import NotApplicable, Trial
from optreg.bench.results import State
from optreg.errors import InvalidHyperparameter, InvalidVariable

AnswerName = Literal["yes", "no", "not applicable", "failed"]


@dataclass(frozen=True)
class Probe:
    """A question with a yes or a no, and what each means to somebody who chooses an optimizer.

    ``group`` sorts the matrix; neither answer is a fault.
    """

    name: str
    group: str
    question: str
    yes: str
    no: str
    ask: Callable[[Trial], bool]


@dataclass(frozen=True)
class Answer:
    """What one optimizer answered; ``meaning`` is the sentence for a user, or the reason why there is no answer."""

    optimizer: str
    probe: str
    group: str
    question: str
    answer: AnswerName
    meaning: str


def ask(probe: Probe, trial: Trial, optimizer: str) -> Answer:
    """Return the optimizer's answer; whatever it raises becomes ``failed`` with the reason."""
    try:
        answer: AnswerName = "yes" if probe.ask(trial) else "no"
        meaning = probe.yes if answer == "yes" else probe.no
    except (NotApplicable, InvalidVariable, InvalidHyperparameter, NotImplementedError) as refusal:
        answer, meaning = "not applicable", State.failed(refusal).reason.partition(": ")[2]
    except Exception as error:  # an optimizer may raise anything, and must not end the matrix
        answer, meaning = "failed", State.failed(error).reason
    return Answer(optimizer, probe.name, probe.group, probe.question, answer, meaning)


class Group:
    """Probes of one kind, gathered by decorating their functions; the function's name becomes the probe's."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.probes: list[Probe] = []

    def probe(
        self, question: str, *, yes: str, no: str
    ) -> Callable[[Callable[[Trial], bool]], Callable[[Trial], bool]]:
        """Return a decorator that adds the function as a probe."""

        def add(function: Callable[[Trial], bool]) -> Callable[[Trial], bool]:
            name = function.__name__.replace("_", "-")
            self.probes.append(Probe(name, self.title, question, yes, no, function))
            return function

        return add
