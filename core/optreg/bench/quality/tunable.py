"""Making an optimizer with the learning rate that a search tries."""

from __future__ import annotations

from collections.abc import Callable

from optreg.bench.results import State
from optreg.bench.selection import parse_choice
from optreg.bench.subjects import LegacyContract
from optreg.registry.default import get_optimizer


def tunable(label: str) -> Callable[[float], Callable[[], LegacyContract]] | State:
    """Return what makes the optimizer with a learning rate, or the state that says why there is nothing to tune."""
    choice = parse_choice(label)
    if "learning_rate" in choice.hyperparameters:
        return State("skipped", "its learning rate was given")
    try:
        if "learning_rate" not in get_optimizer(choice.name, **choice.hyperparameters).get_config():
            return State("skipped", "it has no hyperparameter learning_rate")
    except Exception as error:  # a plugin's constructor may raise anything, and becomes a row
        return State.failed(error)
    return lambda rate: (
        lambda: LegacyContract(get_optimizer(choice.name, **{**choice.hyperparameters, "learning_rate": rate}))
    )
