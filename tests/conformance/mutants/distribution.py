from __future__ import annotations

from typing import Any

from .sound import Sound


class KeepsGradientsOfReplicasApart(Sound):
    caught_by = "check_two_replicas_make_the_step_of_one_with_the_sum"

    def _aggregate_gradients(self, grads_and_vars: Any) -> Any:
        step = self._aggregator_step
        return step(grads_and_vars) if step is not None else grads_and_vars
