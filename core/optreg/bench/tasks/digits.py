"""Handwritten digits of scikit-learn, 1797 images of 8 x 8 (Alpaydin and Kaynak 1998), for a small perceptron."""

from __future__ import annotations

from optreg.bench.tasks.batches import generator, held_out, shuffled, standardised
from optreg.bench.tasks.classification import Examples, classification
from optreg.bench.tasks.networks import dense_weights, perceptron
from optreg.bench.tasks.sources import Need
from optreg.bench.tasks.task import Problem, Task

_WIDTHS = (64, 128, 64, 10)
_HELD_OUT = 360  # of 1797, a fifth
_BATCH = 32
_SKLEARN = Need("scikit-learn", module="sklearn")


def digits(seed: int, steps: int) -> Problem:
    """Return the problem of a seed: split, initial weights and batches follow from it alone.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    _SKLEARN.require()
    from sklearn.datasets import load_digits  # noqa: PLC0415 - of the bench extra

    images, classes = load_digits(return_X_y=True)
    random = generator("digits", seed)
    training, unseen = held_out(random, len(images), count=_HELD_OUT)
    scaled = standardised(images, training).astype("float32")
    weights = dense_weights(random, _WIDTHS)
    batches = shuffled(random, len(training), batch=_BATCH, steps=steps)
    return classification(Examples(scaled, classes, training, unseen), perceptron, weights=weights, batches=batches)


DIGITS = Task(
    name="digits",
    summary="1,797 handwritten digits of 8 x 8, perceptron 64-128-64-10",
    make=digits,
    steps=440,
    epoch=44,
    suites=("smoke", "quick", "standard"),
    source="scikit-learn",
    needs=(_SKLEARN,),
    target=0.95,
    plausible=0.998,
)
