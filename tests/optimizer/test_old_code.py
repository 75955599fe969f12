"""Classes written in the manner of Keras 2.9 days work after changing their base class only.

Each class is made twice from one text, once on tf_keras's legacy base and once on ours, and both must train alike.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg


def make_adabound(base):
    """An Adam whose step is held between two bounds: coefficients in ``_prepare_local``, dense and sparse methods."""

    class AdaBound(base):
        _HAS_AGGREGATE_GRAD = True

        def __init__(
            self, learning_rate=0.01, final_lr=0.1, beta_1=0.9, beta_2=0.999, gamma=1e-3, name="AdaBound", **kwargs
        ):
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
            self._set_hyper("decay", self._initial_decay)
            self._set_hyper("final_lr", final_lr)
            self._set_hyper("beta_1", beta_1)
            self._set_hyper("beta_2", beta_2)
            self._set_hyper("gamma", gamma)
            self.epsilon = 1e-7

        def _create_slots(self, var_list):
            for var in var_list:
                self.add_slot(var, "m")
            for var in var_list:
                self.add_slot(var, "v")

        def _prepare_local(self, var_device, var_dtype, apply_state):
            super()._prepare_local(var_device, var_dtype, apply_state)
            step = tf.cast(self.iterations + 1, var_dtype)
            beta_1 = tf.identity(self._get_hyper("beta_1", var_dtype))
            beta_2 = tf.identity(self._get_hyper("beta_2", var_dtype))
            gamma = self._get_hyper("gamma", var_dtype)
            final = self._get_hyper("final_lr", var_dtype)
            rate = apply_state[(var_device, var_dtype)]["lr_t"]
            apply_state[(var_device, var_dtype)].update(
                beta_1=beta_1,
                beta_2=beta_2,
                rate=rate * tf.sqrt(1 - tf.pow(beta_2, step)) / (1 - tf.pow(beta_1, step)),
                low=final * (1 - 1 / (gamma * step + 1)),
                high=final * (1 + 1 / (gamma * step)),
            )

        def _bounded(self, m, v, c):
            return m * tf.clip_by_value(c["rate"] / (tf.sqrt(v) + self.epsilon), c["low"], c["high"])

        def _resource_apply_dense(self, grad, var, apply_state=None):
            device, dtype = var.device, var.dtype.base_dtype
            c = (apply_state or {}).get((device, dtype)) or self._fallback_apply_state(device, dtype)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            m_t = m.assign(c["beta_1"] * m + (1 - c["beta_1"]) * grad, use_locking=self._use_locking)
            v_t = v.assign(c["beta_2"] * v + (1 - c["beta_2"]) * grad**2, use_locking=self._use_locking)
            update = var.assign_sub(self._bounded(m_t, v_t, c), use_locking=self._use_locking)
            return tf.group(*[update, m_t, v_t])

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            device, dtype = var.device, var.dtype.base_dtype
            c = (apply_state or {}).get((device, dtype)) or self._fallback_apply_state(device, dtype)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            m_t = m.assign(m * c["beta_1"])
            with tf.control_dependencies([m_t]):
                m_t = self._resource_scatter_add(m, indices, grad * (1 - c["beta_1"]))
            v_t = v.assign(v * c["beta_2"])
            with tf.control_dependencies([v_t]):
                v_t = self._resource_scatter_add(v, indices, grad**2 * (1 - c["beta_2"]))
            return tf.group(*[var.assign_sub(self._bounded(m_t, v_t, c)), m_t, v_t])

        def get_config(self):
            config = super().get_config()
            config.update(
                {
                    name: self._serialize_hyperparameter(name)
                    for name in ("learning_rate", "decay", "final_lr", "beta_1", "beta_2", "gamma")
                }
            )
            return config

    return AdaBound


def make_signum(base):
    """From before ``apply_state``: reads hyperparameters in the apply methods, restricts dtypes, takes callables."""

    class Signum(base):
        def __init__(self, learning_rate=0.01, momentum=lambda: 0.9, shrink=0.5, name="Signum", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", learning_rate)
            self._set_hyper("momentum", momentum)
            self._shrink = shrink

        def _create_slots(self, var_list):
            for var in var_list:
                self.add_slot(var, "momentum", initializer="ones")

        def _prepare(self, var_list):
            self._shrinkage = self._call_if_callable(self._shrink)
            super()._prepare(var_list)  # returns nothing, because there was nothing to return

        def _valid_dtypes(self):
            return {tf.float32, tf.float64}

        def _resource_apply_dense(self, grad, var):
            rate = self._decayed_lr(var.dtype.base_dtype)
            momentum = self._get_hyper("momentum", var.dtype.base_dtype)
            shrink = tf.cast(self._shrinkage, var.dtype)
            slot = self.get_slot(var, "momentum")
            velocity = slot.assign(momentum * slot + (1 - momentum) * grad)
            return var.assign_sub(rate * shrink * tf.sign(velocity))

        def _resource_apply_sparse(self, grad, var, indices):
            rate = self._decayed_lr(var.dtype.base_dtype)
            return self._resource_scatter_add(var, indices, -rate * tf.sign(grad))

        def get_config(self):
            config = super().get_config()
            config["learning_rate"] = self._serialize_hyperparameter("learning_rate")
            config["momentum"] = self._serialize_hyperparameter("momentum")
            config["shrink"] = self._shrink
            return config

    return Signum


def make_lookahead(base, inner_class):
    """A wrapper that calls the protected methods of the optimizer it wraps, as wrappers of those days did."""

    class Lookahead(base):
        def __init__(self, optimizer, sync_period=3, slow_step=0.5, name="Lookahead", **kwargs):
            super().__init__(name, **kwargs)
            self._optimizer = optimizer
            self._set_hyper("sync_period", sync_period)
            self._set_hyper("slow_step", slow_step)

        def _create_slots(self, var_list):
            self._optimizer._create_slots(var_list=var_list)
            for var in var_list:
                self.add_slot(var, "slow", initializer=var)

        def _create_hypers(self):
            super()._create_hypers()
            self._optimizer._create_hypers()

        def _prepare(self, var_list):
            return self._optimizer._prepare(var_list=var_list)

        def apply_gradients(self, grads_and_vars, name=None, **kwargs):
            self._optimizer._iterations = self.iterations
            return super().apply_gradients(grads_and_vars, name, **kwargs)

        def _synced(self, train_op, var):
            with tf.control_dependencies([] if train_op is None else [train_op]):
                slow = self.get_slot(var, "slow")
                period = tf.cast(self._get_hyper("sync_period", tf.float32), tf.int64)
                due = tf.equal(tf.math.floormod(self.iterations + 1, period), 0)
                mixed = slow + self._get_hyper("slow_step", var.dtype) * (var - slow)
                now_slow = slow.assign(tf.where(due, mixed, slow))
                with tf.control_dependencies([now_slow]):
                    return var.assign(tf.where(due, mixed, var))

        def _resource_apply_dense(self, grad, var, apply_state=None):
            return self._synced(self._optimizer._resource_apply_dense(grad, var), var)

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            return self._synced(self._optimizer._resource_apply_sparse(grad, var, indices), var)

        @property
        def learning_rate(self):
            return self._optimizer._get_hyper("learning_rate")

        @learning_rate.setter
        def learning_rate(self, value):
            self._optimizer._set_hyper("learning_rate", value)

        def get_config(self):
            config = {
                "optimizer": self._optimizer.get_config(),
                "sync_period": self._serialize_hyperparameter("sync_period"),
                "slow_step": self._serialize_hyperparameter("slow_step"),
            }
            return {**super().get_config(), **config}

    return lambda **kwargs: Lookahead(inner_class(0.1, momentum=0.5), **kwargs)


def make_split(base, inner_class):
    """Gives each variable to one of two optimizers; its weights are theirs, and its counter cannot be replaced."""

    class Split(base):
        _HAS_AGGREGATE_GRAD = True

        def __init__(self, matrices, others, name="Split"):
            super().__init__(name)
            self._parts = [matrices, others]
            for number, part in enumerate(self._parts):
                self._track_trackable(part, name=f"part_{number}")

        @property
        def weights(self):
            return [weight for part in self._parts for weight in part.weights]

        @base.iterations.setter
        def iterations(self, variable):
            raise NotImplementedError("the parts count for themselves")

        def get_slot_names(self):
            return [name for part in self._parts for name in part.get_slot_names()]

        @property
        def learning_rate(self):
            return self._parts[0].learning_rate

        @learning_rate.setter
        def learning_rate(self, value):
            for part in self._parts:
                part.learning_rate = value

        def apply_gradients(self, grads_and_vars, name=None, **kwargs):
            lists = [[], []]
            for gradient, variable in grads_and_vars:
                lists[len(variable.shape) != 2].append((gradient, variable))
            with tf.init_scope():
                _ = self.iterations
                for part, pairs in zip(self._parts, lists, strict=True):
                    part._create_slots([variable for _, variable in pairs])
            return tf.distribute.get_replica_context().merge_call(self._apply_parts, args=(lists, name), kwargs=kwargs)

        def _apply_parts(self, distribution, lists, name, **kwargs):
            with tf.name_scope(self._name):
                operations = [
                    distribution.extended.call_for_each_replica(part.apply_gradients, args=(pairs,), kwargs=kwargs)
                    for part, pairs in zip(self._parts, lists, strict=True)
                ]
                return tf.group(*operations, name=name or "step")

        def get_config(self):
            return {**super().get_config(), "matrices": {}, "others": {}}

    return lambda: Split(inner_class(0.1, momentum=0.5), inner_class(0.2, momentum=0.9, name="Other"))


LEGACY = tf_keras.optimizers.legacy


def sgd_of(base):
    """Return the SGD of the library that a base class belongs to."""
    return optreg.get_optimizer("sgd").__class__ if base is optreg.Optimizer else LEGACY.SGD


MAKERS = {
    "adabound": make_adabound,
    "signum": make_signum,
    "lookahead": lambda base: make_lookahead(base, sgd_of(base)),
    "split": lambda base: make_split(base, sgd_of(base)),
}


def trained(make, *, graph, steps=8, change=None):
    random = np.random.default_rng(7)
    variables = [tf.Variable(random.normal(size=shape), dtype=tf.float32) for shape in [(3, 2), (), (6, 2)]]
    optimizer = make()

    def step(matrix, scalar, rows, indices):
        slices = tf.IndexedSlices(rows, indices, tf.constant([6, 2]))
        optimizer.apply_gradients(zip([matrix, scalar, slices], variables, strict=True))

    call = tf.function(step) if graph else step
    for number in range(steps):
        if change is not None and number == steps // 2:
            change(optimizer)
        arrays = [random.normal(size=shape).astype(np.float32) for shape in [(3, 2), (), (3, 2)]]
        call(*[tf.constant(array) for array in arrays], tf.constant(random.integers(0, 5, size=3)))
    return [variable.numpy() for variable in variables], optimizer


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_a_class_of_keras_29_trains_alike_after_changing_its_base(name, graph):
    def change(optimizer):
        optimizer.learning_rate = 0.05

    ours, optimizer = trained(MAKERS[name](optreg.Optimizer), graph=graph, change=change)
    theirs, reference = trained(MAKERS[name](LEGACY.Optimizer), graph=graph, change=change)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-6, atol=2e-7)
    assert [weight.name for weight in optimizer.weights] == [weight.name for weight in reference.weights]
    assert optimizer.get_slot_names() == reference.get_slot_names()
    assert set(optimizer.get_config()) == set(reference.get_config())


def test_the_arguments_of_the_base_reach_a_class_of_keras_29():
    make = make_adabound(optreg.Optimizer)
    theirs = make_adabound(LEGACY.Optimizer)
    options = {"decay": 0.1, "clipvalue": 0.5, "learning_rate": 0.2}
    ours, _ = trained(lambda: make(**options), graph=True)
    others, _ = trained(lambda: theirs(**options), graph=True)
    # The sparse third variable is left out: Keras 2.9 clips its repeated rows before they are summed.
    for mine, other in zip(ours[:2], others[:2], strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-6, atol=2e-7)


def test_the_dtypes_of_a_class_of_keras_29_are_respected():
    with pytest.raises(TypeError, match="Signum: variable .* has dtype float16; allowed: float32, float64"):
        make_signum(optreg.Optimizer)().apply_gradients(
            [(tf.constant(1.0, tf.float16), tf.Variable(1.0, dtype=tf.float16))]
        )
