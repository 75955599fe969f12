"""Which of TensorFlow's kernels a step runs: the fused ones where it has them, which is where the speed comes from."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tests.plugins.transcriptions import FAMILY

import optreg.legacy

MOMENTUM, CENTERED, SHRINKAGE = {"momentum": 0.5}, {"centered": True}, {"l2_shrinkage_regularization_strength": 0.1}
ADD, MULTIPLY, REPLACE = "ResourceScatterAdd", "ResourceScatterMul", "ResourceScatterUpdate"

KERNELS = [
    ("SGD", {}, {"ResourceApplyGradientDescent"}, {"ResourceScatterSub"}),
    ("SGD", MOMENTUM, {"ResourceApplyKerasMomentum"}, {"ResourceSparseApplyKerasMomentum"}),
    ("SGD", MOMENTUM | {"nesterov": True}, {"ResourceApplyKerasMomentum"}, {"ResourceSparseApplyKerasMomentum"}),
    # There is no sparse one of Adam, and its sparse gradients act as dense ones.
    ("Adam", {}, {"ResourceApplyAdam"}, {"ResourceApplyAdam"}),
    ("Adam", {"amsgrad": True}, {"ResourceApplyAdamWithAmsgrad"}, {"ResourceApplyAdamWithAmsgrad"}),
    # The kernel of Adagrad takes the step after the average is up to date.
    ("RMSprop", {}, {"ResourceApplyAdagradV2"}, {ADD, MULTIPLY}),
    ("RMSprop", MOMENTUM, {"ResourceApplyRMSProp"}, {"ResourceSparseApplyRMSProp"}),
    # Not ResourceApplyCenteredRMSProp and its sparse one, which make NaN of a variance that rounding left below 0.
    ("RMSprop", CENTERED, set(), {ADD, MULTIPLY}),
    ("RMSprop", CENTERED | MOMENTUM, set(), {ADD, REPLACE}),
    ("Adagrad", {}, {"ResourceApplyAdagradV2"}, {"ResourceSparseApplyAdagradV2"}),
    ("Adadelta", {}, {"ResourceApplyAdadelta"}, {"ResourceSparseApplyAdadelta"}),
    ("Adamax", {}, {"ResourceApplyAdaMax"}, {ADD, REPLACE}),
    # There is none of Nadam: that of Adam takes one part of the step, that of Adagrad the other.
    ("Nadam", {}, {"ResourceApplyAdam", "ResourceApplyAdagradV2"}, {ADD, MULTIPLY}),
    ("Ftrl", {}, {"ResourceApplyFtrl"}, {"ResourceSparseApplyFtrl"}),
    ("Ftrl", SHRINKAGE, {"ResourceApplyFtrlV2"}, {"ResourceSparseApplyFtrlV2"}),
]
"""Class, options, and the kernels that update a variable and its slots from a dense and from a sparse gradient."""


def kernels_of(optimizer, gradient):
    """Return the types of the operations of a traced step that update a variable other than by assigning to it."""
    variable = tf.Variable(np.zeros((3, 2), np.float32))
    optimizer.build([variable])
    step = tf.function(lambda: optimizer.apply_gradients([(gradient, variable)]) and None, autograph=False)
    types = {operation.type for operation in step.get_concrete_function().graph.get_operations()}
    return {name for name in types if name.startswith(("ResourceApply", "ResourceSparseApply", "ResourceScatter"))}


@pytest.mark.parametrize(
    ("kind", "options", "dense", "sparse"), KERNELS, ids=[f"{kind} {' '.join(given)}" for kind, given, *_ in KERNELS]
)
def test_a_step_runs_the_fused_kernels_that_tensorflow_has(kind, options, dense, sparse):
    cls, rows = (
        getattr(optreg.legacy, kind),
        tf.IndexedSlices(tf.ones((2, 2)), tf.constant([0, 2]), tf.constant([3, 2])),
    )
    assert kernels_of(cls(**options), tf.ones((3, 2))) == dense
    assert kernels_of(cls(**options), rows) == sparse


def test_the_kernels_of_every_class_are_known():
    assert {kind for kind, *_ in KERNELS} == set(FAMILY)
