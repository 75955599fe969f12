"""Classes derived from a built-in optimizer, as they were written for Keras 2.9, train as they do on tf_keras.

Each class is made twice from one text, once on tf_keras's optimizer and once on ours.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
import optreg.legacy

KERAS = tf_keras.optimizers.legacy


def decaying(base):
    """Weight decay before the step, of all rows for a dense gradient and of the rows present for a sparse one."""

    class Decaying(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            with tf.control_dependencies([var.assign_sub(0.125 * var)]):
                return super()._resource_apply_dense(grad, var, apply_state=apply_state)

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            rows = -0.125 * tf.gather(var, indices)
            with tf.control_dependencies([self._resource_scatter_add(var, indices, rows)]):
                return super()._resource_apply_sparse(grad, var, indices, apply_state=apply_state)

    return Decaying


def after_sparse_steps(optimizer, *, graph):
    variable = tf.Variable([[1.0], [2.0], [3.0]])
    gradient = tf.IndexedSlices(tf.constant([[1.0], [0.5], [-2.0]]), tf.constant([1, 0, 1]), tf.constant([3, 1]))

    def step():
        optimizer.apply_gradients([(gradient, variable)])

    step = tf.function(step) if graph else step
    for _ in range(3):
        step()
    return variable.numpy()


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {}),
        ("Adam", {"amsgrad": True}),
        ("SGD", {}),
        ("SGD", {"momentum": 0.5}),
        ("RMSprop", {}),
        ("RMSprop", {"momentum": 0.5, "centered": True}),
        ("Adagrad", {}),
        ("Adadelta", {}),
        ("Adamax", {}),
        ("Nadam", {}),
        ("Ftrl", {}),
    ],
)
def test_what_a_subclass_adds_to_both_apply_methods_is_done_once(name, options, graph):
    ours = after_sparse_steps(decaying(getattr(optreg.legacy, name))(0.1, **options), graph=graph)
    theirs = after_sparse_steps(decaying(getattr(KERAS, name))(0.1, **options), graph=graph)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_a_subclass_adds_to_both_apply_methods_of_an_exact_rule_is_done_once():
    class Plain(optreg.UpdateRule):
        card = optreg.Card(sparse="exact")

        def update(self, gradient, value, *, learning_rate=0.1):
            return value - learning_rate * gradient

    ours = after_sparse_steps(decaying(Plain)(0.1), graph=False)
    # SGD of tf_keras adds repeated rows one after the other and never reaches the method, unless it has a momentum.
    theirs = after_sparse_steps(decaying(KERAS.SGD)(0.1, momentum=1e-30), graph=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_method_for_repeated_rows_may_end_in_that_for_distinct_ones(momentum):
    class Halved(optreg.legacy.SGD):
        def _resource_apply_sparse_duplicate_indices(self, grad, var, indices, **kwargs):
            distinct, rows = tf.unique(indices)
            summed = tf.math.unsorted_segment_sum(0.5 * grad, rows, tf.size(distinct))
            return self._resource_apply_sparse(summed, var, distinct, **kwargs)

    moved = after_sparse_steps(Halved(0.1, momentum=momentum), graph=False)
    plain = after_sparse_steps(optreg.legacy.SGD(0.05, momentum=momentum), graph=False)
    np.testing.assert_allclose(moved, plain, rtol=1e-6)
