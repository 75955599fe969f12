from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.optimizer.distribution import sum_across_replicas

from .sound import Sound, SoundDense


class WritesIntoTheGradient(SoundDense):
    caught_by = "check_gradients_are_left_as_they_were"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        operation = super()._resource_apply_dense(grad, var, apply_state)
        if tf.executing_eagerly() and grad.shape.rank:
            grad._numpy()[...] = 0.0
        return operation


class InventsMissingGradients(Sound):
    caught_by = "check_a_missing_gradient_leaves_its_variable"

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        pairs = [(tf.ones_like(var) if grad is None else grad, var) for grad, var in grads_and_vars]
        return super().apply_gradients(pairs, *args, **kwargs)


class DecaysEveryKnownVariable(Sound):
    caught_by = "check_variables_left_out_of_a_step_stay"

    def _create_slots(self, var_list: Any) -> None:
        super()._create_slots(var_list)
        self._known = [*getattr(self, "_known", []), *var_list]

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        for known in self._known:
            known.assign(known * tf.cast(0.99, known.dtype))
        return super()._resource_apply_dense(grad, var, apply_state)


class StandsStillInBfloat16(Sound):
    caught_by = "check_every_declared_dtype_trains"

    def direction(self, grad: Any) -> Any:
        return tf.zeros_like(grad) if grad.dtype == tf.bfloat16 else grad


class RefusesADeclaredDtype(Sound):
    caught_by = "check_every_declared_dtype_trains"

    def _valid_dtypes(self) -> Any:
        return super()._valid_dtypes() - {tf.bfloat16}


class TakesAnyDtype(SoundDense):
    caught_by = "check_undeclared_dtypes_are_refused"

    def _valid_dtypes(self) -> Any:
        return {tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.int32}


class NeedsAnElement(Sound):
    caught_by = "check_shapes_of_every_rank_train"

    def direction(self, grad: Any) -> Any:
        return grad + 0.0 * tf.reshape(grad, [-1])[0]


class LeavesOutClipping(Sound):
    caught_by = "check_clip_options_take_effect"

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        for transformer in self._transformers:
            grads_and_vars = transformer(grads_and_vars)
        return grads_and_vars


class RunsTransformersBackwards(Sound):
    caught_by = "check_the_aggregator_and_transformers_run_in_order"

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        in_order, self._transformers = self._transformers, self._transformers[::-1]
        try:
            return super()._transform_gradients(grads_and_vars)
        finally:
            self._transformers = in_order


class IgnoresTheAggregator(Sound):
    caught_by = "check_the_aggregator_and_transformers_run_in_order"

    def _aggregate_gradients(self, grads_and_vars: Any) -> Any:
        return sum_across_replicas(grads_and_vars)


class IgnoresConstraints(Sound):
    caught_by = "check_the_constraint_of_a_variable_is_applied"

    def _constraint_of(self, variable: Any) -> Any:
        return None
