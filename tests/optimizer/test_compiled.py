"""``tf.function(jit_compile=True)``: the step alone and inside larger compiled functions, against eager steps."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
import tensorflow as tf
from tests.plugins.transcriptions import FAMILY

import optreg
from optreg.optimizer import is_compiled_by_xla

COMPILED = optreg.list_optimizers(distribution="optreg", capability="xla")
SPARSE = [name for name in COMPILED if name in optreg.list_optimizers(capability="sparse")]
START = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(6, 2)
OPTIONS = {
    "decay": lambda: {"decay": 0.5, "clipvalue": 2.0},
    "schedule": lambda: {"learning_rate": Halving(0.1)},
    "clipnorm": lambda: {"clipnorm": 0.5},
    "clipvalue": lambda: {"clipvalue": 0.3},
    "global_clipnorm": lambda: {"global_clipnorm": 0.5},
    "transformer": lambda: {"gradient_transformers": [lambda pairs: [(tf.tanh(g), v) for g, v in pairs]]},
    "callable": lambda: {"learning_rate": lambda: tf.constant(0.05)},
}


class Halving:
    """A learning rate that is halved every two steps."""

    def __init__(self, first):
        self.first = first

    def __call__(self, step):
        return self.first * 0.5 ** tf.floor(tf.cast(step, tf.float32) / 2.0)

    def get_config(self):
        return {"first": self.first}


class Training:
    """An optimizer and the variables of a small model, with a step that computes loss, gradients and update."""

    def __init__(self, name, **options):
        self.optimizer = optreg.get_optimizer(name, **{"learning_rate": 0.1, **options})
        self.table, self.scale = tf.Variable(START), tf.Variable(0.5)
        self.variables = [self.table, self.scale]
        self.optimizer.build(self.variables)

    def loss(self, target):
        return tf.reduce_sum((self.table * self.scale - target) ** 2)

    def step(self, target):
        self.optimizer.minimize(lambda: self.loss(target), self.variables)

    def sparse_step(self, target):
        # Row 4 stands twice.
        rows = tf.constant([4, 1, 4])
        gradient = tf.IndexedSlices(tf.gather(target, rows), rows, tf.shape(self.table))
        self.optimizer.apply_gradients([(gradient, self.table), (tf.reduce_sum(target), self.scale)])


def targets(count=5):
    random = np.random.default_rng(7)
    return [tf.constant(random.normal(size=START.shape), tf.float32) for _ in range(count)]


def assert_equal(compiled, eager):
    for ours, theirs in zip(
        [*compiled.variables, *compiled.optimizer.weights], [*eager.variables, *eager.optimizer.weights], strict=True
    ):
        # XLA contracts multiplications and additions, so the last bits differ.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=theirs.name)


def trained_both_ways(name, step, **options):
    """Train compiled and eagerly, the learning rate changed on the way; return both and the compiled function."""
    compiled, eager = Training(name, **options), Training(name, **options)
    function = tf.function(getattr(compiled, step), jit_compile=True)
    for number, target in enumerate(targets()):
        if number == 3 and "learning_rate" not in options:
            compiled.optimizer.learning_rate = eager.optimizer.learning_rate = 0.02
        function(target)
        getattr(eager, step)(target)
    return compiled, eager, function


def test_none_of_the_legacy_namespace_drops_out_of_the_lists_above():
    names = {entry.name for entry in FAMILY.values()}
    assert len(names) == 8
    assert names <= set(COMPILED)
    assert names <= set(SPARSE)


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_step_with_loss_and_gradients_equals_the_eager_one_and_is_traced_once(name):
    compiled, eager, function = trained_both_ways(name, "step")
    assert_equal(compiled, eager)
    assert function.experimental_get_tracing_count() == 1
    assert int(compiled.optimizer.iterations) == 5
    assert float(compiled.optimizer.learning_rate) == pytest.approx(0.02)


@pytest.mark.parametrize("name", SPARSE)
def test_a_compiled_sparse_step_equals_the_eager_one_and_is_traced_once(name):
    compiled, eager, function = trained_both_ways(name, "sparse_step")
    assert_equal(compiled, eager)
    assert function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"momentum": 0.9}),
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        ("rmsprop", {"momentum": 0.5}),
        ("rmsprop", {"momentum": 0.5, "centered": True}),
        ("adam", {"amsgrad": True}),
        ("adagrad", {"initial_accumulator_value": 0.5, "epsilon": 0.01}),
        ("adadelta", {"learning_rate": 1.0, "rho": 0.5, "epsilon": 0.01}),
        ("ftrl", {"l1_regularization_strength": 0.05, "l2_regularization_strength": 0.1, "beta": 0.5}),
        ("ftrl", {"l2_shrinkage_regularization_strength": 0.01, "learning_rate_power": -0.4}),
        ("ftrl", {"initial_accumulator_value": 0.0, "learning_rate_power": 0.0}),
    ],
)
@pytest.mark.parametrize("step", ["step", "sparse_step"])
def test_compiled_rules_know_all_their_hyperparameters(name, options, step):
    compiled, eager, _ = trained_both_ways(name, step, **options)
    assert_equal(compiled, eager)


def test_the_power_of_ftrl_may_change_under_one_trace():
    gradient = tf.constant(np.linspace(-2.0, 2.0, 12, dtype="float32").reshape(6, 2))
    optimizer = optreg.get_optimizer("ftrl", learning_rate=0.1, initial_accumulator_value=0.0)
    weight = tf.Variable(START)
    optimizer.build([weight])

    @tf.function(jit_compile=True)
    def step():
        optimizer.apply_gradients([(gradient, weight)])

    g, w, n, z = gradient.numpy().astype("float64"), START.astype("float64"), np.zeros((6, 2)), np.zeros((6, 2))
    for power in (0.5, 0.3, 0.0, 0.5):
        optimizer.learning_rate_power = -power
        step()
        before, n = n, n + g * g
        z += g - (n**power - before**power) / 0.1 * w
        w = -z / (n**power / 0.1)
        np.testing.assert_allclose(weight, w, rtol=1e-5, atol=1e-6)
    assert step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("name", ["ftrl", "adadelta"])
def test_what_is_stored_first_is_shared_through_no_further_array(name, monkeypatch):
    def arrays():
        optimizer, variable = optreg.get_optimizer(name), tf.Variable(tf.ones((1000, 100)))
        optimizer.build([variable])

        @tf.function(jit_compile=True)
        def step():
            optimizer.apply_gradients([(tf.ones((1000, 100)), variable)])

        program = step.experimental_get_compiler_ir()(stage="optimized_hlo")
        return len(re.findall(r"= f32\[1000,100\]\S* fusion\(", program[program.index("\nENTRY") :]))

    with_it = arrays()
    monkeypatch.setattr(inspect.getmodule(optreg.get_optimizer(name)), "stored_first", lambda *tensors: tensors)
    assert 3 <= with_it < arrays()  # the weights and two slots at the least


def test_the_trace_knows_whether_xla_will_compile_it():
    found = {}

    def look(key):
        found[key] = is_compiled_by_xla()
        return tf.constant(0)

    look("eagerly")
    tf.function(lambda: look("in a function"))()
    tf.function(lambda: tf.function(lambda: look("inside"))() + look("compiled"), jit_compile=True)()
    tf.function(lambda x: tf.cond(x, lambda: look("branch"), lambda: 0), jit_compile=True)(tf.constant(True))
    assert found == {"eagerly": False, "in a function": False, "inside": True, "compiled": True, "branch": True}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_options_of_the_step_are_compiled_with_it(options):
    compiled, eager, _ = trained_both_ways("adam", "step", **options())
    assert_equal(compiled, eager)


def test_clipping_of_repeated_rows_is_compiled():
    compiled, eager, _ = trained_both_ways("adam", "sparse_step", clipnorm=0.5)
    assert_equal(compiled, eager)


@pytest.mark.parametrize("inner", [True, False])
def test_a_compiled_part_works_inside_a_larger_function(inner):
    compiled, eager = Training("adam"), Training("adam")
    part = tf.function(compiled.step, jit_compile=inner)

    @tf.function(jit_compile=not inner)
    def several(target):
        for _ in range(3):
            part(target)
        return compiled.loss(target)

    for target in targets(2):
        several(target)
        for _ in range(3):
            eager.step(target)
    assert_equal(compiled, eager)


def test_a_compiled_loop_makes_many_steps_in_one_call():
    compiled, eager = Training("adam"), Training("adam")
    batches = tf.stack(targets())

    @tf.function(jit_compile=True)
    def epoch():
        for number in tf.range(5):
            compiled.step(batches[number])

    epoch()
    for target in targets():
        eager.step(target)
    assert_equal(compiled, eager)


def test_state_may_appear_in_the_first_compiled_call():
    variable, optimizer = tf.Variable([1.0, 2.0]), optreg.get_optimizer("adam", learning_rate=0.1)
    step = tf.function(lambda g: optimizer.apply_gradients([(g, variable)]) and None, jit_compile=True)
    for _ in range(2):
        step(tf.ones(2))
    np.testing.assert_allclose(variable, [0.8, 1.8], rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, optreg.LossScaleOptimizer], ids=["bare", "loss scale"])
def test_a_variable_that_joins_a_traced_function_must_be_built_before(compiled, wrap):
    optimizer = wrap(optreg.get_optimizer("sgd", learning_rate=0.25, momentum=0.5))
    first, second = variables = [tf.Variable([1.0, 2.0], name="first"), tf.Variable([3.0], name="second")]

    @tf.function(jit_compile=compiled)
    def step(count):
        optimizer.minimize(lambda: tf.add_n([tf.reduce_sum(v) for v in variables[:count]]), variables[:count])

    step(1)
    with pytest.raises(optreg.InvalidState, match=r"SGD: there is no state yet for second, .*optimizer\.build\("):
        step(2)
    optimizer.build(variables)
    step(2)
    np.testing.assert_array_equal(first, [0.375, 1.375])
    np.testing.assert_array_equal(second, [2.75])
    assert int(optimizer.iterations) == 2


def test_a_step_that_ran_uncompiled_first_is_compiled_as_its_python_function():
    """What docs/contract.md says of kernels that XLA does not have: TensorFlow keeps the trace that it has."""
    optimizer, variable = optreg.get_optimizer("adam", amsgrad=True), tf.Variable(START)
    step = tf.function(lambda: optimizer.apply_gradients([(tf.ones_like(START), variable)]) and None, autograph=False)
    step()
    with pytest.raises(tf.errors.InvalidArgumentError, match="No registered 'ResourceApplyAdamWithAmsgrad'"):
        tf.function(step, jit_compile=True)()
    tf.function(step.python_function, jit_compile=True)()

    twin, other = optreg.get_optimizer("adam", amsgrad=True), tf.Variable(START)
    for _ in range(2):
        twin.apply_gradients([(tf.ones_like(START), other)])
    np.testing.assert_allclose(variable, other, rtol=1e-6)
