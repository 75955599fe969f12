"""Adagrad."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Coefficients, Optimizer, is_compiled_by_xla, update_dtype

_DEFAULT_EPSILON = 1e-7


class Adagrad(Optimizer):
    """Divides each gradient by the root of the sum of all its past squares.

    For sparse features and embeddings: rows that are seen rarely keep large steps. The step of a weight only ever
    shrinks, so a larger learning rate than elsewhere is usual, 0.01 to 0.1. One number of state a parameter.

    Rule:
        a ← a + g²
        w ← w − lr g / (√a + ε)

    Differences:
        The sum starts at 0.1, as in Keras and optax; torch starts at 0. ε is added to the root, as in Keras 2.9 and
        torch, not inside it as in Keras 3 and optax. ``epsilon=0.0`` means 0, where Keras 2.9 took 1e-7. Weights of
        16 bits are updated in float32 with a float32 slot: in float16, the squares of gradients beyond 255 are infinite
        and the weights of Keras 2.9 never move again.

    Arguments:
        learning_rate: Step size. A number, tensor, callable without arguments or schedule.
        initial_accumulator_value: Where the sum a of squares starts.
        epsilon: Added to the root to keep the quotient finite; None for 1e-7.

    Sparse gradients: only the rows present move, weights and sum.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("adagrad", learning_rate=0.5, initial_accumulator_value=0.0)
        >>> w = tf.Variable(2.0)
        >>> _ = opt.minimize(lambda: w**2 / 2, [w])
        >>> print(f"{w.numpy():.3f}")
        1.500

    Reference:
        Duchi, Hazan and Singer: Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, 2011.
        https://jmlr.org/papers/v12/duchi11a.html
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "initial_accumulator_value": "[0, inf)", "epsilon": "[0, inf)"},
        slots=(Slot("accumulator", "sum a of squared gradients", at_least="float32"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        reference="optreg_classic.references:adagrad",
        paper=Paper(
            "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
            "J. Duchi, E. Hazan, Y. Singer",
            2011,
            "https://jmlr.org/papers/v12/duchi11a.html",
        ),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        name: str = "Adagrad",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = _DEFAULT_EPSILON if epsilon is None else epsilon

    @property
    def _initial_accumulator_value(self) -> float:
        return self.initial_accumulator_value

    @_initial_accumulator_value.setter
    def _initial_accumulator_value(self, value: float) -> None:
        self.initial_accumulator_value = value

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            start = tf.constant_initializer(self.initial_accumulator_value)
            self.add_slot(var, "accumulator", start)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        dtype = update_dtype(var_dtype)
        rate = tf.identity(self._decayed_lr(dtype))
        apply_state[(var_device, var_dtype)] = Coefficients(
            {"lr_t": rate, "epsilon": tf.constant(self.epsilon, dtype)},
            {"neg_lr_t": lambda: -rate, "zero": lambda: tf.zeros((), tf.int64)},
        )

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if var.dtype.base_dtype != coefficients["lr_t"].dtype:
            accumulator, gradient = self.get_slot(var, "accumulator"), tf.cast(grad, coefficients["lr_t"].dtype)
            step = _step(gradient, accumulator.assign_add(tf.square(gradient)), coefficients)
            return var.assign(tf.cast(tf.cast(var, step.dtype) - step, var.dtype))
        return tf.raw_ops.ResourceApplyAdagradV2(
            var=var.handle,
            accum=self.get_slot(var, "accumulator").handle,
            lr=coefficients["lr_t"],
            epsilon=coefficients["epsilon"],
            grad=grad,
            use_locking=self._use_locking,
        )

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if var.dtype.base_dtype != coefficients["lr_t"].dtype or is_compiled_by_xla() or var.shape.num_elements() == 0:
            return self._apply_rows(grad, var, indices, coefficients)
        return tf.raw_ops.ResourceSparseApplyAdagradV2(
            var=var.handle,
            accum=self.get_slot(var, "accumulator").handle,
            lr=coefficients["lr_t"],
            epsilon=coefficients["epsilon"],
            grad=grad,
            indices=indices,
            use_locking=self._use_locking,
        )

    def _apply_rows(self, grad: Any, var: Any, indices: Any, coefficients: dict[str, Any]) -> Any:
        """Update rows without TensorFlow's sparse kernel, which XLA does not have and which refuses empty rows."""
        accumulator, gradient = self.get_slot(var, "accumulator"), tf.cast(grad, coefficients["lr_t"].dtype)
        a = tf.gather(accumulator, indices) + tf.square(gradient)
        step = tf.cast(-_step(gradient, a, coefficients), var.dtype)
        return tf.group(self._replace_rows(accumulator, indices, a), self._add_rows(var, indices, step))

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, initial accumulator value and epsilon."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._serialize_hyperparameter("decay"),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


def _step(gradient: Any, a: Any, coefficients: dict[str, Any]) -> Any:
    return coefficients["lr_t"] * gradient / (tf.sqrt(a) + coefficients["epsilon"])
