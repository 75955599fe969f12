"""Adadelta."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Optimizer, is_compiled_by_xla, stored_first, update_dtype

_DEFAULT_EPSILON = 1e-7


class Adadelta(Optimizer):
    """Scales each gradient by the ratio of the typical past step to the typical past gradient.

    Has no step size of its own to tune: with a learning rate of 1 it is the method of the paper; the default of 0.001,
    that of Keras, makes it very slow. Two numbers of state a parameter.

    Rule:
        a ← ρ a + (1 − ρ) g²
        d ← √(b + ε) / √(a + ε) g
        b ← ρ b + (1 − ρ) d²
        w ← w − lr d

    Differences:
        The same rule everywhere; torch defaults to lr = 1 and ρ = 0.9. ``epsilon=0.0`` means 0, where Keras 2.9 took
        1e-7. Weights of 16 bits are updated in float32 with float32 slots: in float16, squared steps below 6e-8 vanish
        and squared gradients beyond 255 are infinite.

    Arguments:
        learning_rate: Factor on the step; 1 in the paper. A number, tensor, callable without arguments or schedule.
        rho: Decay ρ of both averages.
        epsilon: Added inside the roots; it also starts the first steps. None for 1e-7.

    Sparse gradients: only the rows present move, weights and averages.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("adadelta", learning_rate=1.0, rho=0.75, epsilon=1.0)
        >>> w = tf.Variable(0.0)
        >>> _ = opt.apply_gradients([(tf.constant(2.0), w)])
        >>> print(f"{w.numpy():.4f}")
        -1.4142

    Reference:
        Zeiler: ADADELTA: An Adaptive Learning Rate Method, 2012. https://arxiv.org/abs/1212.5701
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "rho": "[0, 1]", "epsilon": "[0, inf)"},
        slots=(
            Slot("accum_grad", "average a of squared gradients", at_least="float32"),
            Slot("accum_var", "average b of squared steps", at_least="float32"),
        ),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        reference="optreg_classic.references:adadelta",
        paper=Paper(
            "ADADELTA: An Adaptive Learning Rate Method", "M. D. Zeiler", 2012, "https://arxiv.org/abs/1212.5701"
        ),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: float | None = 1e-7,
        name: str = "Adadelta",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("rho", rho)
        self.epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon

    def _create_slots(self, var_list: Any) -> None:
        for slot_name in ("accum_grad", "accum_var"):
            for var in var_list:
                self.add_slot(var, slot_name)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        dtype = update_dtype(var_dtype)
        apply_state[(var_device, var_dtype)] = {
            "lr_t": tf.identity(self._decayed_lr(dtype)),
            "rho": tf.identity(self._get_hyper("rho", dtype)),
            "epsilon": tf.constant(self.epsilon, dtype),
        }

    def _kernel_arguments(self, grad: Any, var: Any, coefficients: dict[str, Any]) -> dict[str, Any]:
        return {
            "var": var.handle,
            "accum": self.get_slot(var, "accum_grad").handle,
            "accum_update": self.get_slot(var, "accum_var").handle,
            "lr": coefficients["lr_t"],
            "rho": coefficients["rho"],
            "epsilon": coefficients["epsilon"],
            "grad": grad,
            "use_locking": self._use_locking,
        }

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if var.dtype.base_dtype == coefficients["lr_t"].dtype and not is_compiled_by_xla():
            return tf.raw_ops.ResourceApplyAdadelta(**self._kernel_arguments(grad, var, coefficients))
        gradients, updates = self.get_slot(var, "accum_grad"), self.get_slot(var, "accum_var")
        step, a, b = _step(grad, gradients, updates, coefficients, dense=True)
        moved = var.assign(tf.cast(tf.cast(var, step.dtype) - step, var.dtype))
        return tf.group(moved, gradients.assign(a), updates.assign(b))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if var.dtype.base_dtype != coefficients["lr_t"].dtype or is_compiled_by_xla():
            return self._apply_rows(grad, var, indices, coefficients)
        arguments = self._kernel_arguments(grad, var, coefficients)
        return tf.raw_ops.ResourceSparseApplyAdadelta(indices=indices, **arguments)

    def _apply_rows(self, grad: Any, var: Any, indices: Any, coefficients: dict[str, Any]) -> Any:
        """Update rows without TensorFlow's sparse kernel, which XLA does not have."""
        gradients, updates = self.get_slot(var, "accum_grad"), self.get_slot(var, "accum_var")
        a_rows, b_rows = tf.gather(gradients, indices), tf.gather(updates, indices)
        step, a, b = _step(grad, a_rows, b_rows, coefficients, dense=False)
        return tf.group(
            self._replace_rows(gradients, indices, a),
            self._replace_rows(updates, indices, b),
            self._add_rows(var, indices, tf.cast(-step, var.dtype)),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, rho and epsilon."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._serialize_hyperparameter("decay"),
            "rho": self._serialize_hyperparameter("rho"),
            "epsilon": self.epsilon,
        }


def _step(grad: Any, a: Any, b: Any, coefficients: dict[str, Any], *, dense: bool) -> tuple[Any, Any, Any]:
    """Return what is subtracted from the weights, and both averages after it."""
    rho, epsilon = coefficients["rho"], coefficients["epsilon"]
    gradient, b = tf.cast(grad, rho.dtype), tf.cast(b, rho.dtype)
    a = rho * a + (1.0 - rho) * tf.square(gradient)
    d = tf.sqrt(b + epsilon) * tf.math.rsqrt(a + epsilon) * gradient
    moved = rho * b + (1.0 - rho) * tf.square(d)
    if dense and is_compiled_by_xla():
        # The root once more is cheaper than an array of it, which XLA would keep for the loop of the weights.
        a, moved = stored_first(a, moved)
        d = tf.sqrt(b + epsilon) * tf.math.rsqrt(a + epsilon) * gradient
    return coefficients["lr_t"] * d, a, moved
