"""Listing by wildcard, exclusion, distribution, state and capability."""

from __future__ import annotations

import pytest

import optreg
from optreg.cards.state_size import bytes_per_parameter, variants
from optreg.registry import Registry

CARDS = """
class Ada:
    card = Card(aliases=("old-ada",), sparse="lazy", dtypes=("float32", "bfloat16"), xla=True,
                slots=(Slot("v"), Slot("h", when="h"), Slot("n", scalar=True), Slot("d", at_least="float64", when="d")))

    def __init__(self, h=0.0, d=True): ...


class Plain:
    card = Card(dtypes=("complex64",))


class Bad:
    card = Card(aliases=NAMES)
"""


@pytest.fixture
def registry(site):
    entries = {"ada_one": "cards_module:Ada", "plain": "cards_module:Plain", "bad": "cards_module:Bad"}
    site.install("pack", {"cards_module.py": CARDS}, **entries)
    return Registry([str(site.folder)])


@pytest.mark.parametrize(
    ("patterns", "filters", "expected"),
    [
        ((), {}, ["ada_one", "bad", "plain"]),
        (("ADA*",), {}, ["ada_one"]),
        (("ada-?ne", "bad"), {}, ["ada_one", "bad"]),
        (("pack/*",), {"exclude": "b*"}, ["ada_one", "plain"]),
        (("old*",), {}, ["ada_one"]),
        ((), {"exclude": ["old_*", "p*"]}, ["bad"]),
        ((), {"distribution": "PA*"}, ["ada_one", "bad", "plain"]),
        ((), {"distribution": "other"}, []),
        ((), {"state": "ready"}, ["ada_one", "plain"]),
        ((), {"state": "broken"}, ["bad"]),
        ((), {"state": "missing-dependency"}, []),
        ((), {"capability": "sparse"}, ["ada_one"]),
        ((), {"capability": "sparse-lazy"}, ["ada_one"]),
        ((), {"capability": "bfloat16"}, ["ada_one"]),
        ((), {"capability": "complex"}, ["plain"]),
        ((), {"capability": "float16"}, []),
    ],
)
def test_a_listing_is_narrowed_by_each_filter(registry, patterns, filters, expected):
    assert registry.list_optimizers(*patterns, **filters) == expected


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"state": "reddy"}, "There is no state 'reddy'. Did you mean 'ready'? Allowed: ambiguous, broken"),
        (
            {"capability": "sprase"},
            "There is no capability 'sprase'. Did you mean 'sparse'? Allowed: bfloat16, complex",
        ),
    ],
)
def test_a_word_that_means_nothing_is_an_error_with_the_allowed_words(registry, filters, message):
    with pytest.raises(optreg.InvalidFilter) as caught:
        registry.list_optimizers(**filters)
    assert str(caught.value).startswith(message)


def test_the_bytes_of_state_follow_the_slots_and_the_hyperparameters(registry):
    card = registry.optimizer_info("ada_one").card
    assert bytes_per_parameter(card) == 4 + 8
    assert bytes_per_parameter(card, "bfloat16", d=False) == 2
    assert variants(card) == {"h>0": 16, "d=False": 4}
    assert bytes_per_parameter(registry.optimizer_info("bad").card) is None
