"""Each protected method of the contract is called at its place in the step."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import optreg
from optreg.errors import InvalidGradients, WrongContext
from optreg_classic.sgd import SGD


def moved(optimizer, **options):
    variable = tf.Variable(0.0)
    optimizer.apply_gradients([(tf.constant(3.0), variable)], **options)
    return -float(variable)


class Unaggregated(SGD):
    def _transform_unaggregated_gradients(self, grads_and_vars):
        return [(2.0 * gradient, variable) for gradient, variable in grads_and_vars]


def test_unaggregated_gradients_are_transformed_before_the_aggregator():
    plus_one = [lambda pairs: [(g + 1.0, v) for g, v in pairs]]
    assert moved(Unaggregated(1.0, gradient_aggregator=plus_one[0])) == 7.0
    assert moved(Unaggregated(1.0)) == 6.0
    assert moved(Unaggregated(1.0), experimental_aggregate_gradients=False) == 3.0


def test_an_aggregation_of_the_class_replaces_the_sum():
    class Halved(SGD):
        def _aggregate_gradients(self, grads_and_vars):
            return [(0.5 * gradient, variable) for gradient, variable in grads_and_vars]

    assert moved(Halved(1.0, clipvalue=1.0)) == 1.0
    assert moved(Halved(1.0)) == 1.5


def test_a_transformation_of_the_class_can_extend_clipping():
    class Doubled(SGD):
        def _transform_gradients(self, grads_and_vars):
            return [(2.0 * g, v) for g, v in super()._transform_gradients(grads_and_vars)]

    assert moved(Doubled(1.0, clipvalue=1.0)) == 2.0


def test_the_loss_and_the_gradients_of_the_tape_can_be_changed():
    class Scaled(SGD):
        def _transform_loss(self, loss):
            return 8.0 * loss

        def _get_gradients(self, tape, loss, var_list, grad_loss=None):
            return [(g / 4.0, v) for g, v in super()._get_gradients(tape, loss, var_list, grad_loss)]

    variable = tf.Variable(1.0)
    Scaled(1.0).minimize(lambda: 3.0 * variable, [variable])
    assert float(variable) == 1.0 - 3.0 * 8.0 / 4.0


def test_slots_are_asked_for_once_for_each_variable():
    asked = []

    class Asking(SGD):
        def _create_slots(self, var_list):
            asked.extend(variable.name for variable in var_list)

    first, second = tf.Variable(1.0, name="first"), tf.Variable(1.0, name="second")
    optimizer = Asking()
    for variables in ([first], [first, second], [second]):
        optimizer.apply_gradients([(tf.constant(1.0), variable) for variable in variables])
    assert asked == ["first:0", "second:0"]


def test_coefficients_are_prepared_once_for_each_dtype():
    prepared = []

    class Preparing(SGD):
        def _prepare_local(self, var_device, var_dtype, apply_state):
            super()._prepare_local(var_device, var_dtype, apply_state)
            prepared.append(var_dtype)

    variables = [tf.Variable(1.0), tf.Variable(2.0), tf.Variable(3.0, dtype=tf.float64)]
    Preparing().apply_gradients([(tf.ones_like(variable), variable) for variable in variables])
    assert prepared == [tf.float32, tf.float64]


def test_a_class_may_replace_the_whole_step():
    class Own(optreg.Optimizer):
        def apply_gradients(self, grads_and_vars, name=None, experimental_aggregate_gradients=True):
            for gradient, variable in grads_and_vars:
                variable.assign_sub(gradient)

    variable = tf.Variable(1.0)
    Own("Own").minimize(lambda: 0.25 * variable, [variable])
    assert float(variable) == 0.75


def test_add_weight_creates_state_that_is_saved(tmp_path):
    class Counting(SGD):
        def _create_slots(self, var_list):
            self.total = self.add_weight("total", shape=(2,), dtype=tf.float64, initializer="ones")

    optimizer = Counting()
    optimizer.build([tf.Variable(1.0)])
    path = tf.train.Checkpoint(optimizer=optimizer).write(str(tmp_path / "ckpt"))
    np.testing.assert_array_equal(
        tf.train.load_variable(path, "optimizer/total/.ATTRIBUTES/VARIABLE_VALUE"), [1.0, 1.0]
    )


def test_graph_mode_gradients_and_updates():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable("w", initializer=2.0, use_resource=True)
        other = tf.compat.v1.get_variable("other", initializer=2.0, use_resource=True)
        optimizer = SGD(0.25, clipvalue=3.0)
        loss = variable**2
        [gradient] = optimizer.get_gradients(loss, [variable])
        [update] = optimizer.get_updates(loss, [variable])
        session.run(tf.compat.v1.global_variables_initializer())
        assert session.run(gradient) == 4.0  # clipped by the step, as in Keras 2.9
        session.run(update)
        assert session.run(variable) == 2.0 - 0.25 * 3.0
        assert session.run(optimizer.iterations) == 1
        with pytest.raises(InvalidGradients, match="the loss does not depend on other"):
            optimizer.get_gradients(loss, [other])


def test_graph_mode_gradients_are_refused_eagerly():
    with pytest.raises(WrongContext, match=r"get_gradients\(\) works in graphs only; use a tf.GradientTape"):
        SGD().get_gradients(tf.constant(1.0), [tf.Variable(1.0)])
