from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.optimizer import is_compiled_by_xla

from .sound import Sound


class LeavesKernelsAlone(Sound):
    caught_by = "check_a_keras_model_trains_as_a_loop_does"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_dense(grad * 0.0 if "kernel" in var.name else grad, var, apply_state)


class LeavesKernelsAloneUnderXla(Sound):
    caught_by = "check_a_compiled_keras_model_trains_as_a_loop_does"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        left = "kernel" in var.name and is_compiled_by_xla()
        return super()._resource_apply_dense(grad * 0.0 if left else grad, var, apply_state)


class FreezesTheRateInTheTrace(Sound):
    caught_by = "check_a_learning_rate_set_between_epochs_takes_effect"

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        if tf.inside_function():
            with tf.init_scope():
                rate = float(self._get_hyper("learning_rate"))
            apply_state[(var_device, var_dtype)]["lr_t"] = tf.constant(rate, var_dtype)


class SavesTheNumbersOfAnother(Sound):
    caught_by = "check_a_saved_keras_model_continues"

    def state_dict(self, var_list: Any = None) -> Any:
        state = super().state_dict(var_list)
        zeros = {name: {slot: value * 0.0 for slot, value in own.items()} for name, own in state["slots"].items()}
        return {**state, "slots": zeros}


class LeavesEmbeddingsAlone(Sound):
    caught_by = "check_an_embedding_of_keras_trains_as_a_loop_does"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_sparse(grad * 0.0 if "embed" in var.name else grad, var, indices, apply_state)
