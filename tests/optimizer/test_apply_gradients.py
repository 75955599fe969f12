from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from optreg.errors import IncompleteOptimizer, InvalidGradients, InvalidVariable, WrongContext
from optreg.optimizer import Optimizer
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


class DenseOnly(Optimizer):
    """Subtracts the gradient; knows no sparse gradients."""

    def __init__(self, name="DenseOnly", **kwargs):
        super().__init__(name, **kwargs)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(grad)


def test_a_generator_of_pairs_is_accepted():
    variables = [tf.Variable(1.0), tf.Variable(2.0)]
    SGD(1.0).apply_gradients((tf.constant(1.0), variable) for variable in variables)
    assert [float(v) for v in variables] == [0.0, 1.0]


def test_an_empty_list_is_a_no_op():
    optimizer = SGD()
    optimizer.apply_gradients([])
    assert optimizer.weights == []


def test_missing_gradients_are_warned_about_by_name():
    present, missing = tf.Variable(1.0, name="present"), tf.Variable(1.0, name="missing")
    with pytest.warns(UserWarning, match="no gradient for the variables missing; they are not updated"):
        SGD(1.0).apply_gradients([(tf.constant(1.0), present), (None, missing)])
    assert (float(present), float(missing)) == (0.0, 1.0)


def test_all_gradients_missing_is_an_error():
    with pytest.raises(InvalidGradients, match=r"no gradient for any variable \(w\): the loss does not depend on them"):
        SGD().apply_gradients([(None, tf.Variable(1.0, name="w"))])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (7, "expected an iterable of .gradient, variable. pairs, received 7 of type int"),
        ([1.0], "received 1.0 of type float at position 0; use zip"),
        ([(tf.constant(1.0),)], "at position 0; use zip"),
    ],
)
def test_malformed_pairs_are_refused(pairs, message):
    with pytest.raises(InvalidGradients, match=message):
        SGD().apply_gradients(pairs)


def test_pairs_in_the_wrong_order_are_refused():
    with pytest.raises(InvalidVariable, match="expected a tf.Variable or a Keras variable to update, received a Eager"):
        SGD().apply_gradients([(tf.Variable(1.0), tf.constant(1.0))])


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        (tf.ones(3), r"gradient of shape \(3,\) for variable 'w' of shape \(2,\)"),
        (tf.ones(2, tf.float64), "gradient of dtype float64 for variable 'w' of dtype float32: cast it"),
        (tf.IndexedSlices(tf.ones((1, 2)), tf.constant([0])), r"gradient of shape \(1, 2\) for variable 'w'"),
        ("high", "gradient of dtype string for variable 'w'"),
        (object(), "gradient for variable 'w' must be a tensor or tf.IndexedSlices, received <object"),
    ],
)
def test_a_gradient_that_does_not_fit_changes_nothing(gradient, message):
    first, second = tf.Variable([1.0, 1.0]), tf.Variable([1.0, 1.0], name="w")
    optimizer = SGD(1.0)
    with pytest.raises(InvalidGradients, match=message):
        optimizer.apply_gradients([(tf.ones(2), first), (gradient, second)])
    np.testing.assert_array_equal(first, [1.0, 1.0])
    assert optimizer.weights == []


def test_a_numpy_gradient_is_accepted():
    variable = tf.Variable([1.0, 1.0])
    SGD(1.0).apply_gradients([(np.ones(2, np.float32), variable)])
    np.testing.assert_array_equal(variable, [0.0, 0.0])


def test_a_nan_gradient_is_applied_as_it_is():
    variable = tf.Variable([1.0, 1.0])
    optimizer = Adam(0.1)
    optimizer.apply_gradients([(tf.constant([float("nan"), 1.0]), variable)])
    assert np.isnan(variable.numpy()).tolist() == [True, False]
    assert int(optimizer.iterations) == 1


def test_repeated_rows_are_summed_once_before_the_sparse_method_sees_them():
    seen = []

    class Recording(DenseOnly):
        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            seen.append((grad.numpy().tolist(), indices.numpy().tolist()))

    gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([2, 0, 2]), tf.constant([3, 1]))
    Recording().apply_gradients([(gradient, tf.Variable(tf.zeros((3, 1))))])
    assert seen == [([[5.0], [2.0]], [2, 0])]


