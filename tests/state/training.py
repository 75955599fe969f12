"""One small problem that every optimizer of the registry is trained on, with step-indexed gradients."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg

SHAPES = {"matrix": (3, 2), "bias": (2,), "table": (6, 2)}

OPTIONS = {
    "sgd": [{}, {"momentum": 0.9, "nesterov": True}],
    "adam": [{"amsgrad": True}],
    "rmsprop": [{"momentum": 0.5, "centered": True}],
    "ftrl": [{"beta": 0.5, "l1_regularization_strength": 0.01}],
}
"""Options that bring more state than the defaults do, and the one optimizer that can be without slots."""

CASES = [
    pytest.param(name, options, id=f"{name}{''.join(f'-{option}' for option in options)}")
    for name in optreg.list_optimizers(distribution="optreg")
    for options in OPTIONS.get(name, [{}])
]


KERAS2_CASES = [
    case for case in CASES if hasattr(tf_keras.optimizers.legacy, type(optreg.get_optimizer(case.values[0])).__name__)
]
"""The cases of optimizers that tf_keras's legacy namespace has too."""


def ours(name, options=(), **others):
    return optreg.get_optimizer(name, learning_rate=0.05, **dict(options), **others)


def theirs(name, options=()):
    """Return the optimizer of tf_keras's legacy namespace of the same class name."""
    return getattr(tf_keras.optimizers.legacy, type(ours(name)).__name__)(learning_rate=0.05, **dict(options))


def model(seed=3, names=SHAPES):
    """Return a module with a variable for each name, filled at random."""
    module, random = tf.Module(), np.random.default_rng(seed)
    for name in names:
        setattr(module, name, tf.Variable(random.normal(size=SHAPES[name]), name=name, dtype=tf.float32))
    return module


def blank():
    """Return a module with the same variables, all zero."""
    module = tf.Module()
    for name, shape in SHAPES.items():
        setattr(module, name, tf.Variable(tf.zeros(shape), name=name))
    return module


def variables(module):
    return [getattr(module, name) for name in SHAPES if hasattr(module, name)]


@functools.cache
def gradients(step):
    """Return the gradients of one step by name; the table's holds repeated rows."""
    random = np.random.default_rng([7, step])
    dense = {name: random.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}
    return dense, random.integers(0, 5, size=4)


def pairs(module, step):
    dense, rows = gradients(step)
    slices = tf.IndexedSlices(tf.constant(dense["table"][:4]), tf.constant(rows), tf.constant(SHAPES["table"]))
    for name in SHAPES:
        if hasattr(module, name):
            yield slices if name == "table" else tf.constant(dense[name]), getattr(module, name)


def train(optimizer, module, first, count=3):
    """Make the steps ``first``, ``first + 1``, ... and return the values reached."""
    for number in range(first, first + count):
        optimizer.apply_gradients(pairs(module, number))
    return values(module)


def traced_step(optimizer, module):
    """Return a function that makes the step of a number in a ``tf.function``, traced once."""

    @tf.function
    def step(matrix, bias, rows, indices):
        slices = tf.IndexedSlices(rows, indices, tf.constant(SHAPES["table"]))
        optimizer.apply_gradients([(matrix, module.matrix), (bias, module.bias), (slices, module.table)])

    def numbered(number):
        dense, indices = gradients(number)
        step(*(tf.constant(value) for value in (dense["matrix"], dense["bias"], dense["table"][:4], indices)))

    return numbered


class Training(tf.Module):
    """A model, its optimizer and a step to export: what ``tf.saved_model.save`` is given."""

    def __init__(self, optimizer, module):
        super().__init__()
        self.model, self.optimizer = module, optimizer

    @tf.function(input_signature=[tf.TensorSpec((), tf.int32)])
    def step(self, number):
        scale = tf.cast(number, tf.float32)
        rows = tf.IndexedSlices(tf.ones((2, 2)) * scale, tf.constant([1, 4]), tf.constant(SHAPES["table"]))
        given = [tf.fill(SHAPES["matrix"], scale), tf.fill(SHAPES["bias"], 0.5 * scale), rows]
        self.optimizer.apply_gradients(zip(given, variables(self.model), strict=True))
        return [variable.read_value() for variable in variables(self.model)]


def stepped(training, numbers):
    for number in numbers:
        reached = training.step(tf.constant(number))
    return [np.array(value) for value in reached]


def values(module):
    return [variable.numpy() for variable in variables(module)]


def assert_same(received, expected):
    """The same program on the same state gives the same bits."""
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_near(received, expected):
    """Two implementations of one rule differ by the rounding of a few float32 operations."""
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=5e-6, atol=1e-6)
