"""MNIST-1D, generated: ten curves, padded, scaled, shifted, sheared and drowned in noise, to be told apart.

S. Greydanus, D. Kobak: Scaling down deep learning with MNIST-1D. ICML 2024. https://arxiv.org/abs/2011.14439
The curves and the constants are those of the paper; the order of the random numbers is ours, so that the examples
are others of the same distribution. Published accuracies: logistic regression 32, perceptron 68, convolutions 94 %.
"""

from __future__ import annotations

import functools

import numpy as np

from optreg.bench.tasks.batches import generator, shuffled
from optreg.bench.tasks.classification import Examples, classification
from optreg.bench.tasks.networks import convolution_weights, series_network
from optreg.bench.tasks.sources import Need
from optreg.bench.tasks.task import Problem, Task

_EXAMPLES, _TRAINING = 5000, 4000
_LENGTH = 40
_PADDING = (36, 60)  # zeros appended to the twelve points, from .. below
_SCALE, _SHIFT, _SHEAR = 0.4, 48, 0.75
_CORRELATED, _INDEPENDENT = 0.25, 0.02  # deviations of the two noises
_BLUR = 2.0  # points; correlation length of the noise around the curve
_BATCH = 64
_CHANNELS = 25
_DATA_SEED = 42
_SCIPY = Need("scipy", module="scipy")

_CURVES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)


def mnist1d(seed: int, steps: int) -> Problem:
    """Return the problem of a seed; the 4,000 + 1,000 examples are the same for all seeds, as in the paper.

    Raises:
        MissingExtra: scipy is not installed.
    """
    _SCIPY.require()
    series, classes = examples()
    random = generator("mnist1d", seed)
    kernels = [(5, 1, _CHANNELS), (3, _CHANNELS, _CHANNELS), (3, _CHANNELS, _CHANNELS)]
    weights = convolution_weights(random, kernels, flat=5 * _CHANNELS, classes=10)  # three halvings of 40
    batches = shuffled(random, _TRAINING, batch=_BATCH, steps=steps)
    rows = np.arange(_EXAMPLES)
    split = Examples(series, classes, rows[:_TRAINING], rows[_TRAINING:])
    return classification(split, series_network, weights=weights, batches=batches)


@functools.cache
def examples() -> tuple[np.ndarray, np.ndarray]:
    """Return series ``[5000, 40]`` in float32 and classes ``[5000]``, shuffled."""
    random = np.random.default_rng(_DATA_SEED)
    classes = np.repeat(np.arange(10), _EXAMPLES // 10)
    series = np.stack([_example(curve, random) for curve in _templates()[classes]])
    order = random.permutation(_EXAMPLES)
    return series[order].astype(np.float32), classes[order].astype(np.int32)


def _templates() -> np.ndarray:
    """Return the curves ``[10, 12]`` with deviation 1/6, starting at 0."""
    curves = (_CURVES - _CURVES.mean(axis=1, keepdims=True)) / _CURVES.std(axis=1, keepdims=True)
    scaled: np.ndarray = (curves - curves[:, :1]) / 6
    return scaled


def _example(curve: np.ndarray, random: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - of the bench extra

    # Fewer zeros behind the curve make it wider once all is stretched to one length.
    padded = np.concatenate([curve + 1e-8, np.zeros(random.integers(*_PADDING))])
    stretched = _resampled(padded, len(curve) + _PADDING[1]) * (1 + _SCALE * (random.random() - 0.5))
    shifted = np.roll(stretched, random.integers(_SHIFT))
    noise = gaussian_filter(_CORRELATED * random.normal(size=len(shifted)), _BLUR)
    covered = np.where(shifted == 0, noise, shifted) + _INDEPENDENT * random.normal(size=len(shifted))
    slope = _SHEAR * (random.random() - 0.5) * np.linspace(-0.5, 0.5, len(shifted))
    return _resampled(covered - slope, _LENGTH)


def _resampled(values: np.ndarray, length: int) -> np.ndarray:
    return np.asarray(np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(values)), values))


MNIST1D = Task(
    name="mnist1d",
    summary="MNIST-1D, 4,000 generated series of 40 points, three convolutions of 25 channels",
    make=mnist1d,
    steps=930,
    epoch=62,
    suites=("quick", "standard"),
    source="generated",
    needs=(_SCIPY,),
    target=0.8,
    plausible=0.98,
)
