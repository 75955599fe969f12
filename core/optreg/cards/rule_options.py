"""The arguments that every optimizer written as an ``UpdateRule`` takes beside its own."""

from __future__ import annotations

from dataclasses import replace

from optreg.cards.card import Card, HyperparameterCard

RULE_OPTIONS = (
    HyperparameterCard(
        "weight_decay",
        0.0,
        range="[0, inf)",
        meaning="Part of each weight that is taken away, times the learning rate (decoupled weight decay).",
    ),
    HyperparameterCard(
        "exclude_from_weight_decay",
        (),
        meaning="Regular expressions; variables whose name one of them is found in do not decay.",
    ),
)


def with_rule_options(card: Card) -> Card:
    """Return the card of a rule with the ranges of these arguments."""
    own = {option.name: option.range for option in RULE_OPTIONS if option.range}
    return replace(card, ranges={**card.ranges, **own})
