from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.plugins.transcriptions import FAMILY

import optreg.legacy
from optreg.errors import IncompleteOptimizer, InvalidGradients, InvalidVariable, WrongContext
from optreg.optimizer import Optimizer
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

every_class = pytest.mark.parametrize("kind", FAMILY)


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
        (None, "expected an iterable of .gradient, variable. pairs, received None of type NoneType"),
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


@every_class
@pytest.mark.parametrize(
    ("values", "indices", "shape", "message"),
    [
        (
            tf.ones(1),
            [0.0],
            (2,),
            "sparse gradient with indices of dtype float32, and not int32 or int64, for variable",
        ),
        (tf.ones(1), tf.constant([0], tf.int16), (2,), "with indices of dtype int16"),
        (
            tf.ones(1),
            [[0]],
            (2,),
            r"sparse gradient with indices of shape \(1, 1\), and not \[rows\], for variable 'w'",
        ),
        (tf.ones(1), 0, (2,), r"sparse gradient with indices of shape \(\)"),
        (tf.ones(2), [0], (2,), r"sparse gradient with 1 indices for 2 rows for variable 'w' of shape \(2,\)"),
        (tf.ones((1, 3)), [0], (2, 2), r"gradient of shape \(1, 3\) for variable 'w' of shape \(2, 2\)"),
        (tf.constant(1.0), [0], (2,), r"gradient of shape \(\) for variable 'w' of shape \(2,\)"),
        (tf.ones(1), [0], (), r"sparse gradient, which takes rows, and not a dense one of shape \(\) for variable 'w'"),
        (tf.ones(2), [0, 7], (2,), "sparse gradient with row 7, and not rows from 0 to 1, for variable 'w'"),
        (tf.ones(2), tf.constant([-1, 0], tf.int64), (2,), "sparse gradient with row -1, and not rows from 0 to 1"),
        (tf.ones(1), ["a"], (2,), "with indices of dtype string"),
        (tf.ones(1), object(), (2,), "for variable 'w' must hold tensors or arrays, received <object"),
    ],
)
def test_a_malformed_sparse_gradient_is_refused_before_anything_moves(kind, values, indices, shape, message):
    first, second = tf.Variable([1.0, 1.0]), tf.Variable(tf.ones(shape), name="w")
    optimizer = getattr(optreg.legacy, kind)(0.5)
    optimizer.build([first, second])
    before = optimizer.get_weights()
    with pytest.raises(InvalidGradients, match=message):
        optimizer.apply_gradients([(tf.ones(2), first), (tf.IndexedSlices(values, indices), second)])
    np.testing.assert_array_equal(first, [1.0, 1.0])
    np.testing.assert_array_equal(second, np.ones(shape))
    for now, then in zip(optimizer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_malformed_sparse_gradient_is_refused_while_a_function_is_traced():
    variable = tf.Variable([1.0, 1.0], name="w")
    optimizer = Adam()

    @tf.function
    def step(values, indices):
        optimizer.apply_gradients([(tf.IndexedSlices(values, indices), variable)])

    with pytest.raises(InvalidGradients, match="sparse gradient with 1 indices for 2 rows for variable 'w'"):
        step(tf.ones(2), tf.constant([0]))


@every_class
@pytest.mark.parametrize("row", [-1, np.iinfo(np.int32).min, 7])
def test_a_row_that_is_known_only_in_a_function_and_does_not_exist_stops_the_step(kind, row):
    variable = tf.Variable([1.0, 1.0])
    optimizer = getattr(optreg.legacy, kind)(0.5)

    @tf.function
    def step(indices):
        optimizer.apply_gradients([(tf.IndexedSlices(tf.ones(1), indices), variable)])

    with pytest.raises(tf.errors.InvalidArgumentError):
        step(tf.constant([row]))
    np.testing.assert_array_equal(variable, [1.0, 1.0])
    assert int(optimizer.iterations) == 0


@every_class
@pytest.mark.parametrize("convert", [np.array, list], ids=["arrays", "lists"])
def test_a_sparse_gradient_may_hold_numpy_arrays_or_lists(kind, convert):
    ours, theirs = tf.Variable([1.0, 1.0, 1.0]), tf.Variable([1.0, 1.0, 1.0])
    values, indices = [np.float32(2.0), np.float32(1.0), np.float32(4.0)], [2, 0, 2]
    optimizer, oracle = getattr(optreg.legacy, kind)(0.125), getattr(tf_keras.optimizers.legacy, kind)(0.125)
    for _ in range(2):
        optimizer.apply_gradients([(tf.IndexedSlices(convert(values), convert(indices), convert([3])), ours)])
        gradient = tf.IndexedSlices(tf.constant(values), tf.constant(indices), tf.constant([3]))
        oracle.apply_gradients([(gradient, theirs)])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_sparse_numpy_gradient_of_another_dtype_is_refused():
    gradient = tf.IndexedSlices(np.ones(1), np.array([0]))
    with pytest.raises(InvalidGradients, match="gradient of dtype float64 for variable 'w' of dtype float32: cast it"):
        SGD().apply_gradients([(gradient, tf.Variable([1.0, 1.0], name="w"))])


def test_coefficients_are_prepared_where_the_variable_is():
    class Placed(SGD):
        def _prepare_local(self, var_device, var_dtype, apply_state):
            super()._prepare_local(var_device, var_dtype, apply_state)
            places.append((var_device, tf.ones(()).device, apply_state[(var_device, var_dtype)]["lr_t"].device))

    places = []
    variables = []
    for device in ("CPU:0", "CPU:1"):
        with tf.device(device):
            variables.append(tf.Variable(1.0))
    Placed().apply_gradients((tf.constant(1.0), variable) for variable in variables)
    assert places == [(variable.device,) * 3 for variable in variables]


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
