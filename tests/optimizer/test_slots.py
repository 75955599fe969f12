from __future__ import annotations

import gc

import numpy as np
import pytest
import tensorflow as tf

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
        ("zeroes", "slot initializer 'zeroes' is not known; allowed: ones, random_normal, .* Did you mean 'zeros'"),
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