def test_the_escape_hatch_gets_the_rows_as_they_are():
    seen = []

    class Recording(DenseOnly):
        def _resource_apply_sparse_duplicate_indices(self, grad, var, indices, **kwargs):
            seen.append(indices.numpy().tolist())

    gradient = tf.IndexedSlices(tf.ones((3, 1)), tf.constant([2, 0, 2]), tf.constant([3, 1]))
    Recording().apply_gradients([(gradient, tf.Variable(tf.zeros((3, 1))))])
    assert seen == [[2, 0, 2]]


def test_a_missing_sparse_method_is_named_at_the_first_sparse_gradient():
    dense, table = tf.Variable(1.0), tf.Variable(tf.zeros((3, 1)))
    gradient = tf.IndexedSlices(tf.ones((1, 1)), tf.constant([1]), tf.constant([3, 1]))
    with pytest.raises(
        IncompleteOptimizer, match="DenseOnly received a sparse gradient .* implement _resource_apply_sp"
    ):
        DenseOnly().apply_gradients([(tf.constant(1.0), dense), (gradient, table)])
    assert float(dense) == 1.0


def test_a_class_that_updates_nothing_fails_when_it_is_constructed():
    class Idle(Optimizer):
        def __init__(self):
            super().__init__("Idle")

    with pytest.raises(IncompleteOptimizer, match="Idle cannot update a variable: override _resource_apply_dense"):
        Idle()


def test_the_constraint_is_applied_after_the_dense_update():
    variable = tf.Variable([1.0, -1.0], constraint=lambda value: tf.maximum(value, 0.25))
    SGD(1.0).apply_gradients([(tf.constant([0.5, 0.5]), variable)])
    np.testing.assert_array_equal(variable, [0.5, 0.25])


def test_the_constraint_of_a_keras_variable_is_applied():
    variable = keras.Variable(np.array([1.0, -1.0], np.float32))
    variable.constraint = keras.constraints.NonNeg()
    SGD(1.0).apply_gradients([(tf.constant([0.5, 0.5]), variable)])
    np.testing.assert_array_equal(variable.value, [0.5, 0.0])


def test_a_constraint_on_a_sparsely_updated_variable_is_a_clear_error():
    table = tf.Variable(tf.zeros((3, 1)), constraint=tf.abs, name="table")
    gradient = tf.IndexedSlices(tf.ones((1, 1)), tf.constant([1]), tf.constant([3, 1]))
    with pytest.raises(InvalidGradients, match="variable 'table' has a constraint and a sparse gradient"):
        SGD().apply_gradients([(gradient, table)])


def test_keras_3_variables_are_updated_in_a_custom_loop():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    before = [weight.numpy().copy() for weight in model.trainable_variables]
    optimizer = Adam(0.1)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x) ** 2)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    step(tf.ones((4, 3)))
    after = [weight.numpy() for weight in model.trainable_variables]
    assert not np.allclose(before[0], after[0])
    assert optimizer.get_slot(model.trainable_variables[0], "m").shape == (3, 2)


def test_a_call_in_a_cross_replica_context_is_refused():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        variable = tf.Variable(1.0)
        with pytest.raises(
            WrongContext, match="SGD: apply_gradients.. was called in a cross-replica context. Call it in"
        ):
            SGD().apply_gradients([(tf.constant(1.0), variable)])


def test_no_warning_where_every_variable_has_a_gradient():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SGD().apply_gradients([(tf.constant(1.0), tf.Variable(1.0))])


def test_the_step_compiles_with_xla_to_the_same_result():
    def trained(**options):
        variable = tf.Variable([1.0, 2.0])
        optimizer = Adam(0.1)
        optimizer.build([variable])
        step = tf.function(lambda g: optimizer.apply_gradients([(g, variable)]) and None, **options)
        for scale in (1.0, 2.0, -1.0):
            step(tf.constant([scale, 0.5]))
        return variable.numpy()

    np.testing.assert_allclose(trained(jit_compile=True), trained(), rtol=1e-6)


def test_an_error_keeps_its_type_inside_a_traced_function():
    variable = tf.Variable([1.0, 1.0], name="w")
    optimizer = SGD()

    @tf.function
    def step():
        optimizer.apply_gradients([(tf.ones(3), variable)])

    with pytest.raises(InvalidGradients, match=r"gradient of shape \(3,\) for variable 'w' of shape \(2,\)"):
        step()


def test_a_loss_with_python_control_flow_over_tensors_is_converted():
    variable = tf.Variable(2.0)
    optimizer = SGD(0.5)

    @tf.function
    def step():
        def loss():
            if variable > 1.0:
                return variable * 3.0
            return -variable

        optimizer.minimize(loss, [variable])

    step()
    assert float(variable) == 0.5
    step()
    assert float(variable) == 1.0
