"""Internals of Keras 2.9 that wrappers reach for mean the same here, and wrappers that use them train alike."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.optimizer.averaged import make_averaged

import optreg.legacy as ours

theirs = tf_keras.optimizers.legacy

INNER = {
    "SGD": {"momentum": 0.9},
    "Adam": {"amsgrad": True},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Ftrl": {"l1_regularization_strength": 0.01},
}


def trained(optimizer, mode, *, steps=5):
    random = np.random.default_rng(11)
    weights = tf.Variable(random.normal(size=(4, 3)).astype("float32"), name="weights")
    table = tf.Variable(random.normal(size=(6, 2)).astype("float32"), name="table")

    def step(gradient, rows, indices):
        slices = tf.IndexedSlices(rows, indices, tf.constant([6, 2]))
        optimizer.apply_gradients([(gradient, weights), (slices, table)])

    call = step if mode == "eager" else tf.function(step, jit_compile=mode == "jit")
    for _ in range(steps):
        arrays = [random.normal(size=size).astype("float32") for size in ((4, 3), (2, 2))]
        call(*map(tf.constant, arrays), tf.constant([1, 4]))
    averaged = "average" in optimizer.get_slot_names()
    averages = [optimizer.get_slot(variable, "average").numpy() for variable in (weights, table) if averaged]
    return [weights.numpy(), table.numpy(), *averages]


def averaged(library, name):
    return make_averaged(library.Optimizer)(getattr(library, name)(0.1, **INNER[name]))


@pytest.mark.parametrize("mode", ["eager", "graph", "jit"])
@pytest.mark.parametrize("name", INNER)
def test_an_optimizer_around_an_optimizer_trains_as_in_keras_29(name, mode):
    optimizer, reference = averaged(ours, name), averaged(theirs, name)
    mine = trained(optimizer, mode)
    # Optimizers of Keras call kernels that XLA does not have.
    other = trained(reference, "graph" if mode == "jit" else mode)
    for one, another in zip(mine, other, strict=True):
        np.testing.assert_allclose(one, another, rtol=2e-5, atol=2e-6)
    assert int(optimizer.iterations) == int(reference.iterations) == 5
    assert optimizer._inner_optimizer.iterations is optimizer.iterations


@pytest.mark.parametrize("mode", ["eager", "graph", "jit"])
@pytest.mark.parametrize("handed_on", ["_prepare", "_prepare_local"])
def test_state_of_no_variable_moves_on_inside_another_optimizer(handed_on, mode):
    class Averaged(make_averaged(ours.Optimizer)):
        def _prepare(self, var_list):
            return (self._inner_optimizer if handed_on == "_prepare" else super())._prepare(var_list)

    inner, alone = ours.Nadam(0.1), theirs.Nadam(0.1)
    weights, table, *_ = trained(Averaged(inner), mode)
    for mine, other in zip((weights, table), trained(alone, "graph" if mode == "jit" else mode), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(inner._momentum_product, alone._m_cache, rtol=1e-6)


@pytest.mark.parametrize("library", [ours, theirs], ids=["ours", "theirs"])
def test_internals_say_what_they_said_in_keras_29(library):
    optimizer, variable = library.Adam(clipnorm=2.0), tf.Variable([1.0, 2.0])
    assert optimizer._dense_apply_args == ["self", "grad", "var", "apply_state"]
    assert optimizer._sparse_apply_args == ["self", "grad", "var", "indices", "apply_state"]
    assert (optimizer._clipnorm, optimizer._clipvalue, optimizer._global_clipnorm) == (2.0, None, None)
    assert not optimizer._hypers_created
    assert dict(optimizer._slots) == {}
    optimizer.clipnorm = 3.0
    optimizer.apply_gradients([(tf.constant([1.0, 1.0]), variable)])
    assert optimizer._clipnorm == 3.0
    assert optimizer._hypers_created
    [slots] = optimizer._slots.values()
    assert slots["m"] is optimizer.get_slot(variable, "m")
    assert set(slots) == {"m", "v"}


def test_settings_have_the_names_of_keras_29_too():
    for library in (ours, theirs):
        assert library.Adagrad(initial_accumulator_value=0.5)._initial_accumulator_value == 0.5
        ftrl = library.Ftrl(initial_accumulator_value=0.25, l2_shrinkage_regularization_strength=0.125)
        assert ftrl._initial_accumulator_value == 0.25
        assert ftrl._l2_shrinkage_regularization_strength == 0.125


def test_slots_are_shown_and_not_handed_out():
    optimizer, variable = ours.SGD(momentum=0.9), tf.Variable(1.0)
    optimizer.build([variable])
    with pytest.raises(TypeError, match="does not support item assignment"):
        optimizer._slots["mine"] = {}
    with pytest.raises(TypeError, match="does not support item assignment"):
        next(iter(optimizer._slots.values()))["momentum"] = variable


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("library", [ours, theirs], ids=["ours", "theirs"])
def test_an_overridden_distributed_apply_is_called_and_can_call_that_of_the_base(library, graph):
    names = []

    class Watched(library.SGD):
        def _distributed_apply(self, distribution, grads_and_vars, apply_state, name):
            names.append(name)
            doubled = [(2.0 * gradient, variable) for gradient, variable in grads_and_vars]
            return super()._distributed_apply(distribution, doubled, apply_state, name)

    optimizer, variable = Watched(0.25), tf.Variable([1.0, 2.0])

    def step():
        optimizer.apply_gradients([(tf.constant([1.0, 1.0]), variable)], name="mine")

    call = tf.function(step) if graph else step
    call()
    call()
    np.testing.assert_array_equal(variable, [0.0, 1.0])
    assert int(optimizer.iterations) == 2
    assert set(names) == {"mine"}


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("library", [ours, theirs], ids=["ours", "theirs"])
def test_a_step_of_ones_own_can_end_in_distributed_apply(library, graph):
    class Plain(library.Adam):
        def apply_gradients(self, grads_and_vars, name=None, **kwargs):
            pairs = list(grads_and_vars)
            variables = [variable for _, variable in pairs]
            with tf.init_scope():
                self._create_all_weights(variables)
            apply_state = self._prepare(variables)

            def apply(distribution, pairs):
                return self._distributed_apply(distribution, pairs, apply_state, name)

            return tf.distribute.get_replica_context().merge_call(apply, args=(pairs,))

    variable, alone = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])
    optimizer, usual = Plain(0.25), library.Adam(0.25)

    def step():
        for which, target in ((optimizer, variable), (usual, alone)):
            which.apply_gradients([(tf.constant([1.0, -0.5]), target)])

    call = tf.function(step, autograph=False) if graph else step
    for _ in range(3):
        call()
    np.testing.assert_array_equal(variable, alone)
    assert int(optimizer.iterations) == 3


def test_a_failing_property_names_what_is_missing():
    class Broken(ours.SGD):
        @property
        def step(self):
            return self._missing_thing + 1

    with pytest.raises(AttributeError, match="'Broken' object has no attribute '_missing_thing'"):
        _ = Broken().step
    with pytest.raises(AttributeError, match="'Broken' object has no attribute 'nothing'"):
        _ = Broken().nothing
    assert not hasattr(Broken(), "step")
