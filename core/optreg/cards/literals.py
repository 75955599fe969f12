"""Evaluating ``card = Card(...)`` from the source text: literals and the classes of cards, nothing else."""

from __future__ import annotations

import ast
from typing import Any

from optreg.cards import API_VERSION, SPARSE_MEANING, Card, Deprecated, ExpectedFailure, Interval, Paper, Slot
from optreg.errors import listing

_CLASSES: dict[str, Any] = {
    "Card": Card,
    "Deprecated": Deprecated,
    "ExpectedFailure": ExpectedFailure,
    "Paper": Paper,
    "Slot": Slot,
}


class UnreadableCard(Exception):
    """The card cannot be had from the source text; the message says why. Never leaves the reader."""


def evaluate_card(node: ast.expr) -> Card:
    """Turn the expression into the ``Card`` it would build, without running it.

    Raises:
        UnreadableCard: Something other than literals stands in it, or a value is of the wrong kind.
    """
    card = _evaluate(node)
    if not isinstance(card, Card):
        raise UnreadableCard(f"line {node.lineno}: 'card' must be Card(...), not {type(card).__name__}")
    problem = card_problem(card)
    if problem:
        raise UnreadableCard(f"line {node.lineno}: {problem}")
    return card


def card_problem(card: Card) -> str:
    """Return what is wrong with the values of a card, or an empty string."""
    expected = {
        "aliases": (tuple, str),
        "dtypes": (tuple, str),
        "limits": (tuple, str),
        "slots": (tuple, Slot),
        "expected_failures": (tuple, ExpectedFailure),
        "requires": (tuple, str),
        "deprecated": (tuple, Deprecated),
    }
    for name, (kind, item) in expected.items():
        value = getattr(card, name)
        if not isinstance(value, kind) or not all(isinstance(part, item) for part in value):
            return f"card field {name!r} must be a tuple of {item.__name__}, received {value!r}"
    if card.sparse not in SPARSE_MEANING:
        return f"card field 'sparse' must be one of {', '.join(SPARSE_MEANING)}, received {card.sparse!r}"
    texts = (
        ("reference", str, "'module:function'"),
        ("tensorflow", str, "a range such as '>=2.16,<3'"),
        ("api", int, "an integer"),
    )
    for name, type_, wanted in texts:
        if not isinstance(getattr(card, name), type_):
            return f"card field {name!r} must be {wanted}, received {getattr(card, name)!r}"
    if not all(isinstance(part, str) for old in card.deprecated for part in vars(old).values()):
        return f"card field 'deprecated' must hold texts, received {card.deprecated!r}"
    if card.paper is not None and not isinstance(card.paper, Paper):
        return f"card field 'paper' must be Paper(...), received {card.paper!r}"
    return _ranges_problem(card.ranges)


def _ranges_problem(ranges: Any) -> str:
    if not isinstance(ranges, dict):
        return f"card field 'ranges' must be a dictionary, received {ranges!r}"
    for name, text in ranges.items():
        if text != "bool" and not _is_interval(text):
            return f"card field 'ranges': {name!r} must be an interval such as '[0, 1)' or 'bool', received {text!r}"
    return ""


def _is_interval(text: Any) -> bool:
    try:
        Interval.parse(text)
    except (ValueError, AttributeError):
        return False
    return True


def _evaluate(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return _build(node)
    if isinstance(node, ast.Tuple):
        return tuple(_evaluate(part) for part in node.elts)
    if isinstance(node, ast.List):
        return [_evaluate(part) for part in node.elts]
    if isinstance(node, ast.Dict) and all(node.keys):
        return {_evaluate(key): _evaluate(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise UnreadableCard(f"line {node.lineno}: {_excerpt(node)} is not a literal") from None


def _build(node: ast.Call) -> Any:
    """Build a card class from a call with literal arguments."""
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    if name not in _CLASSES:
        raise UnreadableCard(f"line {node.lineno}: {_excerpt(node)} is a call; only {listing(_CLASSES)} may be called")
    positional = [_evaluate(argument) for argument in node.args]
    named = {keyword.arg: _evaluate(keyword.value) for keyword in node.keywords if keyword.arg}
    if len(named) != len(node.keywords):
        raise UnreadableCard(f"line {node.lineno}: '**' cannot be read without running it")
    if name == "Card" and isinstance(named.get("api"), int) and named["api"] > API_VERSION:
        # Fields that this optreg does not know yet must not hide the reason why they are there.
        named = {field: value for field, value in named.items() if hasattr(Card(), field)}
    try:
        return _CLASSES[name](*positional, **named)
    except (TypeError, ValueError) as error:
        raise UnreadableCard(f"line {node.lineno}: {error}") from None


def _excerpt(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return repr(text if len(text) <= 60 else text[:57] + "...")  # noqa: PLR2004 - one short line of an error
