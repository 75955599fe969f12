"""What a sparse gradient may look like: the indices, the dtype and the shape of the table."""

from __future__ import annotations

from typing import Any

import numpy as np

from optreg.conformance.capabilities import SPARSE
from optreg.conformance.checks.sparse import check_a_sparse_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand_close, demand_equal
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import TableTraining, value_of

_ROWS = ([4, 0, 1], [2, 5, 2])
_TABLES = ((6,), (6, 2, 3))
_TOLERANCE = {"float16": 0.01, "bfloat16": 0.06}


@check(
    "The sparse update assumes int64 indices. Take them as they come: tf.gather and the scatter methods do.",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE,
    group="sparse",
)
def check_indices_of_either_dtype_are_taken(subject: Subject) -> None:
    """int32 indices, as integer features have them, make the step of int64 ones."""
    wide, narrow = (TableTraining(subject.brisk(), subject.dtype) for _ in range(2))
    for number, rows in enumerate(_ROWS):
        gradient = wide.slices(rows, number)
        wide.apply(gradient)
        narrow.apply(tf.IndexedSlices(gradient.values, tf.cast(gradient.indices, tf.int32), gradient.dense_shape))
    demand_close([narrow.value], [wide.value], "the table after gradients with int32 indices")


@check(
    "A coefficient of the sparse update has a fixed dtype. Compute it in _prepare_local for var_dtype.",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE,
    group="sparse",
)
def check_every_declared_dtype_takes_sparse_gradients(subject: Subject) -> None:
    """A table of each declared dtype makes the same steps, as precisely as it can hold them."""
    tables = {dtype: TableTraining(subject.brisk(), dtype) for dtype in dict.fromkeys((subject.dtype, *subject.dtypes))}
    for training in tables.values():
        for number, rows in enumerate(_ROWS):
            training.apply(training.slices(rows, number))
    expected = tables[subject.dtype].value
    for dtype, training in tables.items():
        demand_equal(training.table.dtype.name, dtype, "dtype of the table after training")
        tolerance = _TOLERANCE.get(dtype, 1e-4)
        demand_close([training.value], [expected], f"the {dtype} table after sparse steps", tolerance=tolerance)


@check(
    "The sparse update assumes rows of one axis. Broadcast over whatever axes grad has beyond the first.",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE,
    group="sparse",
)
def check_tables_of_every_rank_take_sparse_gradients(subject: Subject) -> None:
    """Rows may be numbers, as biases of items are, or have several axes; they move as rows of one axis do."""
    flat = TableTraining(subject.brisk(), subject.dtype)
    start = np.asarray(flat.value).real
    for shape in _TABLES:
        columns = int(np.prod(shape[1:], dtype=int))
        values = np.resize(start, (shape[0], columns))
        shaped, plain = (_table(values.reshape(form), subject.dtype) for form in (shape, (shape[0], columns)))
        optimizers = subject.brisk(), subject.brisk()
        for number, rows in enumerate(_ROWS):
            gradient = np.resize(np.asarray(flat.slices(rows, number).values), (len(rows), columns))
            for optimizer, table in zip(optimizers, (shaped, plain), strict=True):
                given = tf.cast(gradient.reshape((len(rows), *table.shape[1:])), table.dtype)
                slices = tf.IndexedSlices(given, tf.constant(rows, tf.int64), tf.constant(table.shape, tf.int64))
                optimizer.apply_gradients([(slices, table)])
        received = value_of(shaped).reshape(shape[0], columns)
        demand_close([received], [value_of(plain)], f"a table of shape {shape} after sparse steps")


def _table(values: np.ndarray, dtype: str) -> Any:
    return tf.Variable(tf.cast(values, dtype), name="table")
