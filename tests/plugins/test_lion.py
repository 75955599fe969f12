"""Lion against NumPy, against Keras 3 and against what optax recorded."""

from __future__ import annotations

import doctest
import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import optreg
import optreg_modern.lion
from optreg_modern.lion import Lion
from optreg_modern.references import lion

OPTAX = json.loads((Path(__file__).parents[1] / "golden" / "optax" / "lion.json").read_text())
LARGE = (300, 300)  # above the size from which a rule is compiled into one kernel


def numpy_lion(value, gradients, *, rate, beta_1=0.9, beta_2=0.99, decay=0.0):
    """The reference, one gradient after the other; returns value and average."""
    state = {}
    for step, gradient in enumerate(gradients, start=1):
        value = lion(value, gradient, state, step, learning_rate=rate, beta_1=beta_1, beta_2=beta_2, weight_decay=decay)
    return value, state.get("m", np.zeros_like(value))


def normal(*shape, count, seed=4):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for _ in range(count)]


def trained(optimizer, start, gradients, *, dtype, graph=False, jit=False):
    variable = tf.Variable(start, dtype=dtype, name="kernel")

    def step(gradient):
        optimizer.apply_gradients([(gradient, variable)])

    optimizer.build([variable])
    run = tf.function(step, jit_compile=jit) if graph else step
    for gradient in gradients:
        run(tf.constant(gradient, dtype))
    return variable


@pytest.mark.parametrize("shape", [(7, 5), LARGE])
@pytest.mark.parametrize(("graph", "jit"), [(False, False), (True, False), (True, True)])
def test_it_is_the_rule_of_the_paper_in_double_precision(shape, graph, jit):
    start, *gradients = normal(*shape, count=101 if shape != LARGE else 21)
    # Numbers that float32 holds, as the variables that keep hyperparameters do.
    settings = {"beta_1": 0.875, "beta_2": 0.96875}
    optimizer = Lion(0.03125, weight_decay=0.25, **settings)
    variable = trained(optimizer, start, gradients, dtype="float64", graph=graph, jit=jit)
    value, average = numpy_lion(start, gradients, rate=0.03125, decay=0.25, **settings)
    np.testing.assert_allclose(variable.numpy(), value, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(optimizer.get_slot(variable, "m").numpy(), average, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("run", OPTAX["runs"])
def test_it_takes_the_steps_that_optax_recorded(run):
    recorded = OPTAX["runs"][run]
    names = {"b1": "beta_1", "b2": "beta_2", "weight_decay": "weight_decay"}
    settings = {names[name]: value for name, value in recorded["settings"].items()}
    optimizer = Lion(OPTAX["learning_rate"], **settings)
    variable = tf.Variable(recorded["start"], dtype="float64")
    for gradient, expected in zip(recorded["gradients"], recorded["path"], strict=True):
        optimizer.apply_gradients([(tf.constant(gradient, "float64"), variable)])
        # Ours keeps hyperparameters in float32, which moves the average by 1e-7; no sign turns for that here.
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_120_steps_are_those_of_keras_3(weight_decay):
    start, *gradients = normal(7, 5, count=121)
    ours = trained(Lion(0.01, weight_decay=weight_decay), start, gradients, dtype="float32")
    theirs = keras.Variable(start.astype("float32"))
    optimizer = keras.optimizers.Lion(0.01, weight_decay=weight_decay or None)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, "float32")], [theirs])
    if weight_decay:
        # Keras decays before the step, ours in it: each step may differ in its last bit.
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-6, atol=2e-7)
    else:
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_compiled_step_of_large_variables_is_the_step_of_keras_3():
    start, *gradients = normal(*LARGE, count=11)
    ours = trained(Lion(0.01), start, gradients, dtype="float32")
    theirs = keras.Variable(start.astype("float32"))
    optimizer = keras.optimizers.Lion(0.01)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, "float32")], [theirs])
    different = np.abs(ours.numpy() - theirs.numpy()) > 2e-6
    # One kernel may multiply and add in one rounding, which turns the sign of a sum that is zero but for rounding.
    assert different.sum() <= 2


def test_a_sparse_gradient_moves_its_rows_only_and_sums_repeated_ones():
    start = normal(6, 3, count=1)[0]
    variable, optimizer = tf.Variable(start), Lion(0.125, weight_decay=0.5)
    values = normal(4, 3, count=10, seed=6)
    for value in values:
        slices = tf.IndexedSlices(tf.constant(value), tf.constant([1, 4, 1, 5]), tf.constant([6, 3]))
        optimizer.apply_gradients([(slices, variable)])
    np.testing.assert_array_equal(variable.numpy()[[0, 2, 3]], start[[0, 2, 3]])
    summed = [np.stack([value[0] + value[2], value[1], value[3]]) for value in values]
    # Hyperparameters are kept in float32, see above.
    betas = {"beta_1": float(np.float32(0.9)), "beta_2": float(np.float32(0.99))}
    expected, average = numpy_lion(start[[1, 4, 5]], summed, rate=0.125, decay=0.5, **betas)
    np.testing.assert_allclose(variable.numpy()[[1, 4, 5]], expected, rtol=1e-12)
    slot = optimizer.get_slot(variable, "m").numpy()
    np.testing.assert_allclose(slot[[1, 4, 5]], average, rtol=1e-6)
    assert not slot[[0, 2, 3]].any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_weights_follow_the_average_in_float32(dtype):
    start, *gradients = normal(5, 4, count=21)
    ours = trained(Lion(0.125), start, gradients, dtype=dtype)
    rounded = [tf.cast(gradient, dtype).numpy().astype("float64") for gradient in gradients]
    begin = tf.cast(start, dtype).numpy().astype("float64")
    value = begin
    for count in range(1, len(rounded) + 1):
        # A step of 1/8 is added in the weights' own precision.
        exact, _ = numpy_lion(begin, rounded[:count], rate=0.125)
        previous, _ = numpy_lion(begin, rounded[: count - 1], rate=0.125)
        value = tf.cast(value + (exact - previous), dtype).numpy().astype("float64")
    np.testing.assert_array_equal(ours.numpy().astype("float64"), value)


def test_every_step_is_as_long_as_the_learning_rate_whatever_the_gradient():
    variable = trained(Lion(0.125), np.zeros(3), [np.array([1e-30, -1e30, 0.0])], dtype="float32")
    np.testing.assert_array_equal(variable.numpy(), [-0.125, 0.125, 0.0])


def test_excluded_variables_do_not_decay():
    kernel, bias = tf.Variable([1.0], name="kernel"), tf.Variable([1.0], name="bias")
    optimizer = optreg.get_optimizer("lion", learning_rate=0.5, weight_decay=0.5, exclude_from_weight_decay=["bias"])
    optimizer.apply_gradients([(tf.constant([0.0]), kernel), (tf.constant([0.0]), bias)])
    np.testing.assert_array_equal([kernel.numpy(), bias.numpy()], [[0.75], [1.0]])


def test_the_class_with_its_docstring_takes_at_most_40_lines():
    assert len(inspect.getsource(Lion).splitlines()) <= 40


def test_the_example_prints_what_it_says():
    assert doctest.testmod(optreg_modern.lion).failed == 0
    assert doctest.testmod(optreg_modern.lion).attempted
