"""Small sound optimizers, from which the mutants are made by breaking one thing."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

import optreg
from optreg.cards import Card, Slot


class Sound(optreg.Optimizer):
    """Momentum with lazy sparse updates, in plain TensorFlow.

    Arguments:
        learning_rate: Step size.
        momentum: Share of the velocity that is kept.
        nesterov: Whether to look ahead.
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)", "nesterov": "bool"},
        slots=(Slot("velocity", "running sum of gradients"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        reference="tests.conformance.mutants.references:momentum",
    )

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: Any = 0.5,
        nesterov: bool = False,
        name: str = "Sound",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("momentum", momentum)
        self.nesterov = nesterov

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            self.add_slot(var, "velocity")

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        apply_state[(var_device, var_dtype)]["momentum"] = tf.identity(self._get_hyper("momentum", var_dtype))

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        velocity = self.get_slot(var, "velocity")
        new = velocity.assign(coefficients["momentum"] * velocity + self.direction(grad))
        step = self.direction(grad) + coefficients["momentum"] * new if self.nesterov else new
        return var.assign_sub(coefficients["lr_t"] * step)

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        velocity = self.get_slot(var, "velocity")
        new = coefficients["momentum"] * tf.gather(velocity, indices) + self.direction(grad)
        self._resource_scatter_update(velocity, indices, new)
        step = self.direction(grad) + coefficients["momentum"] * new if self.nesterov else new
        return self._resource_scatter_add(var, indices, -coefficients["lr_t"] * step)

    def direction(self, grad: Any) -> Any:
        """Return what the velocity sums up."""
        return grad

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "momentum": self._serialize_hyperparameter("momentum"),
            "nesterov": self.nesterov,
            "decay": self._serialize_hyperparameter("decay"),
        }


class SoundExact(Sound):
    """The same with sparse gradients made dense."""

    card = Card(
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)", "nesterov": "bool"},
        slots=(Slot("velocity", "running sum of gradients"),),
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
    )

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return self._resource_apply_dense(
            tf.math.unsorted_segment_sum(grad, indices, tf.shape(var)[0]), var, apply_state
        )


class SoundDecaying(Sound):
    """The same with a velocity that decays on every row, and moves only the rows present."""

    card = Card(
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)", "nesterov": "bool"},
        slots=(Slot("velocity", "running sum of gradients"),),
        sparse="decaying",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
    )

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        velocity = self.get_slot(var, "velocity")
        kept = velocity.assign(velocity * self._coefficients(var, apply_state)["momentum"])
        new = tf.gather(kept, indices) + grad
        self._resource_scatter_update(velocity, indices, new)
        step = grad + self._coefficients(var, apply_state)["momentum"] * new if self.nesterov else new
        return self._resource_scatter_add(var, indices, -self._coefficients(var, apply_state)["lr_t"] * step)


class SoundDense(optreg.Optimizer):
    """Plain descent without sparse updates.

    Arguments:
        learning_rate: Step size.
    """

    card = Card(ranges={"learning_rate": "[0, inf)"}, sparse="none", dtypes=("float32",))

    def __init__(self, learning_rate: Any = 0.01, name: str = "SoundDense", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return var.assign_sub(self._coefficients(var, apply_state)["lr_t"] * grad)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._serialize_hyperparameter("decay"),
        }
