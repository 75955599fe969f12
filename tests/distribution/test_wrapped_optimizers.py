"""An optimizer around an optimizer, as written for Keras 2.9, under a strategy."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.optimizer.averaged import make_averaged

import optreg.legacy

from .replicas import GRADIENTS, copies, run


@pytest.mark.parametrize("inside", [True, False], ids=["made in the scope", "made outside"])
@pytest.mark.parametrize(("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {})])
def test_a_wrapper_trains_every_copy_as_in_keras_29(mirrored, name, options, inside):
    trained = []
    for library in (optreg.legacy, tf_keras.optimizers.legacy):
        with mirrored.scope():
            variable = tf.Variable([1.0, 2.0])
        with mirrored.scope() if inside or library is tf_keras.optimizers.legacy else tf.name_scope("outside"):
            optimizer = make_averaged(library.Optimizer)(getattr(library, name)(0.1, **options))
        run(mirrored, optimizer, variable, GRADIENTS)
        trained.append([*copies(mirrored, variable), *copies(mirrored, optimizer.get_slot(variable, "average"))])
    ours, theirs = trained
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_an_overridden_distributed_apply_gets_every_copy(mirrored):
    class Doubled(optreg.legacy.SGD):
        def _distributed_apply(self, distribution, grads_and_vars, apply_state, name):
            assert distribution is mirrored
            doubled = [(gradient, variable) for gradient, variable in grads_and_vars for _ in range(2)]
            return super()._distributed_apply(distribution, doubled, apply_state, name)

    with mirrored.scope():
        twice, double = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])
        run(mirrored, Doubled(0.25), twice, GRADIENTS)
        run(mirrored, optreg.legacy.SGD(0.5), double, GRADIENTS)
    np.testing.assert_array_equal(copies(mirrored, twice), copies(mirrored, double))


def test_a_step_that_a_class_composes_itself_is_the_usual_one_and_not_rewritten_by_autograph(
    mirrored, caplog, monkeypatch
):
    class Composed(optreg.legacy.SGD):
        def apply_gradients(self, grads_and_vars, name=None, experimental_aggregate_gradients=True):
            pairs = list(grads_and_vars)
            variables = [variable for _, variable in pairs]
            self._create_all_weights(variables)
            apply = functools.partial(self._distributed_apply, apply_state=self._prepare(variables), name=name)
            pairs = self._transform_gradients(self._aggregate_gradients(pairs))
            return tf.distribute.get_replica_context().merge_call(apply, args=(pairs,))

    monkeypatch.setattr(tf.get_logger(), "handlers", [caplog.handler])
    with mirrored.scope():
        composed, plain = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])
        run(mirrored, Composed(0.25, momentum=0.5, clipnorm=1.0), composed, GRADIENTS)
        run(mirrored, optreg.legacy.SGD(0.25, momentum=0.5, clipnorm=1.0), plain, GRADIENTS)
    np.testing.assert_array_equal(copies(mirrored, composed), copies(mirrored, plain))
    assert "AutoGraph could not transform" not in caplog.text
