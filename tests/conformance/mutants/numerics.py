from __future__ import annotations

from dataclasses import replace
from typing import Any

import tensorflow as tf

from .sound import Sound, SoundDense


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


class TakesHalfTheStepOfItsReference(SoundDense):
    caught_by = "check_it_follows_its_reference"

    card = replace(SoundDense.card, reference="tests.conformance.mutants.references:halved")


class NamesAReferenceThatIsNotThere(SoundDense):
    caught_by = "check_it_follows_its_reference"

    card = replace(SoundDense.card, reference="tests.conformance.mutants.references:missing")


class AveragesInTheDtypeOfTheWeights(Sound):
    caught_by = "check_low_precision_keeps_up_over_many_steps"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        # (1 - 0.004) is 0.996 in float32, and 1 in bfloat16.
        velocity = self.get_slot(var, "velocity")
        kept = tf.cast(tf.constant(0.998, var.dtype), var.dtype)
        new = velocity.assign(kept * velocity + tf.cast(1.0, var.dtype) * (1 - kept) * grad)
        return var.assign_sub(self._coefficients(var, apply_state)["lr_t"] * new)


class SquaresInFloat16(Sound):
    caught_by = "check_large_float16_gradients_stay_finite"

    def direction(self, grad: Any) -> Any:
        return tf.sqrt(grad * grad) * tf.sign(grad)


class MixesItsVariables(Sound):
    caught_by = "check_a_nan_stays_in_its_variable"

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        pairs = list(super()._transform_gradients(grads_and_vars))
        total = tf.add_n([tf.reduce_sum(tf.cast(grad, tf.float32)) for grad, _ in pairs])
        return [(grad + 0.0 * tf.cast(total, grad.dtype), var) for grad, var in pairs]
