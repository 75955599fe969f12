"""Sparse gradients: what is declared holds row by row, and what is not declared is refused."""

from __future__ import annotations

from optreg.conformance.capabilities import NOT_SPARSE, SPARSE, SPARSE_EXACT, SPARSE_LAZY, SPARSE_ROWS_ONLY
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand_close, demand_moved, demand_refusal, demand_same
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import TABLE_SHAPE, TableTraining, densified

# Rows present at each step. Row 3 is never touched; rows 0 and 1 rest after the first step, their slots not zero.
_SOME_ROWS = ([4, 0, 1], [2, 5], [5, 4])
_REPEATED_ROWS = ([4, 1, 4, 4], [2, 2], [1, 5, 1])
_ALL_ROWS = ([3, 0, 5, 1, 4, 2], [5, 4, 3, 2, 1, 0])


@check(
    "_resource_apply_sparse is missing, or raises.",
    requires=(check_a_first_step_can_be_made,),
    capability=SPARSE,
)
def check_a_sparse_step_can_be_made(subject: Subject) -> None:
    """A step with ``tf.IndexedSlices``, as an embedding gives them, moves the rows present."""
    training = TableTraining(subject.brisk(), subject.dtype)
    before = training.value
    training.apply(training.slices(_SOME_ROWS[0], 0))
    present = _SOME_ROWS[0]
    demand_moved([training.value[present]], [before[present]], f"rows {present} of a sparse gradient")


@check(
    "The sparse rule differs from the dense one, or takes the rows of the gradient for rows of the variable: grad[i] "
    "belongs to row indices[i].",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE,
)
def check_a_sparse_gradient_of_all_rows_equals_the_dense_one(subject: Subject) -> None:
    """With every row present, in any order, sparse and dense gradients make the same step."""
    _demand_as_dense(subject, _ALL_ROWS)


@check(
    "Rows that are absent were left alone. With sparse='exact' their slots decay and move them too; else "
    "declare 'lazy'.",
    requires=(check_a_sparse_gradient_of_all_rows_equals_the_dense_one,),
    capability=SPARSE_EXACT,
)
def check_absent_rows_move_as_with_zeros(subject: Subject) -> None:
    """An exact optimizer treats rows that are absent like rows whose gradient is zero."""
    _demand_as_dense(subject, _SOME_ROWS)


@check(
    "The slots of absent rows reach the weights. Gather slots and weights by indices, and scatter them back.",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE_ROWS_ONLY,
)
def check_absent_rows_stay(subject: Subject) -> None:
    """With ``lazy`` and ``decaying``, a row moves only at the steps at which it is present."""
    training = TableTraining(subject.brisk(), subject.dtype)
    for number, rows in enumerate(_SOME_ROWS):
        before = training.value
        training.apply(training.slices(rows, number))
        absent = _absent(rows)
        demand_same([training.value[absent]], [before[absent]], f"rows {absent} at a step with rows {sorted(rows)}")


@check(
    "A slot decays as a whole. With sparse='lazy' it changes in the rows present only; else declare 'decaying'.",
    requires=(check_absent_rows_stay,),
    capability=SPARSE_LAZY,
)
def check_slots_of_absent_rows_stay(subject: Subject) -> None:
    """With ``lazy``, the slots of a row change only at the steps at which it is present."""
    training = TableTraining(subject.brisk(), subject.dtype)
    training.optimizer.build([training.table])
    for number, rows in enumerate(_SOME_ROWS):
        before = training.slots
        training.apply(training.slices(rows, number))
        absent = _absent(rows)
        for name, value in training.slots.items():
            demand_same([value[absent]], [before[name][absent]], f"slot {name!r} of rows {absent} that were absent")


@check(
    "_resource_apply_sparse_duplicate_indices was overridden though the rule is not linear in the gradient. "
    "Remove the override.",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE,
)
def check_repeated_rows_are_summed(subject: Subject) -> None:
    """A row that occurs several times in a gradient counts once, with the sum."""
    repeated, summed = (TableTraining(subject.brisk(), subject.dtype) for _ in range(2))
    for number, rows in enumerate(_REPEATED_ROWS):
        gradient = repeated.slices(rows, number)
        unique = sorted(set(rows))
        repeated.apply(gradient)
        sums = tf.gather(densified(gradient), unique)
        summed.apply(tf.IndexedSlices(sums, tf.constant(unique, tf.int64), gradient.dense_shape))
    demand_close([repeated.value], [summed.value], "the table after gradients with repeated rows")


@check(
    "The sparse update assumes at least one row, as reduce_max(indices) does.",
    requires=(check_a_sparse_step_can_be_made,),
    capability=SPARSE,
)
def check_a_gradient_without_rows_is_harmless(subject: Subject) -> None:
    """A batch that touches no row of a table makes a step of an otherwise equal zero gradient, or none."""
    empty, zero = (TableTraining(subject.brisk(), subject.dtype) for _ in range(2))
    for training in (empty, zero):
        training.apply(training.slices(_SOME_ROWS[0], 0))
    before = empty.value
    empty.apply(empty.slices([], 1))
    if subject.declared.sparse == "exact":
        zero.apply(tf.zeros_like(zero.table))
        demand_close([empty.value], [zero.value], "the table after a gradient without rows")
    else:
        demand_same([empty.value], [before], "the table after a gradient without rows")


@check(
    "The class has a sparse update, and its card says sparse='none'. Declare 'lazy', 'exact' or 'decaying', "
    "and it is tested.",
    requires=(check_a_first_step_can_be_made,),
    capability=NOT_SPARSE,
    every_variant=False,
)
def check_an_undeclared_sparse_gradient_is_refused(subject: Subject) -> None:
    """Without declared sparse behaviour, ``tf.IndexedSlices`` are an error and move nothing."""
    training = TableTraining(subject.brisk(), subject.dtype)
    before = training.value
    with demand_refusal("a sparse gradient", NotImplementedError, naming="sparse"):
        training.apply(training.slices(_SOME_ROWS[0], 0))
    demand_same([training.value], [before], "the table after a sparse gradient was refused")


def _demand_as_dense(subject: Subject, rows_of_steps: tuple[list[int], ...]) -> None:
    sparse, dense = (TableTraining(subject.brisk(), subject.dtype) for _ in range(2))
    for number, rows in enumerate(rows_of_steps):
        gradient = sparse.slices(rows, number)
        sparse.apply(gradient)
        dense.apply(densified(gradient))
        demand_close([sparse.value], [dense.value], f"the table after step {number + 1}, rows {rows}, against dense")


def _absent(rows: list[int]) -> list[int]:
    return [row for row in range(TABLE_SHAPE[0]) if row not in rows]
