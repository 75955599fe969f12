"""Nadam: Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Coefficients, Optimizer, apply_adam, arithmetic_dtype

_DEFAULT_EPSILON = 1e-7


class Nadam(Optimizer):
    """Adam that looks ahead along its average of gradients, with a momentum that grows during training.

    Often a little faster than Adam on the same problems, with the same settings. Two numbers of state a parameter.

    Rule:
        μₜ ← β₁ (1 − 0.96^(ψ t) / 2),  P ← P μₜ        ψ schedule_decay, P starts at 1
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̄ ← (1 − μₜ) g / (1 − P) + μₜ₊₁ m / (1 − P μₜ₊₁)
        w ← w − lr m̄ / (√(v / (1 − β₂ᵗ)) + ε)

    Differences:
        The momentum schedule of Keras 2.9 and torch (ψ = 0.004); Keras 3 always has ψ = 1, another algorithm; optax has
        no schedule. ``schedule_decay`` survives a configuration, where Keras 2.9 saved it as ``decay`` and lost it on
        the way back; such configurations are read right. ``decay`` slows the learning rate as everywhere, and learning
        rate schedules are followed: Keras 2.9 ignored the one and refused the other. Variables of any mix of dtypes
        share one momentum schedule, kept in at least float32. Weights of 16 bits are updated in float32 with float32
        slots: in bfloat16, those of Keras 2.9 become NaN. ``epsilon=0.0`` means 0, where Keras 2.9 took 1e-7.

    Arguments:
        learning_rate: Step size. A number, tensor, callable without arguments or schedule.
        beta_1: Decay β₁ of the average of gradients.
        beta_2: Decay β₂ of the average of squared gradients.
        epsilon: Added to the root to keep the quotient finite; None for 1e-7.
        schedule_decay: Speed ψ at which the momentum grows from β₁ / 2 to β₁.

    Sparse gradients: the averages decay on every row, and only the rows present move.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("nadam", learning_rate=0.2)
        >>> w = tf.Variable(10.0)
        >>> _ = opt.minimize(lambda: w**2 / 2, [w])
        >>> print(f"{w.numpy():.1f}")
        9.8

    Reference:
        Dozat: Incorporating Nesterov Momentum into Adam, 2016. https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """

    card = Card(
        ranges={
            "learning_rate": "[0, inf)",
            "beta_1": "[0, 1)",
            "beta_2": "[0, 1)",
            "epsilon": "[0, inf)",
            "schedule_decay": "[0, inf)",
        },
        slots=(
            Slot("m", "average of gradients", at_least="float32"),
            Slot("v", "average of squared gradients", at_least="float32"),
        ),
        sparse="decaying",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        reference="optreg_classic.references:nadam",
        paper=Paper(
            "Incorporating Nesterov Momentum into Adam",
            "T. Dozat",
            2016,
            "https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
        ),
    )

    _checkpoint_names: ClassVar[Mapping[str, str]] = {"schedule_decay": "decay"}  # as Keras 2.9 saved it

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: float | None = 1e-7,
        name: str = "Nadam",
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("beta_1", beta_1)
        self._set_hyper("beta_2", beta_2)
        self.epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon
        self._set_hyper("schedule_decay", schedule_decay)
        self._momentum_product: Any = None

    def _create_slots(self, var_list: Any) -> None:
        if self._momentum_product is None:
            self._momentum_product = self.add_weight(
                "momentum_cache",
                dtype=arithmetic_dtype(var_list[0].dtype.base_dtype),
                initializer="ones",
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            self._weights.append(self._momentum_product)
        for slot_name in ("m", "v"):
            for var in var_list:
                self.add_slot(var, slot_name)

    def _momentum_at(self, step: Any, dtype: Any) -> Any:
        """Return the momentum μ of a step, counted from 1."""
        growth = tf.pow(tf.constant(0.96, dtype), self._get_hyper("schedule_decay", dtype) * tf.cast(step, dtype))
        return self._get_hyper("beta_1", dtype) * (1.0 - 0.5 * growth)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        wide = arithmetic_dtype(var_dtype)
        step = self.iterations + 1
        momentum, next_momentum = self._momentum_at(step, wide), self._momentum_at(step + 1, wide)
        product = tf.cast(self._momentum_product, wide) * momentum
        beta_1 = tf.convert_to_tensor(self._get_hyper("beta_1", wide))
        beta_2 = tf.convert_to_tensor(self._get_hyper("beta_2", wide))
        rate, rest_of_v = tf.convert_to_tensor(self._decayed_lr(wide)), 1.0 - tf.pow(beta_2, tf.cast(step, wide))
        rest_of_gradient, rest_of_m = 1.0 - product, 1.0 - product * next_momentum
        correction = tf.sqrt(rest_of_v)
        corrected_rate = rate * correction
        coefficients = {
            "lr_t": rate,
            "beta_1_t": beta_1,
            "beta_2_t": beta_2,
            "rate_of_gradient": corrected_rate * (1.0 - momentum) / rest_of_gradient,
            "rate_of_average": corrected_rate * next_momentum / rest_of_m,
            "corrected_epsilon": self.epsilon * correction,
            "zero": tf.zeros((), wide),
        }
        dtype = var_dtype if var_dtype.is_complex else wide
        coefficients = {name: tf.cast(value, dtype) for name, value in coefficients.items()}
        apply_state[(var_device, var_dtype)] = Coefficients(
            {**coefficients, "lr_of_the_rates": coefficients["lr_t"]},
            {
                "neg_lr_t": lambda: tf.cast(-rate, dtype),
                "epsilon": lambda: tf.constant(self.epsilon, dtype),
                "m_t": lambda: tf.cast(momentum, dtype),
                "m_t_1": lambda: tf.cast(next_momentum, dtype),
                "one_minus_beta_1_t": lambda: tf.cast(1.0 - beta_1, dtype),
                "one_minus_beta_2_t": lambda: tf.cast(1.0 - beta_2, dtype),
                "one_minus_m_t": lambda: tf.cast(1.0 - momentum, dtype),
                "one_minus_m_schedule_new": lambda: tf.cast(rest_of_gradient, dtype),
                "one_minus_m_schedule_next": lambda: tf.cast(rest_of_m, dtype),
                "v_t_prime_denominator": lambda: tf.cast(rest_of_v, dtype),
            },
            self._finish_step,
        )

    def _finish_step(self) -> Any:
        # Once a step, whatever the number of variables, replicas and dtypes.
        product = self._momentum_product
        return product.assign(product * self._momentum_at(self.iterations + 1, product.dtype))

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if coefficients["beta_1_t"].dtype != var.dtype.base_dtype:
            return self._apply_wide(grad, var, coefficients)
        # Two fused kernels share the step: Adam's moves the averages and subtracts the part of m; Adagrad's, which here
        # leaves its state alone, subtracts the part of the gradient.
        v = self.get_slot(var, "v")
        rate_of_gradient, rate_of_average = _rates(coefficients)
        both = {
            "var": var.handle,
            "grad": grad,
            "epsilon": coefficients["corrected_epsilon"],
            "use_locking": self._use_locking,
        }
        part_of_m = {
            "m": self.get_slot(var, "m").handle,
            "v": v.handle,
            "beta1_power": coefficients["zero"],
            "beta2_power": coefficients["zero"],
            "lr": rate_of_average,
            "beta1": coefficients["beta_1_t"],
            "beta2": coefficients["beta_2_t"],
        }
        adam = apply_adam(self, var, part_of_m | both)
        with tf.control_dependencies([] if adam is None else [adam]):
            return tf.raw_ops.ResourceApplyAdagradV2(accum=v.handle, lr=rate_of_gradient, update_slots=False, **both)

    def _apply_wide(self, grad: Any, var: Any, coefficients: dict[str, Any]) -> Any:
        """Update a 16-bit variable in the dtype of its slots."""
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        gradient = tf.cast(grad, m.dtype)
        m_t = m.assign(m * coefficients["beta_1_t"] + gradient * (1.0 - coefficients["beta_1_t"]))
        v_t = v.assign(v * coefficients["beta_2_t"] + tf.square(gradient) * (1.0 - coefficients["beta_2_t"]))
        step = _step(gradient, m_t, v_t, coefficients)
        return var.assign(tf.cast(tf.cast(var, m.dtype) - step, var.dtype))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        gradient = tf.cast(grad, m.dtype)
        m_rows = self._averaged_rows(m, indices, gradient, coefficients["beta_1_t"])
        v_rows = self._averaged_rows(v, indices, tf.square(gradient), coefficients["beta_2_t"])
        step = _step(gradient, m_rows, v_rows, coefficients)
        return self._add_rows(var, indices, tf.cast(-step, var.dtype))

    def _averaged_rows(self, slot: Any, indices: Any, rows: Any, beta: Any) -> Any:
        """Let a running average decay on every row, add to those present, and return these."""
        with tf.control_dependencies([self._scale_all_rows(slot, beta)]):
            added = self._add_rows(slot, indices, (1.0 - beta) * rows)
        with tf.control_dependencies([added]):
            return tf.gather(slot, indices)

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, betas, epsilon and schedule decay."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._initial_decay,
            "beta_1": self._serialize_hyperparameter("beta_1"),
            "beta_2": self._serialize_hyperparameter("beta_2"),
            "epsilon": self.epsilon,
            "schedule_decay": self._serialize_hyperparameter("schedule_decay"),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Build the optimizer from ``get_config()``'s dictionary, or from one of Keras 2.9."""
        if isinstance(config, Mapping) and "schedule_decay" not in config:
            config = {"schedule_decay" if name == "decay" else name: value for name, value in config.items()}
        return super().from_config(config, custom_objects)


def _step(gradient: Any, m: Any, v: Any, coefficients: dict[str, Any]) -> Any:
    """Return the step for rows of gradient and averages: the rule with numerator and denominator times √(1 − β₂ᵗ)."""
    rate_of_gradient, rate_of_average = _rates(coefficients)
    ahead = rate_of_gradient * gradient + rate_of_average * m
    return ahead / (tf.sqrt(v) + coefficients["corrected_epsilon"])


def _rates(coefficients: dict[str, Any]) -> tuple[Any, Any]:
    """Return what gradient and average are multiplied by, anew where a subclass has put in another learning rate."""
    rate = coefficients["lr_t"]
    if rate is coefficients["lr_of_the_rates"]:
        return coefficients["rate_of_gradient"], coefficients["rate_of_average"]
    rate = rate * tf.sqrt(coefficients["v_t_prime_denominator"])
    return (
        rate * coefficients["one_minus_m_t"] / coefficients["one_minus_m_schedule_new"],
        rate * coefficients["m_t_1"] / coefficients["one_minus_m_schedule_next"],
    )
