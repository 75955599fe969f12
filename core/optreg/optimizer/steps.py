"""Transformers and aggregators as classes, so that they can be registered, described, saved and restored."""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optreg.cards import Card
from optreg.errors import HyperparameterTypeError, InvalidGradients, InvalidHyperparameter, WrongContext, listing
from optreg.optimizer.distribution import Pair, gathered_from_replicas, shared_name
from optreg.optimizer.gradients import unique_slices
from optreg.optimizer.hyperparameters import check_kind, check_range
from optreg.optimizer.strategies import strategy_name


class GradientStep(abc.ABC):  # noqa: B024 - what is abstract differs between its two kinds
    """What transformers and aggregators share: arguments that are checked against the card and kept as attributes.

    The constructor of a subclass passes its arguments on by name::

        card = Card(ranges={"limit": "[0, inf)"})

        def __init__(self, limit):
            super().__init__(limit=limit)

    Raises:
        HyperparameterTypeError: An argument with a declared range is not a number.
        InvalidHyperparameter: It lies outside.
    """

    card = Card()

    def __init__(self, **arguments: Any) -> None:
        owner = type(self).__name__
        for name, value in arguments.items():
            declared = self.card.ranges.get(name, "")
            if declared and declared != "bool":
                if callable(value) or tf.is_tensor(value):
                    raise HyperparameterTypeError(f"{owner}: {name} must be a number, received {value!r}")
                check_kind(owner, name, value)
            check_range(owner, name, value, declared)
            setattr(self, name, value)

    def _require_dtypes(self, pairs: Sequence[Pair]) -> None:
        for gradient, variable in pairs:
            if self.card.dtypes and gradient.dtype.name not in self.card.dtypes:
                raise InvalidGradients(
                    f"{type(self).__name__} takes gradients of {listing(self.card.dtypes)}; that of "
                    f"{shared_name(variable)!r} is {gradient.dtype.name}"
                )

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({arguments})"


class GradientTransformer(GradientStep):
    """Base of registered gradient transformers.

    A subclass overrides ``transform``. It is called after the aggregation with all pairs, in every replica alike;
    repeated rows of sparse gradients are summed already.
    """

    def __call__(self, grads_and_vars: Sequence[Pair], step: Any) -> Sequence[Pair]:
        """Return the transformed pairs; ``step`` is the number of steps made so far, an int64 variable."""
        pairs = [(unique_slices(gradient), variable) for gradient, variable in grads_and_vars]
        self._require_dtypes(pairs)
        return self.transform(pairs, step)

    @abc.abstractmethod
    def transform(self, pairs: Sequence[Pair], step: Any) -> Sequence[Pair]:
        """Override: return new pairs over the same variables.

        Args:
            pairs: Of a gradient (``tf.Tensor``, or ``tf.IndexedSlices`` with each row once) and its variable.
            step: Number of steps made so far.
        """


class GradientAggregator(GradientStep):
    """Base of registered gradient aggregators, which combine the gradients of all replicas.

    A subclass overrides ``__call__``, or derives from ``GatheringAggregator`` and sees all of them at once.
    """

    @abc.abstractmethod
    def __call__(self, grads_and_vars: Sequence[Pair], step: Any) -> Sequence[Pair]:
        """Override: return the pairs of this replica with every gradient combined; called once a step in each.

        Args:
            grads_and_vars: Pairs of this replica; rows of sparse gradients may repeat.
            step: Number of steps made so far.
        """


class GatheringAggregator(GradientAggregator):
    """Base of aggregators that need the gradient of every replica.

    A subclass overrides ``combine``. Every replica computes the same from the same numbers, so that all stay equal to
    the bit; each holds the gradients of all for one variable at a time. Sparse gradients are refused.
    """

    def __call__(self, grads_and_vars: Sequence[Pair], step: Any) -> Sequence[Pair]:
        """Return the pairs combined; the same pairs where there is one replica.

        Raises:
            InvalidGradients: A sparse gradient, or one of a dtype that the card does not name.
            WrongContext: The strategy does not hand out the gradients of single replicas.
        """
        pairs = list(grads_and_vars)
        self._require_dtypes(pairs)
        if not tf.distribute.has_strategy() or tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return pairs
        self._refuse_sparse(pairs)
        try:
            stacked = gathered_from_replicas([gradient for gradient, _ in pairs])
        except NotImplementedError as error:
            raise WrongContext(
                f"{type(self).__name__} needs the gradient of every replica, which "
                f"{strategy_name(tf.distribute.get_strategy())} does not hand out: use the aggregator 'sum' or 'mean', "
                "or another strategy, such as tf.distribute.MirroredStrategy"
            ) from error
        return [(self.combine(values), variable) for values, (_, variable) in zip(stacked, pairs, strict=True)]

    def _refuse_sparse(self, pairs: Sequence[Pair]) -> None:
        for gradient, variable in pairs:
            if isinstance(gradient, tf.IndexedSlices):
                raise InvalidGradients(
                    f"{type(self).__name__} cannot combine sparse gradients, as that of {shared_name(variable)!r}: "
                    "replicas hold different rows. Use the aggregator 'sum' or 'mean', or make the gradient dense with "
                    "tf.convert_to_tensor(gradient)"
                )

    @abc.abstractmethod
    def combine(self, gradients: Any) -> Any:
        """Override: return one gradient for those of all replicas, stacked ``[replicas, *shape]``."""


class Exclusion:
    """Variables that a transformer leaves alone, by regular expressions for their names.

    Args:
        owner: Name of the transformer, for messages.
        patterns: Regular expressions of which one must be found in the name; one text stands for itself.

    Raises:
        HyperparameterTypeError: Not text.
        InvalidHyperparameter: Not a regular expression.
    """

    def __init__(self, owner: str, patterns: Any) -> None:
        listed = [patterns] if isinstance(patterns, str) else list(patterns)
        if not all(isinstance(pattern, str) for pattern in listed):
            raise HyperparameterTypeError(
                f"{owner}: exclude must be regular expressions such as ('bias', 'norm'), received {patterns!r}"
            )
        try:
            self._patterns = [re.compile(pattern) for pattern in listed]
        except re.error as error:
            raise InvalidHyperparameter(f"{owner}: exclude holds no regular expression: {error}") from None

    def __contains__(self, variable: Any) -> bool:
        return any(pattern.search(shared_name(variable)) for pattern in self._patterns)
