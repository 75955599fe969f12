"""Which optimizers are to be measured: names, patterns, and names with hyperparameters."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optreg.errors import OptregError, UnknownOptimizer
from optreg.registry.default import list_optimizers

_WILDCARDS = frozenset("*?")


class InvalidSelection(OptregError, ValueError):
    """What stands in brackets behind an optimizer's name cannot be read as hyperparameters."""


@dataclass(frozen=True)
class Choice:
    """One optimizer to measure: the name to look up, and the hyperparameters that differ from its defaults."""

    name: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The choice as a user would type it, such as ``sgd[momentum=0.9]``."""
        if not self.hyperparameters:
            return self.name
        return f"{self.name}[{','.join(f'{key}={value!r}' for key, value in self.hyperparameters.items())}]"


def parse_choice(text: str) -> Choice:
    """Read ``"sgd"`` or ``"sgd[learning_rate=0.1,momentum=0.9]"``.

    Values are Python literals; a bare word stands for a string.

    Raises:
        InvalidSelection: The brackets do not hold ``name=value`` pairs.
    """
    name, bracket, rest = text.strip().partition("[")
    if not name or (bracket and not rest.endswith("]")):
        raise InvalidSelection(_complaint(text))
    return Choice(name.strip(), _parse_pairs(rest[:-1], text) if bracket else {})


def select(names: Sequence[str]) -> tuple[Choice, ...]:
    """Return the choices that the names and patterns stand for, each once; all ready optimizers for no names.

    Raises:
        UnknownOptimizer: A pattern matches nothing.
        InvalidSelection: A name's brackets cannot be read.
    """
    choices = [choice for name in names or ("*",) for choice in _expand(parse_choice(name))]
    return tuple({choice.label: choice for choice in choices}.values())


def _expand(choice: Choice) -> Iterable[Choice]:
    if not _WILDCARDS & set(choice.name):
        return [choice]
    found = list_optimizers(choice.name, state="ready")
    if not found:
        raise UnknownOptimizer(f"no ready optimizer matches {choice.name!r}; optreg list shows what is installed")
    return [Choice(name, choice.hyperparameters) for name in found]


def _parse_pairs(pairs: str, text: str) -> dict[str, Any]:
    # The pairs have the grammar of keyword arguments, so Python's parser splits them; nothing is evaluated.
    try:
        call = ast.parse(f"_({pairs})", mode="eval").body
    except SyntaxError as error:
        raise InvalidSelection(_complaint(text)) from error
    # A closing bracket among the pairs would end the call early: "a=1)(b=2" calls the result of a call.
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise InvalidSelection(_complaint(text))
    if not all(pair.arg for pair in call.keywords):  # **pairs has no name
        raise InvalidSelection(_complaint(text))
    return {str(keyword.arg): _value(keyword.value, text) for keyword in call.keywords}


def _value(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Name):
        return node.id
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise InvalidSelection(_complaint(text)) from error


def _complaint(text: str) -> str:
    return f"cannot read {text!r} as an optimizer; write a name such as adam, or adam[learning_rate=0.01,beta_1=0.8]"
