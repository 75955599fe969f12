from __future__ import annotations

import time
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


class CountsThePairs(Sound):
    caught_by = "check_any_iterable_of_pairs_is_taken"

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        if not len(grads_and_vars):
            raise ValueError("no gradients")
        return super().apply_gradients(grads_and_vars, *args, **kwargs)


class UsesUpTheTape(Sound):
    caught_by = "check_minimize_makes_the_step_of_apply_gradients"

    def _compute_gradients(self, loss: Any, var_list: Any, grad_loss: Any = None, tape: Any = None) -> Any:
        pairs = super()._compute_gradients(loss, var_list, grad_loss=grad_loss, tape=tape)
        return [(grad / 2.0, var) for grad, var in pairs] if tape is not None else pairs


class AlwaysAggregates(Sound):
    caught_by = "check_gradients_summed_already_are_not_summed_again"

    def apply_gradients(self, grads_and_vars: Any, name: Any = None, **kwargs: Any) -> Any:
        return super().apply_gradients(grads_and_vars, name=name)


class KnowsNoOptionsOfTheStep(Sound):
    caught_by = "check_gradients_summed_already_are_not_summed_again"

    def apply_gradients(self, grads_and_vars: Any) -> Any:
        return super().apply_gradients(grads_and_vars)


class PassesOverAStepWithoutGradients(Sound):
    caught_by = "check_a_step_without_any_gradient_is_refused"

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        pairs = list(grads_and_vars)
        if all(grad is None for grad, _ in pairs):
            return self.iterations.assign_add(1)
        return super().apply_gradients(pairs, *args, **kwargs)


class GoesByPlaceInTheList(Sound):
    caught_by = "check_the_order_of_the_pairs_does_not_matter"

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        pairs = [(grad * (1.0 + 0.1 * place), var) for place, (grad, var) in enumerate(grads_and_vars)]
        return super().apply_gradients(pairs, *args, **kwargs)


class AddsNoiseOfTheClock(Sound):
    caught_by = "check_the_same_training_twice_ends_in_the_same_place"

    def direction(self, grad: Any) -> Any:
        return grad * (1.0 + 1e-3 * (time.perf_counter_ns() % 1009))
