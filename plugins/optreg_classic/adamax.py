"""Adamax."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Coefficients, Optimizer, arithmetic_dtype

_DEFAULT_EPSILON = 1e-7


class Adamax(Optimizer):
    """Divides a running average of the gradient by the largest recent gradient, which fades slowly.

    Adam with the maximum norm in place of the mean square: steps are bounded more tightly, and it is a common choice
    for embeddings and for noisy gradients. Two numbers of state a parameter.

    Rule:
        m ← β₁ m + (1 − β₁) g
        v ← max(β₂ v, |g|)
        w ← w − lr / (1 − β₁ᵗ) m / (v + ε)

    Differences:
        ε is added to v, as in Keras; torch and optax add it to |g| inside the maximum. torch defaults to lr = 0.002.
        ``epsilon=0.0`` means 0, where Keras 2.9 took 1e-7. The bias correction of float16 weights is computed in
        float32, so that it does not fail after 65,504 steps.

    Arguments:
        learning_rate: Step size. A number, tensor, callable without arguments or schedule.
        beta_1: Decay β₁ of the average of gradients.
        beta_2: Decay β₂ of the largest gradient.
        epsilon: Added to v to keep the quotient finite; None for 1e-7.

    Sparse gradients: only the rows present move, weights and slots.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("adamax", learning_rate=0.1)
        >>> w = tf.Variable(10.0)
        >>> _ = opt.minimize(lambda: w**2 / 2, [w])
        >>> print(f"{w.numpy():.3f}")
        9.900

    Reference:
        Kingma and Ba: Adam: A Method for Stochastic Optimization, section 7.1, 2015. https://arxiv.org/abs/1412.6980
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "beta_1": "[0, 1)", "beta_2": "[0, 1)", "epsilon": "[0, inf)"},
        slots=(Slot("m", "average of gradients"), Slot("v", "largest recent gradient")),
        sparse="lazy",
        dtypes=("float16", "float32", "float64"),
        xla=True,
        reference="optreg_classic.references:adamax",
        paper=Paper(
            "Adam: A Method for Stochastic Optimization", "D. P. Kingma, J. Ba", 2015, "https://arxiv.org/abs/1412.6980"
        ),
        limits=("TensorFlow has no bfloat16 kernel for this rule.",),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: float | None = 1e-7,
        name: str = "Adamax",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("beta_1", beta_1)
        self._set_hyper("beta_2", beta_2)
        self.epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon

    def _create_slots(self, var_list: Any) -> None:
        for slot_name in ("m", "v"):
            for var in var_list:
                self.add_slot(var, slot_name)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        wide = arithmetic_dtype(var_dtype)
        beta_1 = tf.convert_to_tensor(self._get_hyper("beta_1", wide))
        rate, beta_1_power = self._decayed_lr(wide), tf.pow(beta_1, tf.cast(self.iterations + 1, wide))
        coefficients = {
            "lr_t": rate,
            "neg_scaled_lr": rate / (beta_1_power - 1.0),
            "beta_1_t": beta_1,
            "beta_2_t": tf.convert_to_tensor(self._get_hyper("beta_2", var_dtype)),
            "one_minus_beta_1_t": 1.0 - beta_1,
            "beta_1_power": beta_1_power,
            "epsilon": tf.constant(self.epsilon, var_dtype),
        }
        apply_state[(var_device, var_dtype)] = Coefficients(
            {name: tf.cast(value, var_dtype) for name, value in coefficients.items()},
            {"zero": lambda: tf.zeros((), tf.int64)},
        )

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        return tf.raw_ops.ResourceApplyAdaMax(
            var=var.handle,
            m=self.get_slot(var, "m").handle,
            v=self.get_slot(var, "v").handle,
            beta1_power=coefficients["beta_1_power"],
            lr=coefficients["lr_t"],
            beta1=coefficients["beta_1_t"],
            beta2=coefficients["beta_2_t"],
            epsilon=coefficients["epsilon"],
            grad=grad,
            use_locking=self._use_locking,
        )

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        # [rows present, ...]
        m_rows = tf.gather(m, indices) * coefficients["beta_1_t"] + grad * coefficients["one_minus_beta_1_t"]
        v_rows = tf.maximum(tf.gather(v, indices) * coefficients["beta_2_t"], tf.abs(grad))
        step = coefficients["neg_scaled_lr"] * m_rows / (v_rows + coefficients["epsilon"])
        return tf.group(
            self._replace_rows(m, indices, m_rows),
            self._replace_rows(v, indices, v_rows),
            self._add_rows(var, indices, step),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, betas and epsilon."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._serialize_hyperparameter("decay"),
            "beta_1": self._serialize_hyperparameter("beta_1"),
            "beta_2": self._serialize_hyperparameter("beta_2"),
            "epsilon": self.epsilon,
        }
