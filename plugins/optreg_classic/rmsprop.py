"""RMSprop, plain, with momentum, or centered."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Optimizer, arithmetic_dtype

_DEFAULT_EPSILON = 1e-7


class RMSprop(Optimizer):
    """Divides each gradient by the root of a running average of its square.

    Common for recurrent networks and reinforcement learning. One number of state a parameter, one more each with
    momentum and centered.

    Rule:
        a ← ρ a + (1 − ρ) g²
        c ← ρ c + (1 − ρ) g,  s ← a − c²  if centered, else s ← a
        w ← w − lr g / (√s + ε)                          momentum = 0
        u ← μ u + lr g / √(s + ε),  w ← w − u            momentum μ > 0

    Differences:
        Where ε stands depends on the momentum, as in Keras 2.9; Keras 3 has it inside the root, torch outside. Unlike
        in Keras 2.9, centered without momentum does not make NaN where rounding leaves s below 0, and assigning a
        momentum to an optimizer built without one takes effect. Without momentum, the step of 16-bit weights is
        computed in float32.

    Arguments:
        learning_rate: Step size. A number, tensor, callable without arguments or schedule.
        rho: Decay ρ of the averages.
        momentum: Share μ of the velocity that is kept at each step.
        epsilon: Keeps the quotient finite; None for 1e-7.
        centered: Whether to divide by the deviation of the gradient rather than by its size.

    Sparse gradients: without momentum the averages decay on every row and only the rows present move; with it only the
    rows present move, weights and slots.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("rmsprop", learning_rate=0.1)
        >>> w = tf.Variable(10.0)
        >>> _ = opt.minimize(lambda: w**2 / 2, [w])
        >>> print(f"{w.numpy():.6f}")
        9.683772

    Reference:
        Tieleman and Hinton: Lecture 6.5, Neural Networks for Machine Learning, 2012; centered: Graves: Generating
        Sequences With Recurrent Neural Networks, 2013. https://arxiv.org/abs/1308.0850
    """

    card = Card(
        ranges={
            "learning_rate": "[0, inf)",
            "rho": "[0, 1]",
            "momentum": "[0, 1]",
            "epsilon": "[0, inf)",
            "centered": "bool",
        },
        slots=(
            Slot("rms", "average of squared gradients"),
            Slot("momentum", "velocity u", when="momentum"),
            Slot("mg", "average of gradients", when="centered"),
        ),
        sparse="decaying",
        sparse_with={"momentum": "lazy"},
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        paper=Paper(
            "Generating Sequences With Recurrent Neural Networks", "A. Graves", 2013, "https://arxiv.org/abs/1308.0850"
        ),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        name: str = "RMSprop",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("rho", rho)
        self._set_hyper("momentum", momentum)
        self.epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon
        self.centered = centered

    @property
    def _momentum(self) -> bool:
        return self._is_switched_on("momentum")

    def _create_slots(self, var_list: Any) -> None:
        names = ["rms", *(["momentum"] if self._momentum else []), *(["mg"] if self.centered else [])]
        for slot_name in names:
            for var in var_list:
                self.add_slot(var, slot_name)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        # The fused kernels, which the momentum needs, compute in the dtype of the variable.
        dtype = var_dtype if self._momentum else arithmetic_dtype(var_dtype)
        coefficients = {
            "lr_t": self._decayed_lr(dtype),
            "rho": self._get_hyper("rho", dtype),
            "epsilon": tf.constant(self.epsilon, dtype),
            "momentum": self._get_hyper("momentum", dtype),
        }
        apply_state[(var_device, var_dtype)] = {name: tf.identity(value) for name, value in coefficients.items()}

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if self._momentum:
            arguments = self._kernel_arguments(grad, var, coefficients)
            if self.centered:
                return tf.raw_ops.ResourceApplyCenteredRMSProp(mg=self.get_slot(var, "mg").handle, **arguments)
            return tf.raw_ops.ResourceApplyRMSProp(**arguments)
        wide, rho = coefficients["rho"].dtype, coefficients["rho"]
        gradient = tf.cast(grad, wide)
        rms = self._averaged(self.get_slot(var, "rms"), tf.square(gradient), rho)
        mean = self._averaged(self.get_slot(var, "mg"), gradient, rho) if self.centered else None
        return var.assign(tf.cast(tf.cast(var, wide) - _step(gradient, rms, mean, coefficients), var.dtype))

    def _averaged(self, slot: Any, value: Any, rho: Any) -> Any:
        """Move a running average towards ``value`` and return it in the dtype of ``value``."""
        average = rho * tf.cast(slot, value.dtype) + (1.0 - rho) * value
        with tf.control_dependencies([slot.assign(tf.cast(average, slot.dtype))]):
            return tf.identity(average)

    def _kernel_arguments(self, grad: Any, var: Any, coefficients: dict[str, Any]) -> dict[str, Any]:
        return {
            "var": var.handle,
            "ms": self.get_slot(var, "rms").handle,
            "mom": self.get_slot(var, "momentum").handle,
            "lr": coefficients["lr_t"],
            "rho": coefficients["rho"],
            "momentum": coefficients["momentum"],
            "epsilon": coefficients["epsilon"],
            "grad": grad,
            "use_locking": self._use_locking,
        }

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if self._momentum:
            arguments = {"indices": indices, **self._kernel_arguments(grad, var, coefficients)}
            if self.centered:
                return tf.raw_ops.ResourceSparseApplyCenteredRMSProp(mg=self.get_slot(var, "mg").handle, **arguments)
            return tf.raw_ops.ResourceSparseApplyRMSProp(**arguments)
        wide, rho = coefficients["rho"].dtype, coefficients["rho"]
        gradient = tf.cast(grad, wide)
        rms = self._averaged_rows(self.get_slot(var, "rms"), indices, tf.square(gradient), rho)
        mean = self._averaged_rows(self.get_slot(var, "mg"), indices, gradient, rho) if self.centered else None
        step = _step(gradient, rms, mean, coefficients)
        return self._resource_scatter_add(var, indices, tf.cast(-step, var.dtype))

    def _averaged_rows(self, slot: Any, indices: Any, rows: Any, rho: Any) -> Any:
        """Let a running average decay on every row, add to those present, and return these."""
        decayed = slot.assign(tf.cast(rho * tf.cast(slot, rows.dtype), slot.dtype))
        with tf.control_dependencies([decayed]):
            added = self._resource_scatter_add(slot, indices, tf.cast((1.0 - rho) * rows, slot.dtype))
        return tf.cast(tf.gather(added, indices), rows.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, rho, momentum, epsilon and centered."""
        held = ("learning_rate", "decay", "rho", "momentum")
        return {
            **super().get_config(),
            **{name: self._serialize_hyperparameter(name) for name in held},
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


def _step(gradient: Any, rms: Any, mean: Any, coefficients: dict[str, Any]) -> Any:
    """Return the step without momentum. Rounding may leave the variance just below 0, which is no number's square."""
    variance = rms if mean is None else tf.maximum(rms - tf.square(mean), 0.0)
    return coefficients["lr_t"] * gradient / (tf.sqrt(variance) + coefficients["epsilon"])
