from __future__ import annotations

from typing import Any

from .sound import Sound


class LeavesKernelsOfKeras2Alone(Sound):
    caught_by = "check_a_tf_keras_model_trains_as_a_loop_does"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_dense(grad * 0.0 if "kernel" in var.name else grad, var, apply_state)


class ForgetsItsWeights(Sound):
    caught_by = "check_a_saved_tf_keras_model_continues"

    def state_dict(self, var_list: Any = None) -> Any:
        state = super().state_dict(var_list)
        zeros = {name: {slot: value * 0.0 for slot, value in own.items()} for name, own in state["slots"].items()}
        return {**state, "slots": zeros}
