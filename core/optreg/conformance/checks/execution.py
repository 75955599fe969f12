"""Execution: the step is the same eagerly, in a graph and compiled, and a graph is traced once."""

from __future__ import annotations

from typing import Any

from optreg.conformance.capabilities import COMPILED, NOT_COMPILED, SPARSE, SPARSE_COMPILED
from optreg.conformance.checks.hyperparameters import adjustable
from optreg.conformance.checks.sparse import check_a_sparse_step_can_be_made
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand_close, demand_equal
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import TABLE_SHAPE, TableTraining, Training

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
    """After ``build`` a step is traced once, whatever hyperparameters become; without, not after its first call."""
    for built in (True, False):
        training = Training(subject.brisk(), subject.dtype)
        if built:
            training.optimizer.build(training.variables)
        step = tf.function(training.apply)
        training.steps(1, step)
        # TensorFlow itself traces a function twice when variables appear in it.
        expected = 1 if built else step.experimental_get_tracing_count()
        for name in adjustable(subject):
            setattr(training.optimizer, name, subject.two_values(name)[0])
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


@check(
    "The sparse update uses an operation that XLA cannot compile, such as tf.unique or tf.where. Replace it, or "
    "declare xla=False.",
    requires=(check_a_traced_sparse_step_equals_the_eager_one, check_a_compiled_step_equals_the_eager_one),
    capability=SPARSE_COMPILED,
)
def check_a_compiled_sparse_step_equals_the_eager_one(subject: Subject) -> None:
    """An embedding trains under ``jit_compile=True`` as it does eagerly, repeated rows among it."""
    eager, compiled = (TableTraining(subject.brisk(), subject.dtype) for _ in range(2))
    compiled.optimizer.build([compiled.table])

    def step(values: Any, indices: Any) -> None:
        compiled.apply(tf.IndexedSlices(values, indices, tf.constant(TABLE_SHAPE, tf.int64)))

    function = tf.function(step, jit_compile=True)
    for number, rows in enumerate(([4, 0, 4], [2, 5, 2], [1, 3, 0])):
        gradient = eager.slices(rows, number)
        eager.apply(gradient)
        function(gradient.values, gradient.indices)
    demand_close([compiled.value], [eager.value], "the table after compiled sparse steps", tolerance=1e-4)


@check(
    "A branch of the update is taken under XLA only, and gives other numbers. Correct it and declare xla=True, or let "
    "it raise.",
    requires=(check_a_traced_step_equals_the_eager_one,),
    capability=NOT_COMPILED,
)
def check_undeclared_compilation_fails_or_is_right(subject: Subject) -> None:
    """Without ``xla=True`` a compiled step may be an error, and must not be another step."""
    eager = Training(subject.brisk(), subject.dtype).steps(_STEPS)
    compiled = Training(subject.brisk(), subject.dtype)
    compiled.optimizer.build(compiled.variables)
    try:
        compiled.steps(_STEPS, tf.function(compiled.apply, jit_compile=True))
    # Which error comes out of the compiler, or of foreign code, is not for the card to say.
    except Exception:
        return
    demand_close(compiled.values, eager.values, f"weights after {_STEPS} undeclared compiled steps", tolerance=1e-4)


@check(
    "Tensors of one trace are kept in Python and used in another. Keep them in apply_state, which is made anew for "
    "each step.",
    requires=(check_a_traced_step_equals_the_eager_one,),
)
def check_two_functions_may_train_with_one_optimizer(subject: Subject) -> None:
    """One optimizer in two traced functions, each for variables of its own, trains as it does eagerly."""
    eager, traced = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    for training in (eager, traced):
        training.optimizer.build(training.variables)
    steps = [_part(traced, part) for part in _PARTS]
    for number in range(_STEPS):
        for part, step in zip(_PARTS, steps, strict=True):
            given = eager.gradients(number)[part]
            eager.optimizer.apply_gradients(list(zip(given, eager.variables[part], strict=True)))
            step(given)
    demand_close(traced.values, eager.values, "weights of two tf.functions that share an optimizer")


_PARTS = (slice(0, 1), slice(1, None))


def _part(training: Training, part: slice) -> Any:
    def step(gradients: Any) -> None:
        training.optimizer.apply_gradients(list(zip(gradients, training.variables[part], strict=True)))

    return tf.function(step)


@check(
    "The update reads grad.shape, which may be unknown in a trace. Use var.shape, or tf.shape(grad).",
    requires=(check_a_traced_step_equals_the_eager_one,),
)
def check_gradients_of_unknown_shape_are_taken(subject: Subject) -> None:
    """A gradient that lost its static shape on the way, as in ``tf.py_function``, makes the same step."""
    eager, traced = (Training(subject.brisk(), subject.dtype) for _ in range(2))
    unknown = tf.TensorSpec(None, subject.dtype)
    step = tf.function(lambda *given: traced.apply(given), input_signature=[unknown] * len(traced.variables))
    eager.steps(2)
    traced.steps(2, lambda given: step(*given))
    demand_close(traced.values, eager.values, "weights after gradients of unknown static shape")
