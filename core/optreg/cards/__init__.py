"""Optimizer cards: what is known of an optimizer, without importing it."""

from optreg.cards.card import (
    API_VERSION,
    SPARSE_MEANING,
    Card,
    ExpectedFailure,
    HyperparameterCard,
    Interval,
    OptimizerCard,
    Paper,
    Slot,
    SparseMode,
)

__all__ = [
    "API_VERSION",
    "SPARSE_MEANING",
    "Card",
    "ExpectedFailure",
    "HyperparameterCard",
    "Interval",
    "OptimizerCard",
    "Paper",
    "Slot",
    "SparseMode",
]
