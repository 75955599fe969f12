from __future__ import annotations

from typing import Any

import tensorflow as tf

from .sound import Sound


class Climbs(Sound):
    caught_by = "check_the_first_steps_lower_a_quadratic"

    def direction(self, grad: Any) -> Any:
        return -grad


class GrowsItsSteps(Sound):
    caught_by = "check_it_converges_on_a_quadratic"

    def direction(self, grad: Any) -> Any:
        return grad * tf.cast(self.iterations + 1, grad.dtype) ** 2


class DividesByTheGradient(Sound):
    caught_by = "check_zero_gradients_keep_everything_finite"

    def direction(self, grad: Any) -> Any:
        return grad * grad / grad


class CubesTheGradient(Sound):
    caught_by = "check_huge_and_tiny_gradients_keep_everything_finite"

    def direction(self, grad: Any) -> Any:
        return grad * grad * grad / (grad * grad + tf.cast(1e-4, grad.dtype))
