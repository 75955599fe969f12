"""FTRL-Proximal."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Optimizer, is_compiled_by_xla, stored_first, update_dtype


class Ftrl(Optimizer):
    """Follows the regularized leader: weights are the best for all past gradients, made sparse by an L1 penalty.

    For large sparse linear models and embeddings, where most weights shall be exactly zero. Two numbers of state a
    parameter.

    Rule:
        n' ← n + g²
        z ← z + g + 2 λ w − (n'⁻ᵖ − n⁻ᵖ) / lr w        p learning_rate_power, λ shrinkage
        w ← (clip(z, −λ₁, λ₁) − z) / (n'⁻ᵖ / lr + 2 λ₂ + β / lr)

    Differences:
        As in Keras 2.9; shrinkage is not part of n. Keras 3 updates every row from a sparse gradient.
        Weights of 16 bits are updated in float32 with float32 slots: in float16, the squares of gradients beyond 255
        are infinite and the weights of Keras 2.9 are 0 from then on.

    Arguments:
        learning_rate: Step size. A number, tensor, callable without arguments or schedule.
        learning_rate_power: Exponent p, at most 0; −0.5 is that of the paper, 0 a constant step size.
        initial_accumulator_value: Where the sum n of squares starts.
        l1_regularization_strength: Penalty λ₁ on absolute values; makes weights exactly zero.
        l2_regularization_strength: Penalty λ₂ on squares, which stabilises.
        l2_shrinkage_regularization_strength: Penalty λ on the size of weights, through the gradient; leaves zeros
            alone.
        beta: The constant β of the paper, in the step size of a weight.

    Sparse gradients: only the rows present move, weights and slots.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("ftrl", learning_rate=0.5, initial_accumulator_value=0.0)
        >>> w = tf.Variable(0.0)
        >>> _ = opt.apply_gradients([(tf.constant(3.0), w)])
        >>> print(f"{w.numpy():.3f}")
        -0.500

    Reference:
        McMahan et al.: Ad Click Prediction: a View from the Trenches, 2013. https://doi.org/10.1145/2487575.2488200
    """

    card = Card(
        ranges={
            "learning_rate": "(0, inf)",
            "learning_rate_power": "(-inf, 0]",
            "initial_accumulator_value": "[0, inf)",
            "l1_regularization_strength": "[0, inf)",
            "l2_regularization_strength": "[0, inf)",
            "l2_shrinkage_regularization_strength": "[0, inf)",
            "beta": "[0, inf)",
        },
        slots=(
            Slot("accumulator", "sum n of squared gradients", at_least="float32"),
            Slot("linear", "linear term z", at_least="float32"),
        ),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        reference="optreg_classic.references:ftrl",
        paper=Paper(
            "Ad Click Prediction: a View from the Trenches",
            "H. B. McMahan et al.",
            2013,
            "https://doi.org/10.1145/2487575.2488200",
        ),
        limits=("A schedule that returns 0 divides by zero; a number must be greater.",),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: Any = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: Any = 0.0,
        l2_regularization_strength: Any = 0.0,
        name: str = "Ftrl",
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: Any = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("learning_rate_power", learning_rate_power)
        self._set_hyper("l1_regularization_strength", l1_regularization_strength)
        self._set_hyper("l2_regularization_strength", l2_regularization_strength)
        self._set_hyper("beta", beta)
        self.initial_accumulator_value = initial_accumulator_value
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength

    @property
    def _initial_accumulator_value(self) -> float:
        return self.initial_accumulator_value

    @_initial_accumulator_value.setter
    def _initial_accumulator_value(self, value: float) -> None:
        self.initial_accumulator_value = value

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            self.add_slot(var, "accumulator", tf.constant_initializer(self.initial_accumulator_value))
            self.add_slot(var, "linear")

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        dtype = update_dtype(var_dtype)
        rate, beta = tf.identity(self._decayed_lr(dtype)), tf.convert_to_tensor(self._get_hyper("beta", dtype))
        l2 = tf.convert_to_tensor(self._get_hyper("l2_regularization_strength", dtype))
        apply_state[(var_device, var_dtype)] = {
            "lr_t": rate,
            "learning_rate_power": tf.identity(self._get_hyper("learning_rate_power", dtype)),
            "l1_regularization_strength": tf.identity(self._get_hyper("l1_regularization_strength", dtype)),
            "l2_regularization_strength": l2,
            "beta": beta,
            "l2_with_beta": _with_beta(l2, beta, rate),
            "l2_in_it": l2,
            "beta_in_it": beta,
            "lr_in_it": rate,
            "l2_shrinkage_regularization_strength": tf.constant(self.l2_shrinkage_regularization_strength, dtype),
        }

    def _kernel_arguments(self, grad: Any, var: Any, coefficients: dict[str, Any]) -> dict[str, Any]:
        arguments = {
            "var": var.handle,
            "accum": self.get_slot(var, "accumulator").handle,
            "linear": self.get_slot(var, "linear").handle,
            "grad": grad,
            "lr": coefficients["lr_t"],
            "l1": coefficients["l1_regularization_strength"],
            "l2": _l2(coefficients),
            "lr_power": coefficients["learning_rate_power"],
            "use_locking": self._use_locking,
        }
        if self._shrinks:
            arguments["l2_shrinkage"] = coefficients["l2_shrinkage_regularization_strength"]
        return arguments

    @property
    def _shrinks(self) -> bool:
        return self.l2_shrinkage_regularization_strength > 0.0

    @property
    def _l2_shrinkage_regularization_strength(self) -> float:
        """The name of Keras 2.9, which apply methods that were written after its own ask for."""
        return self.l2_shrinkage_regularization_strength

    @_l2_shrinkage_regularization_strength.setter
    def _l2_shrinkage_regularization_strength(self, value: float) -> None:
        self.l2_shrinkage_regularization_strength = value

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        # XLA would make of the kernel's powers a call of the C library for each number: half as fast.
        if var.dtype.base_dtype == coefficients["lr_t"].dtype and not is_compiled_by_xla():
            kernel = tf.raw_ops.ResourceApplyFtrlV2 if self._shrinks else tf.raw_ops.ResourceApplyFtrl
            return kernel(**self._kernel_arguments(grad, var, coefficients))
        accumulator, linear = self.get_slot(var, "accumulator"), self.get_slot(var, "linear")
        w, n, z = _moved(grad, var, accumulator, linear, coefficients, dense=True)
        return tf.group(var.assign(tf.cast(w, var.dtype)), accumulator.assign(n), linear.assign(z))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if var.dtype.base_dtype != coefficients["lr_t"].dtype or is_compiled_by_xla() or var.shape.num_elements() == 0:
            return self._apply_rows(grad, var, indices, coefficients)
        kernel = tf.raw_ops.ResourceSparseApplyFtrlV2 if self._shrinks else tf.raw_ops.ResourceSparseApplyFtrl
        return kernel(indices=indices, **self._kernel_arguments(grad, var, coefficients))

    def _apply_rows(self, grad: Any, var: Any, indices: Any, coefficients: dict[str, Any]) -> Any:
        """Update rows without TensorFlow's sparse kernel, which XLA does not have and which refuses empty rows."""
        accumulator, linear = self.get_slot(var, "accumulator"), self.get_slot(var, "linear")
        rows, before, linear_rows = (tf.gather(it, indices) for it in (var, accumulator, linear))
        w, n, z = _moved(grad, rows, before, linear_rows, coefficients, dense=False)
        return tf.group(
            self._replace_rows(accumulator, indices, n),
            self._replace_rows(linear, indices, z),
            self._replace_rows(var, indices, tf.cast(w, var.dtype)),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with all arguments of the constructor."""
        held = (
            "learning_rate",
            "decay",
            "learning_rate_power",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "beta",
        )
        return {
            **super().get_config(),
            **{name: self._serialize_hyperparameter(name) for name in held},
            "initial_accumulator_value": self.initial_accumulator_value,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
        }


def _with_beta(l2: Any, beta: Any, rate: Any) -> Any:
    # The kernel knows no beta, but a constant in the step size acts as an L2 penalty of beta / (2 lr).
    return l2 + beta / (2.0 * rate)


def _l2(coefficients: dict[str, Any]) -> Any:
    """Return the L2 penalty with beta's part, anew where a subclass has put in another coefficient."""
    l2, beta, rate = coefficients["l2_regularization_strength"], coefficients["beta"], coefficients["lr_t"]
    if l2 is coefficients["l2_in_it"] and beta is coefficients["beta_in_it"] and rate is coefficients["lr_in_it"]:
        return coefficients["l2_with_beta"]
    return _with_beta(l2, beta, rate)


def _moved(
    grad: Any, var: Any, before: Any, linear: Any, coefficients: dict[str, Any], *, dense: bool
) -> tuple[Any, Any, Any]:
    """Return weights, sum n and linear term z after a step, in the dtype of the coefficients."""
    rate, l1, power = (
        coefficients["lr_t"],
        coefficients["l1_regularization_strength"],
        -coefficients["learning_rate_power"],
    )
    # Each variable is read once: in graphs of TensorFlow 1 a second read may come after its assignment.
    w, gradient, before = (tf.cast(it, rate.dtype) for it in (var, grad, before))
    n = before + tf.square(gradient)
    shrunk = gradient + 2.0 * coefficients["l2_shrinkage_regularization_strength"] * w
    to_the = _vectorized_power if is_compiled_by_xla() else tf.pow
    root = to_the(n, power)
    z = linear + shrunk - (root - to_the(before, power)) / rate * w
    if dense and is_compiled_by_xla():
        # The power once more is cheaper than an array of it, which XLA would keep for the loop of the weights.
        n, z = stored_first(n, z)
        root = to_the(n, power)
    scale = root / rate + 2.0 * _l2(coefficients)
    return (tf.clip_by_value(z, -l1, l1) - z) / scale, n, z


def _vectorized_power(base: Any, power: Any) -> Any:
    """Return the power of numbers ≥ 0 from operations that XLA vectorizes; square roots, the usual power, exactly."""
    positive = tf.exp(power * tf.math.log(base))
    general = tf.where(tf.equal(base, 0.0), tf.pow(tf.zeros_like(power), power), positive)
    return tf.where(tf.equal(power, 0.5), tf.sqrt(base), general)
