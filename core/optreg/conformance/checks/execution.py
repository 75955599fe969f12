"""Execution: the step is the same eagerly, in a graph and compiled, and a graph is traced once."""

from __future__ import annotations

from typing import Any

from optreg.conformance.capabilities import COMPILED, SPARSE
from optreg.conformance.checks.sparse import check_a_sparse_step_can_be_made
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand_close, demand_equal
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import TableTraining, Training

_STEPS = 4


@check(
    "A number of the step is kept in Python and frozen by the trace. Compute it from self.iterations.",
    requires=(check_a_first_step_can_be_made,),
)
def check_a_traced_step_equals_the_eager_one(subject: Subject) -> None:
    """Several calls of one ``tf.function`` make the steps that eager calls make."""
    eager = Training(subject.brisk(), subject.dtype).steps(_STEPS)
    traced = Training(subject.brisk(), subject.dtype)
    traced.steps(_STEPS, tf.function(traced.apply))
    demand_close(traced.values, eager.values, f"weights after {_STEPS} steps of a tf.function")


@check(
    "The update uses an operation that XLA cannot compile, or one that rounds differently. Replace it, or "
    "declare xla=False.",
    requires=(check_a_traced_step_equals_the_eager_one,),
    capability=COMPILED,
)
def check_a_compiled_step_equals_the_eager_one(subject: Subject) -> None:
    """Several calls of a ``tf.function(jit_compile=True)`` make the steps that eager calls make."""
    eager = Training(subject.brisk(), subject.dtype).steps(_STEPS)
    compiled = Training(subject.brisk(), subject.dtype)
    compiled.optimizer.build(compiled.variables)
    compiled.steps(_STEPS, tf.function(compiled.apply, jit_compile=True))
    demand_close(compiled.values, eager.values, f"weights after {_STEPS} compiled steps", tolerance=1e-4)


@check(
    "A variable is created inside the step. Create state in _create_slots, with add_slot or add_weight.",
    requires=(check_a_first_step_can_be_made,),
)
def check_one_trace_serves_all_steps(subject: Subject) -> None:
    """After ``build``, a ``tf.function`` is traced once; without it, not again after the first call."""
    for built in (True, False):
        training = Training(subject.brisk(), subject.dtype)
        if built:
            training.optimizer.build(training.variables)
        step = tf.function(training.apply)
        training.steps(1, step)
        # TensorFlow itself traces a function twice when variables appear in it.
        expected = 1 if built else step.experimental_get_tracing_count()
        training.steps(_STEPS - 1, step)
        moment = "after build()" if built else "none of them after the first step"
        demand_equal(step.experimental_get_tracing_count(), expected, f"traces in {_STEPS} steps, {moment}")


@check(
    "The sparse update keeps a number of the step, or the number of rows, in Python. Use tf.shape and self.iterations.",
    requires=(check_a_sparse_step_can_be_made, check_a_traced_step_equals_the_eager_one),
    capability=SPARSE,
)
def check_a_traced_sparse_step_equals_the_eager_one(subject: Subject) -> None:
    """One trace with an unknown number of rows makes the sparse steps that eager calls make."""
    eager, traced = (TableTraining(subject.brisk(), subject.dtype) for _ in range(2))
    gradients = [eager.slices(rows, number) for number, rows in enumerate(([4, 0], [2, 5, 2], [1]))]
    values = tf.TensorSpec((None, 3), traced.table.dtype)
    indices = tf.TensorSpec((None,), tf.int64)

    def step(values: Any, indices: Any) -> None:
        traced.apply(tf.IndexedSlices(values, indices, tf.shape(traced.table, tf.int64)))

    function = tf.function(step, input_signature=(values, indices))
    for gradient in gradients:
        eager.apply(gradient)
        function(gradient.values, gradient.indices)
    demand_close([traced.value], [eager.value], "the table after steps of one trace with 2, 3 and 1 rows")
