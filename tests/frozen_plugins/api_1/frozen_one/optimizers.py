"""Gradient descent with momentum, written in both styles."""

import tensorflow as tf
from optreg import Card, Optimizer, Slot, UpdateRule


class FrozenClass(Optimizer):
    """Moves each weight along a sum of past gradients that fades.

    Rule:
        b ← μ b + g
        w ← w − lr b

    Arguments:
        learning_rate: Step size.
        momentum: Share μ of the sum that is kept at each step.
    """

    card = Card(
        aliases=("frozen_by_class",),
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)"},
        slots=(Slot("b", "fading sum b of gradients"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        api=1,
        reference="frozen_one.references:update",
    )

    def __init__(self, learning_rate=0.01, momentum=0.9, name="FrozenClass", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("momentum", momentum)
        self._set_hyper("decay", self._initial_decay)

    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "b")

    def _prepare_local(self, var_device, var_dtype, apply_state):
        super()._prepare_local(var_device, var_dtype, apply_state)
        apply_state[(var_device, var_dtype)]["momentum"] = self._get_hyper("momentum", var_dtype)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        coefficients = self._coefficients(var, apply_state)
        slot = self.get_slot(var, "b")
        b = slot.assign(coefficients["momentum"] * slot + grad)
        return var.assign_sub(coefficients["lr_t"] * b)

    def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
        coefficients = self._coefficients(var, apply_state)
        slot = self.get_slot(var, "b")
        b = coefficients["momentum"] * tf.gather(slot, indices) + grad
        kept = self._resource_scatter_update(slot, indices, b)
        return tf.group(kept, self._resource_scatter_add(var, indices, -coefficients["lr_t"] * b))

    def get_config(self):
        """Return what builds the same optimizer again."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "momentum": self._serialize_hyperparameter("momentum"),
            "decay": self._serialize_hyperparameter("decay"),
        }


class FrozenRule(UpdateRule):
    """Moves each weight along a sum of past gradients that fades.

    Rule:
        b ← μ b + g
        w ← w − lr b

    Arguments:
        learning_rate: Step size.
        momentum: Share μ of the sum that is kept at each step.
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1)"},
        slots=(Slot("b", "fading sum b of gradients", at_least="float32"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        api=1,
        reference="frozen_one.references:update",
    )

    def update(self, gradient, value, b, *, learning_rate=0.01, momentum=0.9):
        """Return the new value and the new slot."""
        b = momentum * b + gradient
        return value - learning_rate * b, b
