from __future__ import annotations

import gc

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from optreg.errors import HyperparameterTypeError, UnknownSlot
from optreg.optimizer import Optimizer, distribution
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


class Bare(Optimizer):
    def __init__(self, name="Bare", **kwargs):
        super().__init__(name, **kwargs)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(grad)


@pytest.fixture
def variable():
    return tf.Variable(tf.fill((2, 3), 5.0), name="kernel")


@pytest.mark.parametrize(
    ("initializer", "expected"),
    [
        ("zeros", 0.0),
        ("ones", 1.0),
        (tf.constant(7.0, shape=(2, 3)), 7.0),
        (lambda shape, dtype: tf.fill(shape, tf.cast(3.0, dtype)), 3.0),
        (lambda: tf.fill((2, 3), 4.0), 4.0),
        (np.full((2, 3), 2.0), 2.0),
    ],
    ids=["zeros", "ones", "tensor", "callable of shape and dtype", "callable of nothing", "array"],
)
def test_a_slot_starts_from_its_initializer(variable, initializer, expected):
    slot = Bare().add_slot(variable, "average", initializer)
    np.testing.assert_array_equal(slot, np.full((2, 3), expected))
    assert slot.dtype == tf.float32
    assert not slot.trainable


@pytest.mark.parametrize("initializer", [tf.zeros([]), 0.5, np.ones(2, "float32"), tf.Variable(2.0)])
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_a_slot_takes_the_shape_of_the_value_it_starts_from(initializer, graph):
    def made(base):
        class Scaled(base):
            def __init__(self, name="Scaled", **kwargs):
                super().__init__(name, **kwargs)

            def _create_slots(self, var_list):
                for var in var_list:
                    self.add_slot(var, "scale", initializer=initializer)

            def _resource_apply_dense(self, grad, var, apply_state=None):
                return var.assign_sub(grad * tf.reduce_sum(self.get_slot(var, "scale")))

            def get_config(self):
                return super().get_config()

        optimizer, weights = Scaled(), tf.Variable(tf.ones((2, 3)))

        def step():
            optimizer.apply_gradients([(tf.ones((2, 3)), weights)])

        (tf.function(step) if graph else step)()
        return [weights.numpy(), *optimizer.get_weights()]

    ours, theirs = made(Optimizer), made(tf_keras.optimizers.legacy.Optimizer)
    assert [part.shape for part in ours] == [part.shape for part in theirs]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_value_that_does_not_have_the_shape_of_the_slot_is_refused(variable):
    optimizer = Bare()
    with pytest.raises(HyperparameterTypeError, match=r"a slot of shape \(3,\) cannot start from 0.5 of type float"):
        optimizer.add_slot(variable, "average", 0.5, shape=[3])
    assert optimizer.weights == []
    assert optimizer.get_slot_names() == []


@pytest.mark.parametrize(
    "name",
    [
        "glorot_normal",
        "glorot_uniform",
        "he_normal",
        "he_uniform",
        "lecun_normal",
        "lecun_uniform",
        "random_normal",
        "random_uniform",
        "truncated_normal",
        "variance_scaling",
    ],
)
def test_a_random_slot_spreads_as_that_of_keras_29(name):
    variable = tf.Variable(tf.zeros((200, 300)))
    theirs = tf_keras.optimizers.legacy.SGD().add_slot(variable, "noise", initializer=name)
    ours = Bare().add_slot(variable, "noise", initializer=name)
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.02)
    assert np.max(np.abs(ours)) == pytest.approx(np.max(np.abs(theirs)), rel=0.25)


@pytest.mark.parametrize("name", ["orthogonal", "identity"])
def test_a_slot_can_start_as_a_rotation_or_the_identity(name):
    slot = Bare().add_slot(tf.Variable(tf.zeros((4, 4))), "start", initializer=name)
    np.testing.assert_allclose(tf.matmul(slot, slot, transpose_a=True), np.eye(4), atol=1e-6)


