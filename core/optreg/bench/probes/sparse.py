"""What happens to the rows of an embedding table when a gradient names only some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from optreg.bench.probes.probe import Group
from optreg.bench.probes.trial import NotApplicable, Trial, Walker

SPARSE = Group("sparse")
_ROWS, _WIDTH = 5, 3


def _table() -> np.ndarray:
    return np.linspace(-1, 1, _ROWS * _WIDTH).reshape(_ROWS, _WIDTH)


def _rows(values: np.ndarray, indices: Sequence[int]) -> tf.IndexedSlices:
    return tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(indices, tf.int32), (_ROWS, _WIDTH))


def _walked(trial: Trial, gradients: Sequence[object]) -> np.ndarray:
    walker = Walker(trial.optimizer(), [_table()])
    try:
        for gradient in gradients:
            walker.step([gradient])
    except NotImplementedError as error:
        raise NotApplicable("it refuses sparse gradients") from error
    return walker.weights[0]


def _dense(values: np.ndarray, indices: Sequence[int]) -> np.ndarray:
    gradient = np.zeros((_ROWS, _WIDTH))
    np.add.at(gradient, list(indices), values)
    return gradient


@SPARSE.probe(
    "Does the first sparse gradient move its rows like the dense one?",
    yes="An embedding learns like any other weight in the first step.",
    no="Rows of a sparse gradient move differently from the same gradient given dense.",
)
def first_step_as_dense(trial: Trial) -> bool:
    values, indices = np.array([[1.0, -2.0, 0.5], [0.3, 0.1, -1.0]]), (3, 1)
    sparse = _walked(trial, [_rows(values, indices)])
    dense = _walked(trial, [_dense(values, indices)])
    return bool(np.allclose(sparse[list(indices)], dense[list(indices)], rtol=1e-5, atol=1e-7))


@SPARSE.probe(
    "Do sparse gradients give exactly what dense ones give, over many steps and in all rows?",
    yes="Sparse gradients are only a saving: the result is that of dense ones.",
    no="Sparse gradients train differently from dense ones: rows that are absent are treated in another way.",
)
def always_as_dense(trial: Trial) -> bool:
    steps = [(np.array([[1.0, -2.0, 0.5], [0.3, 0.1, -1.0]]) * (1 + step), (step % _ROWS, 4)) for step in range(4)]
    sparse = _walked(trial, [_rows(*step) for step in steps])
    dense = _walked(trial, [_dense(*step) for step in steps])
    return bool(np.allclose(sparse, dense, rtol=1e-5, atol=1e-7))


@SPARSE.probe(
    "Do rows without a gradient stay where they are?",
    yes="Only the rows that were looked up are touched: fast, and rare rows do not drift.",
    no="Rows without a gradient go on moving on what they remember, or decay.",
)
def absent_rows_stay(trial: Trial) -> bool:
    values = np.ones((2, _WIDTH))
    before = _walked(trial, [_rows(values, (0, 2))])
    after = _walked(trial, [_rows(values, (0, 2)), *[_rows(values[:1], (3,))] * 3])
    return bool(np.array_equal(before[[0, 2]], after[[0, 2]]))


@SPARSE.probe(
    "Are the gradients of a row that is named twice added up?",
    yes="A row that a batch looks up twice gets the sum, as it should.",
    no="A row that a batch looks up twice does not get the sum of its gradients.",
)
def repeated_rows(trial: Trial) -> bool:
    values = np.array([[1.0, 2.0, 0.5], [0.5, -1.0, 0.25]])
    twice = _walked(trial, [_rows(values, (2, 2))])
    once = _walked(trial, [_rows(values.sum(axis=0, keepdims=True), (2,))])
    return bool(np.allclose(twice, once, rtol=1e-5, atol=1e-7))


@SPARSE.probe(
    "Is a sparse gradient without any row harmless?",
    yes="A batch that looks up nothing changes nothing.",
    no="A batch that looks up nothing changes the weights.",
)
def no_rows(trial: Trial) -> bool:
    return bool(np.array_equal(_walked(trial, [_rows(np.zeros((0, _WIDTH)), ())]), np.float32(_table())))
