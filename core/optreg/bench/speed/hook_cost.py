"""What the hooks of a step cost: our optimizer without its joints, and with a plugin that passes everything on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optreg.bench.contenders import Contender, variant
from optreg.bench.selection import Choice
from optreg.bench.subjects import LegacyContract, Subject
from optreg.hookspecs import hookimpl
from optreg.registry.default import get_optimizer

UNHOOKED = "no joints"
ATTACHED = "one plugin"
VARIANTS = (UNHOOKED, ATTACHED)


class PassingOn:
    """A plugin that is called at every joint and leaves everything to the optimizer."""

    @hookimpl
    def aggregate_gradients(self, grads_and_vars: Any) -> None:
        """Pass on."""

    @hookimpl
    def transform_gradients(self, grads_and_vars: Any) -> None:
        """Pass on."""

    @hookimpl
    def apply_updates(self, grads_and_vars: Any) -> None:
        """Pass on."""

    @hookimpl
    def apply_dense(self, grad: Any, var: Any) -> None:
        """Pass on."""

    @hookimpl
    def apply_sparse(self, grad: Any, var: Any, indices: Any) -> None:
        """Pass on."""


class WithoutJoints:
    """Stands in for the pipeline of an optimizer and leads straight to the methods that its class implements."""

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self.create_slots = optimizer._create_slots

    def aggregate(self, pairs: Sequence[Any]) -> Sequence[Any]:
        """Return the pairs: there is one replica."""
        return pairs

    transform = aggregate

    def offer_updates(self, apply_state: Any) -> None:
        """Offer nothing."""

    def apply_dense(self, grad: Any, var: Any, apply_state: Any) -> Any:
        """Update one variable."""
        return self._optimizer._resource_apply_dense(grad, var, apply_state=apply_state)

    def apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any) -> Any:
        """Update rows of one variable."""
        return self._optimizer._resource_apply_sparse_duplicate_indices(grad, var, indices, apply_state=apply_state)


def hook_contenders(contender: Contender, choice: Choice) -> list[Contender]:
    """Return ``contender`` without joints and with one plugin, to be timed beside it with nothing attached."""
    return [
        variant(contender, UNHOOKED, lambda: _without_joints(choice)),
        variant(contender, ATTACHED, lambda: _make(choice, plugins=[PassingOn()])),
    ]


def _make(choice: Choice, **options: Any) -> LegacyContract:
    return LegacyContract(get_optimizer(choice.name, **choice.hyperparameters, **options))


def _without_joints(choice: Choice) -> Subject:
    subject = _make(choice)
    subject.optimizer._pipeline = WithoutJoints(subject.optimizer)
    return subject
