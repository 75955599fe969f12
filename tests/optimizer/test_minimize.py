from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from optreg.errors import InvalidGradients, InvalidVariable
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


def test_a_callable_loss_is_called_once_and_its_gradient_applied():
    calls = []
    variable = tf.Variable([1.0, 2.0])

    def loss():
        calls.append(1)
        return tf.reduce_sum(variable**2)

    SGD(0.25).minimize(loss, [variable])
    assert len(calls) == 1
    np.testing.assert_allclose(variable, [0.5, 1.0])


def test_a_tensor_loss_is_differentiated_through_its_tape():
    variable = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        loss = variable * 2.0
    SGD(0.5).minimize(loss, [variable], tape=tape)
    assert float(variable) == 2.0


def test_variables_created_by_the_first_call_of_the_loss_are_found():
    created = []

    def loss():
        if not created:
            created.append(tf.Variable(1.0))
        return created[0] ** 2

    SGD(0.25).minimize(loss, lambda: created)
    assert float(created[0]) == 0.5


def test_grad_loss_weights_the_gradient():
    variable = tf.Variable([1.0, 1.0])
    SGD(1.0).minimize(lambda: variable * [1.0, 1.0], [variable], grad_loss=tf.constant([0.25, 0.5]))
    np.testing.assert_allclose(variable, [0.75, 0.5])


def test_var_list_may_be_nested_as_in_keras_29():
    first, second = tf.Variable(1.0), tf.Variable(1.0)
    SGD(0.5).minimize(lambda: first + second, {"a": first, "b": [second]})
    assert (float(first), float(second)) == (0.5, 0.5)


@pytest.mark.parametrize("graph", [False, True])
def test_the_return_value_is_that_of_keras_29(graph):
    def returned(optimizer):
        variable = tf.Variable(1.0)
        kinds = []

        def step():
            result = optimizer.minimize(lambda: variable**2, [variable])
            kinds.append("operation" if isinstance(result, tf.Operation) else int(result))

        (tf.function(step) if graph else step)()
        return kinds

    assert returned(SGD()) == returned(tf_keras.optimizers.legacy.SGD())


def test_a_tensor_loss_without_a_tape_is_refused():
    with pytest.raises(
        InvalidGradients, match=r"shape \(\) and dtype float32 as loss and no tape: pass the tf.Gradient"
    ):
        SGD().minimize(tf.constant(1.0), [tf.Variable(1.0)])


@pytest.mark.parametrize("value", [3.0, None, np.float32(1.0), [None]])
def test_a_loss_that_is_no_tensor_is_refused(value):
    variable, optimizer = tf.Variable(1.0), SGD()
    message = r"the loss of minimize\(\) is .* and no tensor: compute it from the variables with TensorFlow"
    with pytest.raises(InvalidGradients, match=message):
        optimizer.minimize(lambda: value, [variable])
    with pytest.raises(InvalidGradients, match=message):
        optimizer.minimize(value, [variable], tape=tf.GradientTape())
    assert optimizer.weights == []


def test_an_empty_var_list_is_refused():
    with pytest.raises(InvalidGradients, match="empty var_list: pass the variables to update"):
        SGD().minimize(lambda: tf.constant(1.0), [])


def test_a_var_list_with_a_tensor_is_refused():
    with pytest.raises(InvalidVariable, match=r"expected a tf.Variable .*received a EagerTensor of shape \(\)"):
        SGD().minimize(lambda: tf.constant(1.0), [tf.constant(1.0)])


def test_an_integer_variable_is_refused_by_name():
    count, variable = tf.Variable(1, name="count"), tf.Variable(1.0)
    optimizer = SGD()
    with pytest.raises(InvalidVariable, match="SGD: variable 'count' has dtype int32; allowed: bfloat16, complex128"):
        optimizer.apply_gradients([(tf.constant(1.0), variable), (tf.constant(1), count)])
    assert float(variable) == 1.0
    assert optimizer.weights == []


def test_one_optimizer_serves_changing_subsets_of_variables():
    generator, discriminator = tf.Variable(1.0), tf.Variable(1.0)
    optimizer = Adam(0.1)
    for _ in range(2):
        optimizer.minimize(lambda: generator**2, [generator])
        optimizer.minimize(lambda: discriminator**2, [discriminator])
    assert int(optimizer.iterations) == 4
    assert len(optimizer.weights) == 5
    assert float(generator) < 0.9
    assert float(discriminator) < 0.9


def test_one_optimizer_serves_several_traced_functions_with_new_variables():
    optimizer = Adam(0.1)
    for _ in range(3):
        variable = tf.Variable(1.0)

        @tf.function
        def step(v=variable):
            optimizer.minimize(lambda: v**2, [v])

        step()
        step()
        assert float(variable) < 0.95
    assert int(optimizer.iterations) == 6


def test_a_traced_step_is_not_traced_again():
    traces = []
    variable = tf.Variable([1.0, 2.0])
    optimizer = Adam(0.1)

    @tf.function
    def step():
        traces.append(1)
        optimizer.minimize(lambda: tf.reduce_sum(variable**2), [variable])

    for _ in range(4):
        step()
    first_call_traces_twice_for_variable_creation = 2
    assert len(traces) <= first_call_traces_twice_for_variable_creation
    before = len(traces)
    step()
    assert len(traces) == before


def test_several_optimizers_share_variables():
    variable = tf.Variable(1.0)
    first, second = SGD(0.1, momentum=0.9), SGD(0.01, momentum=0.9)
    for optimizer in (first, second, first):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    # u1: -0.1, then -0.19; u2: -0.01
    np.testing.assert_allclose(variable, 1.0 - 0.1 - 0.01 - 0.19, rtol=1e-6)
    assert (int(first.iterations), int(second.iterations)) == (2, 1)


def test_variables_that_tapes_do_not_watch_by_themselves_are_trained_if_listed():
    variable = tf.Variable(1.0, trainable=False)
    SGD(0.25).minimize(lambda: variable**2, [variable])
    assert float(variable) == 0.5
