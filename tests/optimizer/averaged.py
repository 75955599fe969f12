"""An optimizer around an optimizer, in the manner of Keras 2.9 days: it delegates the step and averages the weights."""

from __future__ import annotations

import tensorflow as tf


def make_averaged(base):
    """Return the wrapper's class on a base: every joint of the step goes to the inner optimizer, internals included."""

    class Averaged(base):
        def __init__(self, inner, keep=0.75, start=1, active=True, name="Averaged", **kwargs):
            super().__init__(name, **kwargs)
            self._inner_optimizer = inner
            self._set_hyper("keep", keep)
            self._set_hyper("start", start)
            self._set_hyper("active", active)

        def _create_all_weights(self, var_list):
            with self._distribution_strategy_scope():
                _ = self.iterations
            self._inner_optimizer._iterations = self.iterations
            self._create_hypers()
            self._create_slots(var_list)
            self._create_slots_for_sharded_variables(var_list)

        def _create_slots(self, var_list):
            self._inner_optimizer._create_slots(var_list)
            for var in var_list:
                self.add_slot(var, "average", initializer=var)

        def _create_hypers(self):
            super()._create_hypers()
            if not self._inner_optimizer._hypers_created:
                self._inner_optimizer._create_hypers()

        def _prepare_local(self, var_device, var_dtype, apply_state):
            self._inner_optimizer._prepare_local(var_device, var_dtype, apply_state)

        def _follow(self, var):
            average, keep = self.get_slot(var, "average"), self._get_hyper("keep", var.dtype)
            late = self.iterations >= self._get_hyper("start", tf.int64)
            moving = tf.logical_and(self._get_hyper("active"), late)
            return average.assign(tf.where(moving, keep * average + (1.0 - keep) * var, var))

        def _resource_apply_dense(self, grad, var, apply_state=None):
            state = {"apply_state": apply_state} if "apply_state" in self._inner_optimizer._dense_apply_args else {}
            done = self._inner_optimizer._resource_apply_dense(grad, var, **state)
            with tf.control_dependencies([done] if done is not None else []):
                return tf.group(done, self._follow(var)) if done is not None else self._follow(var)

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            state = {"apply_state": apply_state} if "apply_state" in self._inner_optimizer._sparse_apply_args else {}
            done = self._inner_optimizer._resource_apply_sparse(grad, var, indices, **state)
            with tf.control_dependencies([done] if done is not None else []):
                return tf.group(done, self._follow(var)) if done is not None else self._follow(var)

        def get_config(self):
            return {
                **super().get_config(),
                "inner": self._inner_optimizer.get_config(),
                **{name: self._serialize_hyperparameter(name) for name in ("keep", "start", "active")},
            }

    return Averaged
