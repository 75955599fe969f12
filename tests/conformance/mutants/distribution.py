from __future__ import annotations

from typing import Any

import tensorflow as tf

from .sound import Sound


class KeepsGradientsOfReplicasApart(Sound):
    caught_by = "check_two_replicas_make_the_step_of_one_with_the_sum"

    def _aggregate_gradients(self, grads_and_vars: Any) -> Any:
        step = self._aggregator_step
        return step(grads_and_vars) if step is not None else grads_and_vars


class ClipsBeforeTheSum(Sound):
    caught_by = "check_replicas_clip_the_sum_of_their_gradients"

    def _transform_unaggregated_gradients(self, grads_and_vars: Any) -> Any:
        return super()._transform_gradients(grads_and_vars)

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


class SumsDenseGradientsOnly(Sound):
    caught_by = "check_replicas_sum_their_sparse_gradients"

    def _aggregate_gradients(self, grads_and_vars: Any) -> Any:
        sparse = [pair for pair in grads_and_vars if isinstance(pair[0], tf.IndexedSlices)]
        dense = [pair for pair in grads_and_vars if not isinstance(pair[0], tf.IndexedSlices)]
        return [*sparse, *(super()._aggregate_gradients(dense) if dense else ())]
