from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.cards import Card, Slot

from .sound import Sound, SoundDense, SoundExact


class RaisesOnSparseGradients(Sound):
    caught_by = "check_a_sparse_step_can_be_made"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        raise RuntimeError("a mistake of the author")


class LosesSparseGradients(Sound):
    caught_by = "check_a_sparse_step_can_be_made"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return var.value()


class SortsTheRows(Sound):
    caught_by = "check_a_sparse_gradient_of_all_rows_equals_the_dense_one"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_sparse(grad, var, tf.sort(indices), apply_state)


class IsLazyAndSaysExact(Sound):
    caught_by = "check_absent_rows_move_as_with_zeros"

    card = Card(
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)", "nesterov": "bool"},
        slots=(Slot("velocity"),),
        sparse="exact",
        dtypes=("float32",),
    )


class IsExactAndSaysLazy(SoundExact):
    caught_by = "check_absent_rows_stay"

    card = Card(
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)", "nesterov": "bool"},
        slots=(Slot("velocity"),),
        sparse="lazy",
        dtypes=("float32",),
    )


class DecaysTheSlotsOfAbsentRows(Sound):
    caught_by = "check_slots_of_absent_rows_stay"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        velocity = self.get_slot(var, "velocity")
        present = tf.gather(velocity, indices)
        velocity.assign(velocity * 0.5)
        self._resource_scatter_update(velocity, indices, present)
        return super()._resource_apply_sparse(grad, var, indices, apply_state)


class TakesRepeatedRowsOneByOne(Sound):
    caught_by = "check_repeated_rows_are_summed"

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, var: Any, indices: Any, **kwargs: Any) -> Any:
        return self._resource_apply_sparse(grad, var, indices, **kwargs)


class NeedsARow(Sound):
    caught_by = "check_a_gradient_without_rows_is_harmless"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_sparse(grad + 0.0 * grad[0], var, indices, apply_state)


class TakesSparseGradientsUndeclared(SoundDense):
    caught_by = "check_an_undeclared_sparse_gradient_is_refused"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return self._resource_scatter_add(var, indices, -0.1 * grad)


class LeavesSparseGradientsUnclipped(Sound):
    caught_by = "check_clip_options_reach_sparse_gradients"

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        sparse = [pair for pair in grads_and_vars if isinstance(pair[0], tf.IndexedSlices)]
        dense = [pair for pair in grads_and_vars if not isinstance(pair[0], tf.IndexedSlices)]
        return [*sparse, *(super()._transform_gradients(dense) if dense else ())]


class WantsLongIndices(Sound):
    caught_by = "check_indices_of_either_dtype_are_taken"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        rows = tf.concat([indices, tf.zeros((0,), tf.int64)], axis=0)
        return super()._resource_apply_sparse(grad, var, rows, apply_state)


class WantsFloat32Rows(Sound):
    caught_by = "check_every_declared_dtype_takes_sparse_gradients"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_sparse(grad * tf.constant(1.0, tf.float32), var, indices, apply_state)


class WantsRowsOfOneAxis(Sound):
    caught_by = "check_tables_of_every_rank_take_sparse_gradients"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        norms = tf.reduce_sum(grad * 0.0, axis=1, keepdims=True)
        return super()._resource_apply_sparse(grad + norms[:, :1], var, indices, apply_state)
