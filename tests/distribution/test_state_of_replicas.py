"""State, hyperparameters and plugins are the same in every replica."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import optreg
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

from .replicas import GRADIENTS, copies, per_replica, run


def test_a_plugin_is_called_for_every_copy(two_replicas):
    class Doubling:
        @optreg.hookimpl
        def apply_dense(self, grad, var):
            var.assign_sub(2.0 * grad)
            return True

    with two_replicas.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0, plugins=[Doubling()])
    run(two_replicas, optimizer, variable, GRADIENTS[:1])
    for copy in copies(two_replicas, variable):
        np.testing.assert_array_equal(copy, [-8.0, -5.0])


@pytest.mark.parametrize("eager", [False, True])
def test_a_fused_kernel_is_offered_the_copies_of_each_replica(two_replicas, eager):
    class TakesFirst:
        @optreg.hookimpl
        def apply_updates(self, optimizer, grads_and_vars):
            (gradient, variable), *rest = grads_and_vars
            return [variable.assign_sub(10.0 * gradient + optimizer.get_slot(variable, "momentum"))], rest

    with two_replicas.scope():
        first, second = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0, momentum=0.5, plugins=[TakesFirst()])

    def replica(gradient):
        optimizer.apply_gradients([(gradient, first), (gradient, second)])

    def step(gradient):
        two_replicas.run(replica, args=(gradient,))

    (step if eager else tf.function(step))(per_replica(two_replicas, GRADIENTS[0]))
    for copy in copies(two_replicas, first):
        np.testing.assert_array_equal(copy, [-40.0, -25.0])
    for copy in copies(two_replicas, second):
        np.testing.assert_array_equal(copy, [-4.0, -2.5])
    assert optimizer.iterations.numpy() == 1


@pytest.mark.parametrize("where", ["outside", "in the scope", "in a replica"])
def test_a_changed_learning_rate_reaches_every_replica(strategy, where):
    with strategy.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0)
    run(strategy, optimizer, variable, GRADIENTS[:1])
    if where == "outside":
        optimizer.learning_rate = 0.5
    elif where == "in the scope":
        with strategy.scope():
            optimizer.learning_rate = 0.5
    else:
        strategy.run(lambda: setattr(optimizer, "learning_rate", 0.5))
    run(strategy, optimizer, variable, GRADIENTS[1:])
    for copy in copies(strategy, variable):
        np.testing.assert_array_equal(copy, [-5.125, -3.5])
    assert optimizer.iterations.numpy() == 3


def test_a_loss_scale_leaves_out_what_overflows_in_any_replica(strategy):
    with strategy.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = optreg.LossScaleOptimizer(SGD(1.0, momentum=0.5), initial_scale=8.0, dynamic_growth_steps=2)

    def replica(gradient):
        scaled = optimizer.get_scaled_loss(tf.constant(1.0)) * gradient
        optimizer.apply_gradients([(optimizer.get_unscaled_gradients([scaled])[0], variable)])

    @tf.function
    def step(gradient):
        strategy.run(replica, args=(gradient,))

    history = []
    for values in [
        ([1.0, 1.0], [1.0, 2.0]),
        ([1.0, float("inf")], [1.0, 1.0]),
        ([1.0, 1.0], [float("nan"), 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, 0.0], [0.0, 0.0]),
    ]:
        step(per_replica(strategy, values))
        first, *others = copies(strategy, variable)
        for other in others:
            np.testing.assert_array_equal(other, first)
        history.append((float(optimizer.loss_scale), copies(strategy, optimizer.iterations)[0], first.tolist()))
    assert history == [
        (8.0, 1, [-2.0, -3.0]),
        (4.0, 1, [-2.0, -3.0]),
        (2.0, 1, [-2.0, -3.0]),
        (2.0, 2, [-3.0, -6.5]),  # the momentum is [-1, -3.5]
        (4.0, 3, [-3.5, -8.25]),
    ]


def test_a_schedule_counts_steps_and_not_replicas(strategy):
    with strategy.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [1.0, 10.0, 100.0]))
    run(strategy, optimizer, variable, [([1.0, 0.0], [0.0, 1.0])] * 3)
    for copy in copies(strategy, variable):
        np.testing.assert_array_equal(copy, [-111.0, -111.0])


def test_slots_are_placed_with_their_variables(strategy):
    with strategy.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = Adam()
        optimizer.build([variable])
    slot = optimizer.get_slot(variable, "m")
    devices = [copy.device for copy in strategy.experimental_local_results(variable)]
    assert [copy.device for copy in strategy.experimental_local_results(slot)] == devices


def test_slots_follow_a_variable_to_its_device_without_a_strategy():
    with tf.device("CPU:1"):
        variable = tf.Variable([0.0, 0.0])
    optimizer = Adam()
    optimizer.build([variable])
    assert variable.device.endswith("CPU:1")
    assert optimizer.get_slot(variable, "m").device == variable.device


def test_set_weights_reaches_every_copy(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(momentum=0.9)
        optimizer.build([variable])
    optimizer.set_weights([7, [1.0, 2.0]])
    assert copies(mirrored, optimizer.iterations) == [7, 7]
    for copy in copies(mirrored, optimizer.get_slot(variable, "momentum")):
        np.testing.assert_array_equal(copy, [1.0, 2.0])


@pytest.mark.parametrize("aggregation", [tf.VariableAggregation.MEAN, tf.VariableAggregation.SUM])
def test_the_aggregation_of_a_variable_does_not_change_its_update(two_replicas, aggregation):
    with two_replicas.scope():
        variable = tf.Variable([0.0, 0.0], aggregation=aggregation)
        optimizer = SGD(1.0, momentum=0.5)
    run(two_replicas, optimizer, variable, GRADIENTS[:1])
    for copy in copies(two_replicas, variable):
        np.testing.assert_array_equal(copy, [-4.0, -2.5])


def test_a_variable_synchronized_on_read_is_updated_in_every_replica(mirrored):
    with mirrored.scope():
        variable = tf.Variable(
            [0.0, 0.0],
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.MEAN,
        )
        optimizer = SGD(1.0, momentum=0.5)
    run(mirrored, optimizer, variable, GRADIENTS[:2])
    # -[4, 2.5], then -([1.25, 0] + [4, 2.5] / 2)
    for copy in copies(mirrored, variable):
        np.testing.assert_array_equal(copy, [-7.25, -3.75])
    np.testing.assert_array_equal(variable.numpy(), [-7.25, -3.75])