def test_a_slot_can_be_a_copy_of_its_variable(variable):
    np.testing.assert_array_equal(Bare().add_slot(variable, "slow", initializer=variable), variable)


def test_a_slot_can_have_another_shape_and_dtype(variable):
    slot = Bare().add_slot(variable, "rows", shape=(2,), dtype=tf.float64)
    assert (slot.shape, slot.dtype) == ((2,), tf.float64)


def test_adding_a_slot_twice_returns_the_first(variable):
    optimizer = Bare()
    first = optimizer.add_slot(variable, "average", "ones")
    assert optimizer.add_slot(variable, "average", "zeros") is first
    assert len(optimizer.weights) == 1


def test_slots_are_created_lazily_for_each_new_variable():
    first, second = tf.Variable([1.0]), tf.Variable([1.0])
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.apply_gradients([(tf.constant([1.0]), first)])
    assert len(optimizer.weights) == 2
    optimizer.apply_gradients([(tf.constant([1.0]), second)])
    assert len(optimizer.weights) == 3
    np.testing.assert_allclose(optimizer.get_slot(second, "momentum"), [-0.1])


def test_slot_names_stand_in_the_order_of_creation(variable):
    optimizer = Adam(amsgrad=True)
    assert optimizer.get_slot_names() == []
    optimizer.build([variable])
    assert optimizer.get_slot_names() == ["m", "v", "vhat"]


def test_an_unknown_slot_says_which_exist(variable):
    optimizer = Adam()
    optimizer.build([variable])
    with pytest.raises(UnknownSlot) as raised:
        optimizer.get_slot(variable, "vv")
    assert str(raised.value) == "no slot 'vv' for variable 'kernel'; its slots: m, v. Did you mean 'v'?"
    with pytest.raises(KeyError):
        optimizer.get_slot(variable, "vv")


def test_a_slot_name_that_is_no_text_is_unknown(variable):
    optimizer = Adam()
    optimizer.build([variable])
    with pytest.raises(UnknownSlot, match="no slot None for variable 'kernel'; its slots: m, v"):
        optimizer.get_slot(variable, None)


def test_the_slot_of_an_unknown_variable_says_which_have_slots(variable):
    optimizer = Adam()
    optimizer.build([variable])
    with pytest.raises(
        UnknownSlot, match="no slots for variable 'bias' yet; variables with slots: kernel. Slots are creat"
    ):
        optimizer.get_slot(tf.Variable(1.0, name="bias"), "m")


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (
            "zeroes",
            "slot initializer 'zeroes' is not known; allowed: glorot_normal, glorot_uniform, .* Did you mean 'zeros'",
        ),
        (None, "a slot initializer is needed, received None"),
    ],
)
def test_an_initializer_that_makes_no_sense_is_refused(variable, initializer, message):
    optimizer = Bare()
    with pytest.raises(HyperparameterTypeError, match=message):
        optimizer.add_slot(variable, "average", initializer)
    assert optimizer.weights == []


def test_a_slot_created_in_a_traced_function_outlives_it():
    variable = tf.Variable([1.0])
    optimizer = SGD(0.1, momentum=0.5)
    step = tf.function(lambda: optimizer.apply_gradients([(tf.constant([1.0]), variable)]) and None)
    step()
    step()
    np.testing.assert_allclose(optimizer.get_slot(variable, "momentum"), [-0.15])


def test_a_variable_that_is_gone_leaves_neither_its_key_nor_its_slots_to_the_next():
    """Python often gives the place of a dead variable, and so its ``id``, to a new one."""
    optimizer = Adam()
    gc.collect()
    known, keys = len(distribution._keys), set()
    for number in range(8):
        variable = tf.Variable(float(number))
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
        keys.add(distribution.variable_key(variable))
        assert float(optimizer.get_slot(variable, "m")) == pytest.approx(0.1)
        del variable
        gc.collect()
    assert len(keys) == 8
    assert len(distribution._keys) <= known
