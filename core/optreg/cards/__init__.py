"""Optimizer cards: what is known of an optimizer, without importing it."""

from optreg.cards.card import (
    API_VERSION,
    OLDEST_API,
    SPARSE_MEANING,
    Card,
    Deprecated,
    ExpectedFailure,
    HyperparameterCard,
    Interval,
    OptimizerCard,
    Paper,
    Slot,
    SparseMode,
    sparse_meanings,
)

__all__ = [
    "API_VERSION",
    "OLDEST_API",
    "SPARSE_MEANING",
    "Card",
    "Deprecated",
    "ExpectedFailure",
    "HyperparameterCard",
    "Interval",
    "OptimizerCard",
    "Paper",
    "Slot",
    "SparseMode",
    "sparse_meanings",
]
