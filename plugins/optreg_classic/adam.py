"""Adam and its AMSGrad variant."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Coefficients, Optimizer, apply_adam, arithmetic_dtype, is_compiled_by_xla

_DEFAULT_EPSILON = 1e-7
_NARROW = frozenset({tf.float16, tf.bfloat16})


class Adam(Optimizer):
    """Divides a running average of the gradient by the root of a running average of its square.

    The default choice where little is known about the problem: each weight gets a step size of its own, and learning
    rates from 1e-4 to 3e-3 work for most networks. Two numbers of state a parameter, three with amsgrad.

    Rule:
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        v̂ ← max(v̂, v) with amsgrad, else v
        α ← lr √(1 − β₂ᵗ) / (1 − β₁ᵗ)
        w ← w − α m / (√v̂ + ε)

    Differences:
        ε is added to the root of the uncorrected v, as in Keras ("epsilon hat" in the paper); torch and optax add it to
        the corrected root and default to 1e-8. ``epsilon=0.0`` means 0, where Keras 2.9 took 1e-7. Weights of 16 bits
        are updated in float32 with float32 slots: in bfloat16, β₂ = 0.999 is 1.0 and the weights of Keras 2.9 never
        move. A sparse gradient is made dense and goes through the same kernel as a dense one, where Keras 2.9 had a
        second, slower path.

    Arguments:
        learning_rate: Step size, about the largest change of a weight in one step. A number, tensor, callable without
            arguments or schedule.
        beta_1: Decay β₁ of the average of gradients.
        beta_2: Decay β₂ of the average of squared gradients.
        epsilon: Added to the root to keep the quotient finite; None for 1e-7.
        amsgrad: Whether to divide by the largest v so far, for which convergence is proven.

    Sparse gradients: same result as dense ones; every row moves as its averages decay.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("adam", learning_rate=0.1)
        >>> w = tf.Variable(10.0)
        >>> for _ in range(2):
        ...     _ = opt.minimize(lambda: w**2 / 2, [w])
        ...     print(f"{w.numpy():.3f}")
        9.900
        9.800

    Reference:
        Kingma and Ba: Adam: A Method for Stochastic Optimization, 2015. https://arxiv.org/abs/1412.6980
        Reddi, Kale and Kumar: On the Convergence of Adam and Beyond (amsgrad), 2018. https://arxiv.org/abs/1904.09237
    """

    card = Card(
        ranges={
            "learning_rate": "[0, inf)",
            "beta_1": "[0, 1)",
            "beta_2": "[0, 1)",
            "epsilon": "[0, inf)",
            "amsgrad": "bool",
        },
        slots=(
            Slot("m", "average of gradients", at_least="float32"),
            Slot("v", "average of squared gradients", at_least="float32"),
            Slot("vhat", "largest v so far", when="amsgrad", at_least="float32"),
        ),
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        reference="optreg_classic.references:adam",
        # Complex numbers have no largest one.
        without={"amsgrad": ("complex64", "complex128")},
        paper=Paper(
            "Adam: A Method for Stochastic Optimization",
            "D. P. Kingma, J. Ba",
            2015,
            "https://arxiv.org/abs/1412.6980",
        ),
        limits=("epsilon and amsgrad are fixed when the step is traced; the other hyperparameters can change later.",),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        name: str = "Adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("beta_1", beta_1)
        self._set_hyper("beta_2", beta_2)
        self.epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon
        self.amsgrad = amsgrad

    def _create_slots(self, var_list: Any) -> None:
        # All of one kind before the next: the order of get_weights() in Keras 2.9.
        for slot_name in ("m", "v", "vhat") if self.amsgrad else ("m", "v"):
            for var in var_list:
                self.add_slot(var, slot_name)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        wide = arithmetic_dtype(var_dtype)
        step = tf.cast(self.iterations + 1, wide)
        beta_1 = tf.convert_to_tensor(self._get_hyper("beta_1", wide))
        beta_2 = tf.convert_to_tensor(self._get_hyper("beta_2", wide))
        rate, beta_1_power, beta_2_power = self._decayed_lr(wide), tf.pow(beta_1, step), tf.pow(beta_2, step)
        coefficients = {
            "lr_t": rate,
            "beta_1_t": beta_1,
            "beta_2_t": beta_2,
            "beta_1_power": beta_1_power,
            "beta_2_power": beta_2_power,
            "epsilon": tf.constant(self.epsilon, wide),
        }
        kernel_dtype = wide if var_dtype in _NARROW else var_dtype
        apply_state[(var_device, var_dtype)] = Coefficients(
            {name: tf.cast(value, kernel_dtype) for name, value in coefficients.items()},
            {
                "lr": lambda: tf.cast(rate * (tf.sqrt(1.0 - beta_2_power) / (1.0 - beta_1_power)), kernel_dtype),
                "one_minus_beta_1_t": lambda: tf.cast(1.0 - beta_1, kernel_dtype),
                "one_minus_beta_2_t": lambda: tf.cast(1.0 - beta_2, kernel_dtype),
            },
        )

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if var.dtype.base_dtype in _NARROW or (self.amsgrad and is_compiled_by_xla()):
            return self._apply_without_kernel(grad, var, coefficients)
        arguments = {
            "var": var.handle,
            "m": self.get_slot(var, "m").handle,
            "v": self.get_slot(var, "v").handle,
            "beta1_power": coefficients["beta_1_power"],
            "beta2_power": coefficients["beta_2_power"],
            "lr": coefficients["lr_t"],
            "beta1": coefficients["beta_1_t"],
            "beta2": coefficients["beta_2_t"],
            "epsilon": coefficients["epsilon"],
            "grad": grad,
            "use_locking": self._use_locking,
        }
        if self.amsgrad:
            return tf.raw_ops.ResourceApplyAdamWithAmsgrad(vhat=self.get_slot(var, "vhat").handle, **arguments)
        return apply_adam(self, var, arguments)

    def _apply_without_kernel(self, grad: Any, var: Any, coefficients: dict[str, Any]) -> Any:
        """Update a variable in the dtype of its slots and round once, at the end; XLA has no kernel for amsgrad."""
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        grad = tf.cast(grad, m.dtype)
        m_t = m.assign_add((grad - m) * (1.0 - coefficients["beta_1_t"]))
        v_t = v.assign_add((grad * grad - v) * (1.0 - coefficients["beta_2_t"]))
        if self.amsgrad:
            vhat = self.get_slot(var, "vhat")
            v_t = vhat.assign(tf.maximum(vhat, v_t))
        alpha = (
            coefficients["lr_t"] * tf.sqrt(1.0 - coefficients["beta_2_power"]) / (1.0 - coefficients["beta_1_power"])
        )
        updated = tf.cast(var, m.dtype) - alpha * m_t / (tf.sqrt(v_t) + coefficients["epsilon"])
        return var.assign(tf.cast(updated, var.dtype))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        # The averages of absent rows decay and move their weights too, so the work is dense whatever the gradient is.
        # Not through self: a subclass may extend both methods, and what it adds for dense gradients would come on top.
        return Adam._resource_apply_dense(self, self._made_dense(grad, var, indices), var, apply_state)

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, betas, epsilon and amsgrad."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._serialize_hyperparameter("decay"),
            "beta_1": self._serialize_hyperparameter("beta_1"),
            "beta_2": self._serialize_hyperparameter("beta_2"),
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
