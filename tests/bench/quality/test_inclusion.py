from __future__ import annotations

from dataclasses import replace

import pytest

from optreg.bench.quality.inclusion import check_inclusion
from optreg.bench.quality.rates import Rates
from optreg.bench.tasks.catalogue import BUILT_IN

TASK = replace(BUILT_IN["cancer-batches"], steps=100)


@pytest.mark.parametrize(
    ("special", "general"),
    [
        ("sgd", ("sgd", "sgd[momentum=0.9]")),
        # With a large epsilon Adam divides by a constant: what is left is momentum with a correction at the start.
        ("sgd[momentum=0.9]", ("adam", "adam[epsilon=1.0]")),
    ],
)
def test_the_tuner_never_lets_the_general_optimizer_lose_to_its_special_case(
    special: str, general: tuple[str, ...]
) -> None:
    found = check_inclusion(special, general, TASK, plan=Rates(trials=7), seeds=4)
    assert found.holds, found
    assert found.chosen in general


def test_a_search_that_finds_nothing_is_found_out() -> None:
    # A learning rate that was given is not searched for: the general optimizer has nothing to show.
    found = check_inclusion("sgd", ("sgd[learning_rate=1e-9]",), TASK, plan=Rates(trials=3), seeds=4)
    assert not found.holds
