"""The short way to write an optimizer: the mathematics of one step as one function, and everything else follows."""

from __future__ import annotations

import abc
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from optreg.cards.rule_options import with_rule_options
from optreg.errors import HyperparameterTypeError, InvalidHyperparameter
from optreg.optimizer.authoring import ApplyState, update_dtype
from optreg.optimizer.contract import Optimizer
from optreg.optimizer.distribution import shared_name
from optreg.optimizer.rules.fused import fused, is_worth_fusing
from optreg.optimizer.rules.signature import RuleSignature


class UpdateRule(Optimizer):
    """Base of optimizers that are one function of gradient, value and slots.

    A subclass writes a docstring, a ``card`` and one method::

        def update(self, gradient, value, momentum, *, learning_rate=0.01, beta=0.9):
            momentum = beta * momentum + gradient
            return value - learning_rate * momentum, momentum

    The positional arguments after ``value`` are the slots, named and ordered as in the card, and ``step`` (the number
    of this step from 1, a scalar) where the rule needs it. The keyword arguments with their defaults are the
    hyperparameters. It returns the new value, or a tuple of it and the new slots.

    From it come the constructor, dense and sparse updates, the configuration, and decoupled weight decay:
    ``weight_decay`` subtracts ``learning_rate * weight_decay * value`` from every variable whose name matches none of
    the regular expressions in ``exclude_from_weight_decay``. Large variables are updated by one kernel that XLA makes
    of the rule, where the card says ``xla=True``. Tensors arrive in at least float32, whatever the variable's dtype,
    and results are rounded last. The card's ``sparse`` decides what a sparse gradient does: ``"lazy"`` applies the rule
    to the rows present, ``"exact"`` to the whole variable, ``"none"`` refuses it.

    Raises:
        IncompleteOptimizer: When the class is made: the arguments of ``update`` are not the card's slots.
    """

    _rule: RuleSignature

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.update is UpdateRule.update:
            return  # a base for rules
        cls._rule = RuleSignature.of(cls)
        cls.card = with_rule_options(cls.card)
        if cls.card.sparse == "none":
            cls._resource_apply_sparse = Optimizer._resource_apply_sparse  # type: ignore[method-assign]
        if "__init__" not in vars(cls):
            cls.__init__ = cls._rule.constructor()  # type: ignore[method-assign]

    @abc.abstractmethod
    def update(self, gradient: Any, value: Any, *slots: Any, **hyperparameters: Any) -> Any:
        """Override: return the new value and slots. ``gradient``, ``value`` and slots have the variable's shape."""

    def _set_up(self, name: str, settings: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Construct the optimizer: ``settings`` are the rule's own arguments, ``options`` those of the contract."""
        super().__init__(name, **options)
        self._hyperparameters.declare_real(self._rule.numbers)
        for key in self._rule.numbers:
            self._set_hyper(key, options.get("lr", settings[key]) if key == "learning_rate" else settings[key])
        for key in self._rule.settings:
            setattr(self, key, settings[key])
        self._set_hyper("weight_decay", settings["weight_decay"])
        self.exclude_from_weight_decay = _patterns(type(self).__name__, settings["exclude_from_weight_decay"])

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for slot in self.card.slots:
            for var in var_list:
                self.add_slot(var, slot.name, shape=() if slot.scalar else None)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        wide = update_dtype(var_dtype)
        numbers = {
            name: self._decayed_lr(wide) if name == "learning_rate" else self._get_hyper(name, wide)
            for name in (*self._rule.numbers, "weight_decay")
        }
        decay_share = numbers.pop("weight_decay") * numbers.get("learning_rate", 1.0)
        apply_state[(var_device, var_dtype)] = {
            **{name: tf.identity(value) for name, value in numbers.items()},
            "decay_share": decay_share,
            **({"step": tf.cast(self.iterations + 1, wide)} if self._rule.takes_step else {}),
        }

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        state = [var, *(self.get_slot(var, slot.name) for slot in self.card.slots)]
        decays = self._decays(var)

        def assign(grad: Any, state: Sequence[Any], coefficients: Mapping[str, Any]) -> list[Any]:
            new = self._updated(grad, state, coefficients, decays=decays)
            pairs = zip(state, new, strict=True)
            return [target.assign(tf.cast(value, target.dtype), read_value=False) for target, value in pairs]

        if self.card.xla and is_worth_fusing(var):
            settings = tuple(repr(getattr(self, name)) for name in self._rule.settings)
            compiled = self.__dict__.setdefault("_compiled", {})
            return fused(compiled, (decays, settings), assign)(grad, state, coefficients)
        operations = assign(grad, state, coefficients)
        return None if tf.executing_eagerly() else tf.group(*operations)

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        if self.card.sparse == "exact":
            # Not through self: a subclass may extend both methods, and what it adds would be done twice.
            return UpdateRule._resource_apply_dense(self, self._made_dense(grad, var, indices), var, apply_state)
        state = [var, *(self.get_slot(var, slot.name) for slot in self.card.slots)]
        scalars = [False, *(slot.scalar for slot in self.card.slots)]
        rows = [target if whole else tf.gather(target, indices) for target, whole in zip(state, scalars, strict=True)]
        new = self._updated(grad, rows, self._coefficients(var, apply_state), decays=self._decays(var))
        return tf.group(
            *(
                target.assign(tf.cast(value, target.dtype))
                if whole
                else self._replace_rows(target, indices, tf.cast(value, target.dtype))
                for target, value, whole in zip(state, new, scalars, strict=True)
            )
        )

    def _updated(self, grad: Any, state: Sequence[Any], coefficients: Mapping[str, Any], *, decays: bool) -> list[Any]:
        """Return the new value and slots in the dtype of the arithmetic."""
        wide = coefficients["decay_share"].dtype
        gradient, value, *slots = (tf.cast(array, wide) for array in (grad, *state))
        positional = self._rule.arranged(slots, coefficients)
        keywords = {name: coefficients[name] for name in self._rule.numbers}
        keywords |= {name: getattr(self, name) for name in self._rule.settings}
        result = self.update(gradient, value, *positional, **keywords)
        new, *new_slots = result if isinstance(result, (tuple, list)) else (result,)
        if decays:
            new -= coefficients["decay_share"] * value
        return [new, *new_slots]

    def _decays(self, var: Any) -> bool:
        return not any(re.search(pattern, shared_name(var)) for pattern in self.exclude_from_weight_decay)

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with all arguments of the rule and its weight decay."""
        config = super().get_config() | {"decay": self._initial_decay}
        config |= {name: self._serialize_hyperparameter(name) for name in (*self._rule.numbers, "weight_decay")}
        config |= {name: getattr(self, name) for name in self._rule.settings}
        return config | {"exclude_from_weight_decay": list(self.exclude_from_weight_decay)}


def _patterns(owner: str, given: Any) -> tuple[str, ...]:
    """Return regular expressions as a tuple, checked.

    Raises:
        HyperparameterTypeError: Not a sequence of text; a single text is taken as one.
        InvalidHyperparameter: Not a regular expression.
    """
    patterns = (given,) if isinstance(given, str) else given
    if not isinstance(patterns, (tuple, list)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise HyperparameterTypeError(
            f"{owner}: exclude_from_weight_decay must be regular expressions such as ('bias', 'norm'), received "
            f"{given!r}"
        )
    try:
        re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    except re.error as error:
        raise InvalidHyperparameter(
            f"{owner}: exclude_from_weight_decay holds what is no regular expression, received {given!r}: {error}"
        ) from None
    return tuple(patterns)
