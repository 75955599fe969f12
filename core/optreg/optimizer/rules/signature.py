"""What the signature of a rule's ``update`` says: its slots, its hyperparameters, and the constructor that follows."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optreg.cards.rule_options import RULE_OPTIONS
from optreg.errors import IncompleteOptimizer, listing

_STEP = "step"
_BEFORE_SLOTS = 3  # self, gradient, value


@dataclass(frozen=True)
class RuleSignature:
    """The arguments of one rule.

    Args:
        owner: Name of the class.
        positional: Names after ``value``: slots, and ``step`` where the rule asks for it.
        defaults: Hyperparameter to default, in order.
        numbers: Those that are numbers, which may be tensors, callables or schedules later.
        settings: The others, such as flags, which are fixed when a step is traced.
    """

    owner: str
    positional: tuple[str, ...]
    defaults: Mapping[str, Any]
    numbers: tuple[str, ...]
    settings: tuple[str, ...]

    @classmethod
    def of(cls, rule: Any) -> RuleSignature:
        """Read the signature of a rule's class.

        Raises:
            IncompleteOptimizer: The arguments do not fit the card, or a hyperparameter has no default.
        """
        parameters = list(inspect.signature(rule.update).parameters.values())
        keywords = [item for item in parameters if item.kind is item.KEYWORD_ONLY]
        positional = [item.name for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD][_BEFORE_SLOTS:]
        _require_slots(rule, positional)
        for item in keywords:
            if item.default is item.empty:
                raise IncompleteOptimizer(f"{rule.__name__}.update(): give {item.name!r} a default value")
        defaults = {item.name: item.default for item in keywords}
        ranges = rule.card.ranges
        plain = tuple(name for name, default in defaults.items() if _is_number(default) and ranges.get(name) != "bool")
        return cls(rule.__name__, tuple(positional), defaults, plain, tuple(n for n in defaults if n not in plain))

    @property
    def takes_step(self) -> bool:
        """Whether the rule asks for the number of the step."""
        return _STEP in self.positional

    def arranged(self, slots: Sequence[Any], coefficients: Mapping[str, Any]) -> list[Any]:
        """Return the positional arguments after ``value``: the slots, and the step at its place."""
        remaining = iter(slots)
        return [coefficients[_STEP] if name == _STEP else next(remaining) for name in self.positional]

    def constructor(self) -> Callable[..., None]:
        """Return an ``__init__`` that takes the hyperparameters, the options of rules and those of the contract."""
        signature = self._constructor_signature()

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - becomes the method of that name
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            settings = dict(bound.arguments)
            del settings["self"]
            self._set_up(settings.pop("name"), settings, settings.pop("kwargs"))

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        return __init__

    def _constructor_signature(self) -> inspect.Signature:
        options = {option.name: option.default for option in RULE_OPTIONS}
        arguments = [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for name, default in {**self.defaults, **options, "name": self.owner}.items()
        ]
        return inspect.Signature(
            [
                inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY),
                *arguments,
                inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
            ]
        )


def _require_slots(rule: Any, positional: Sequence[str]) -> None:
    """Refuse a rule whose arguments are not the slots of its card, in their order."""
    if rule.card.sparse == "decaying":
        raise IncompleteOptimizer(
            f"{rule.__name__}: the card's sparse is 'decaying', which one function of the rows present cannot express; "
            "use 'lazy', 'exact' or 'none', or derive from optreg.Optimizer"
        )
    taken = [name for name in positional if name != _STEP]
    declared = [slot.name for slot in rule.card.slots]
    if taken != declared:
        raise IncompleteOptimizer(
            f"{rule.__name__}.update() takes {listing(taken)} after the value, and its card declares the slots "
            f"{listing(declared)}: name every slot once, in the same order"
        )


def _is_number(default: Any) -> bool:
    return isinstance(default, numbers.Real) and not isinstance(default, bool)
