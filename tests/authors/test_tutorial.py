"""A plugin from ``optreg new`` to ``pip uninstall`` in a fresh environment, in both ways of writing."""

from __future__ import annotations

import re

import pytest
from tests.authors.session import Author, steps
from tests.authors.tutorial import PAGE, STEPS, block, followed, recorded

TRAINING = """
import optreg
import tensorflow as tf

weight = tf.Variable([3.0, -2.0])
optimizer = optreg.get_optimizer("polyak", learning_rate=0.05, momentum=0.5)
for _ in range(100):
    optimizer.minimize(lambda: tf.reduce_sum(weight**2), [weight])
print(abs(weight.numpy()).max() < 0.01)
"""


def without_numbers(text: str) -> list[str]:
    """Return the words, with one mark for every number: times, versions and widths differ from run to run."""
    return re.sub(r"\d+(\.\d+)*", "N", text).split()


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    shown, printed = recorded(page), followed(page, tmp_path)
    assert list(shown) == [step.name for step in STEPS]
    assert printed["train"] == "True\n"
    assert re.search(r"\nsignum +graph +optreg +\d", printed["bench"])
    for name in set(shown) - {"bench"}:  # which marks its rows get is a matter of the machine
        assert without_numbers(block(name, printed)) == without_numbers(shown[name]), name


@pytest.mark.slow
def test_an_optimizer_written_as_a_class_lives_the_same_life(tmp_path):
    shown_above = ("list", "info", "bench")  # which do not depend on the way of writing
    session = [step for step in steps("polyak", "--style class") if step.name not in shown_above]
    printed = Author(tmp_path).live(session, lambda package: (package / "train.py").write_text(TRAINING))
    assert " 0 failed, 0 warned, 0 expected" in printed["validate"]
    assert printed["train"] == "True\n"
    assert "5 passed" in printed["test"]
    assert "There is no optimizer 'polyak'" in printed["gone"]
