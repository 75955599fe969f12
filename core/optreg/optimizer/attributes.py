"""Attribute access: hyperparameters and options read and set like attributes, and misspelt ones caught."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from optreg.cards import Card
from optreg.errors import InvalidHyperparameter, UnknownHyperparameter
from optreg.optimizer.clipping import CLIP_NAMES, clip_thresholds
from optreg.optimizer.hyperparameters import HyperparameterTable, check_kind, check_range, plain
from optreg.optimizer.pipeline import AttachedStep, listed


class OptionAttributes:
    """Part of the optimizer that turns ``opt.learning_rate = 0.05`` into a change of the hyperparameter."""

    card: Card
    _clip: dict[str, float | None]
    _constructed: bool
    _hyperparameters: HyperparameterTable
    _transformers: list[AttachedStep]
    _aggregator_step: AttachedStep | None

    def __getattr__(self, name: str) -> Any:
        # Reached only for names that are no ordinary attribute.
        table = self.__dict__.get("_hyperparameters")
        wanted = "learning_rate" if name == "lr" else name
        if table is not None and wanted in table.values:
            return self._get_hyper(wanted)
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property failed: its own error says why
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
            return
        table = self._hyperparameters
        wanted = "learning_rate" if name == "lr" else name
        if wanted in table.values:
            self._set_hyper(wanted, value)
            return
        if name in self.card.ranges:
            _check_declared(table.owner, name, value, self.card.ranges[name])
            value = plain(value)
        elif self._constructed and name not in self.__dict__:
            self._refuse_late_decay(name)
            self._refuse_near_miss(name)
        object.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._hyperparameters.values})

    def _refuse_late_decay(self, name: str) -> None:
        if name == "decay":  # reached only where the class holds none as a hyperparameter that can change
            raise InvalidHyperparameter(
                f"{self._hyperparameters.owner}: decay is fixed when the optimizer is built. Build it with decay=..., "
                "or assign a schedule to learning_rate"
            )

    def _refuse_near_miss(self, name: str) -> None:
        known = {*self._hyperparameters.values, *self.card.ranges, *CLIP_NAMES}
        meant = _near_miss(name, known)
        if meant is not None:
            raise UnknownHyperparameter(
                f"{self._hyperparameters.owner}: unknown hyperparameter {name!r}. Did you mean {meant!r}? (To set "
                f"an attribute of that name all the same: object.__setattr__(opt, {name!r}, value))"
            )

    @property
    def clipvalue(self) -> float | None:
        """Threshold for each element of a gradient, or None."""
        return self._clip["clipvalue"]

    @clipvalue.setter
    def clipvalue(self, value: float | None) -> None:
        self._set_clip("clipvalue", value)

    @property
    def clipnorm(self) -> float | None:
        """Threshold for the 2-norm of each gradient, or None."""
        return self._clip["clipnorm"]

    @clipnorm.setter
    def clipnorm(self, value: float | None) -> None:
        self._set_clip("clipnorm", value)

    @property
    def global_clipnorm(self) -> float | None:
        """Threshold for the 2-norm over all gradients, or None."""
        return self._clip["global_clipnorm"]

    @global_clipnorm.setter
    def global_clipnorm(self, value: float | None) -> None:
        self._set_clip("global_clipnorm", value)

    def _set_clip(self, name: str, value: float | None) -> None:
        thresholds = clip_thresholds(self._hyperparameters.owner, {**self._clip, name: value})
        self._refuse_both(thresholds, self._transformers)
        self._clip = thresholds

    @property
    def gradient_aggregator(self) -> Any:
        """How replicas' gradients are combined, as it was given; None for their sum."""
        return self._aggregator_step.given if self._aggregator_step is not None else None

    @gradient_aggregator.setter
    def gradient_aggregator(self, given: Any) -> None:
        self._aggregator_step = AttachedStep("aggregator", given) if given is not None else None

    @property
    def gradient_transformers(self) -> list[Any]:
        """The transformers in order, as they were given."""
        return [step.given for step in self._transformers]

    @gradient_transformers.setter
    def gradient_transformers(self, given: Iterable[Any] | None) -> None:
        steps = [AttachedStep("transformer", one) for one in listed("gradient_transformers", given or ())]
        self._refuse_both(self._clip, steps)
        self._transformers = steps

    def _refuse_both(self, thresholds: dict[str, float | None], steps: list[AttachedStep]) -> None:
        clips = [name for name, threshold in thresholds.items() if threshold is not None]
        if clips and steps:
            raise InvalidHyperparameter(
                f"{self._hyperparameters.owner}: {clips[0]} cannot be combined with gradient_transformers, whose order "
                "against the clipping would be unclear: clip in a transformer"
            )


def _check_declared(owner: str, name: str, value: Any, declared: str) -> None:
    if declared != "bool":
        check_kind(owner, name, value)
    check_range(owner, name, value, declared)


def _near_miss(name: str, known: Iterable[str]) -> str | None:
    """Return the hyperparameter that ``name`` was probably meant to be, or None.

    ``beta_3`` is no misspelt ``beta_2``: names that differ in a digit only are different names.
    """
    for candidate in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.8):
        if _without_digits(candidate) != _without_digits(name.lower()) and candidate != name:
            return candidate
    return None


def _without_digits(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())
