"""Adadelta."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, ExpectedFailure, Paper, Slot
from optreg.optimizer import ApplyState, Optimizer, is_compiled_by_xla

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
        1e-7.

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
        slots=(Slot("accum_grad", "average a of squared gradients"), Slot("accum_var", "average b of squared steps")),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        paper=Paper(
            "ADADELTA: An Adaptive Learning Rate Method", "M. D. Zeiler", 2012, "https://arxiv.org/abs/1212.5701"
        ),
        limits=("For float16 weights give an epsilon of 1e-4 or more: squared steps below 6e-8 vanish in it.",),
        expected_failures=(
            ExpectedFailure(
                "check_large_float16_gradients_stay_finite",
                "The kernel keeps slots in float16, as in Keras 2.9: squares of gradients beyond 255 overflow.",
                until="0.2",
            ),
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
        super()._prepare_local(var_device, var_dtype, apply_state)
        apply_state[(var_device, var_dtype)].update(
            rho=tf.identity(self._get_hyper("rho", var_dtype)), epsilon=tf.constant(self.epsilon, var_dtype)
        )

    def _kernel_arguments(self, grad: Any, var: Any, apply_state: ApplyState | None) -> dict[str, Any]:
        coefficients = self._coefficients(var, apply_state)
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
        return tf.raw_ops.ResourceApplyAdadelta(**self._kernel_arguments(grad, var, apply_state))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        if is_compiled_by_xla():
            return self._apply_rows(grad, var, indices, self._coefficients(var, apply_state))
        return tf.raw_ops.ResourceSparseApplyAdadelta(indices=indices, **self._kernel_arguments(grad, var, apply_state))

    def _apply_rows(self, grad: Any, var: Any, indices: Any, coefficients: dict[str, Any]) -> Any:
        """Update rows without TensorFlow's sparse kernel, which XLA does not have."""
        rho, epsilon = coefficients["rho"], coefficients["epsilon"]
        gradients, updates = self.get_slot(var, "accum_grad"), self.get_slot(var, "accum_var")
        b = tf.gather(updates, indices)
        a = rho * tf.gather(gradients, indices) + (1.0 - rho) * tf.square(grad)
        step = tf.sqrt(b + epsilon) * tf.math.rsqrt(a + epsilon) * grad
        return tf.group(
            self._replace_rows(gradients, indices, a),
            self._replace_rows(updates, indices, rho * b + (1.0 - rho) * tf.square(step)),
            self._add_rows(var, indices, -coefficients["lr_t"] * step),
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
