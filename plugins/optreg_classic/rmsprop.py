"""RMSprop, plain, with momentum, or centered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Coefficients, Optimizer, is_compiled_by_xla, update_dtype

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
        in Keras 2.9, centered does not make NaN where rounding leaves s below 0, assigning a momentum to an optimizer
        built without one takes effect, and ``epsilon=0.0`` means 0 and not 1e-7. Weights of 16 bits are updated in
        float32 with float32 slots: in bfloat16, ρ = 0.999 is 1.0, and sparse gradients were not possible at all.

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
            Slot("rms", "average of squared gradients", at_least="float32"),
            Slot("momentum", "velocity u", when="momentum", at_least="float32"),
            Slot("mg", "average of gradients", when="centered", at_least="float32"),
        ),
        sparse="decaying",
        sparse_with={"momentum": "lazy"},
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        reference="optreg_classic.references:rmsprop",
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

    def _is_fused(self, dtype: Any) -> bool:
        # The centered kernels make NaN of a negative variance, those of 16 bits round each average to 16 bits.
        return self._momentum and not self.centered and dtype == update_dtype(dtype)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        dtype = update_dtype(var_dtype)
        rate, rho = self._decayed_lr(dtype), self._get_hyper("rho", dtype)
        coefficients = {
            "lr_t": rate,
            "rho": rho,
            "epsilon": tf.constant(self.epsilon, dtype),
            "momentum": self._get_hyper("momentum", dtype),
        }
        apply_state[(var_device, var_dtype)] = Coefficients(
            {name: tf.identity(value) for name, value in coefficients.items()},
            {"neg_lr_t": lambda: -rate, "one_minus_rho": lambda: 1.0 - rho},
        )

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

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if self._is_fused(var.dtype.base_dtype):
            return tf.raw_ops.ResourceApplyRMSProp(**self._kernel_arguments(grad, var, coefficients))
        if not self._momentum and not self.centered and var.dtype == coefficients["rho"].dtype:
            return self._apply_plain(grad, var, coefficients)
        step = self._step(grad, var, coefficients, lambda slot, decay, value: slot.assign(decay * slot + value))
        return var.assign(tf.cast(tf.cast(var, step.dtype) - step, var.dtype))

    def _apply_plain(self, grad: Any, var: Any, coefficients: dict[str, Any]) -> Any:
        """Update a variable with neither momentum nor centering, in half the passes over memory.

        No kernel has this rule; Adagrad's, told to leave its state alone, takes the step once ``rms`` is up to date.
        """
        rms = self.get_slot(var, "rms")
        moved = rms.assign_add((tf.square(grad) - rms) * (1.0 - coefficients["rho"]), read_value=False)
        with tf.control_dependencies([] if moved is None else [moved]):
            return tf.raw_ops.ResourceApplyAdagradV2(
                var=var.handle,
                accum=rms.handle,
                lr=coefficients["lr_t"],
                epsilon=coefficients["epsilon"],
                grad=grad,
                use_locking=self._use_locking,
                update_slots=False,
            )

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if self._is_fused(var.dtype.base_dtype) and not is_compiled_by_xla():
            return tf.raw_ops.ResourceSparseApplyRMSProp(
                indices=indices, **self._kernel_arguments(grad, var, coefficients)
            )

        def decay_and_add(slot: Any, decay: Any, rows: Any) -> Any:
            if self._momentum:
                rows = decay * tf.gather(slot, indices) + rows
                with tf.control_dependencies([self._replace_rows(slot, indices, rows)]):
                    return tf.identity(rows)
            with tf.control_dependencies([self._scale_all_rows(slot, decay)]):
                added = self._add_rows(slot, indices, rows)
            with tf.control_dependencies([added]):
                return tf.gather(slot, indices)

        step = self._step(grad, var, coefficients, decay_and_add)
        return self._add_rows(var, indices, tf.cast(-step, var.dtype))

    def _step(self, grad: Any, var: Any, coefficients: dict[str, Any], decay_and_add: Callable[..., Any]) -> Any:
        """Return what is subtracted from the weights; ``decay_and_add(slot, decay, value)`` moves one of the slots."""
        rate, rho, epsilon = coefficients["lr_t"], coefficients["rho"], coefficients["epsilon"]
        gradient = tf.cast(grad, rho.dtype)
        variance = decay_and_add(self.get_slot(var, "rms"), rho, (1.0 - rho) * tf.square(gradient))
        if self.centered:
            mean = decay_and_add(self.get_slot(var, "mg"), rho, (1.0 - rho) * gradient)
            variance = tf.subtract(variance, tf.square(mean))
            if not variance.dtype.is_complex:
                variance = tf.maximum(variance, 0.0)  # rounding may leave it just below 0, which is no number's square
        if not self._momentum:
            return rate * gradient / (tf.sqrt(variance) + epsilon)
        step = rate * gradient / tf.sqrt(variance + epsilon)
        return decay_and_add(self.get_slot(var, "momentum"), coefficients["momentum"], step)

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, rho, momentum, epsilon and centered."""
        held = ("learning_rate", "decay", "rho", "momentum")
        return {
            **super().get_config(),
            **{name: self._serialize_hyperparameter(name) for name in held},
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
