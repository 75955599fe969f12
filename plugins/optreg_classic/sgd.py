"""Stochastic gradient descent, plain or with momentum."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot
from optreg.optimizer import ApplyState, Coefficients, Optimizer, is_compiled_by_xla


class SGD(Optimizer):
    """Moves each weight against its gradient, optionally along a velocity that averages past gradients.

    The reference to beat: with momentum 0.9 and a tuned learning rate (0.01 to 0.1 for normalised networks) it trains
    most vision models to the best accuracy known for them. Plain SGD keeps no state; momentum keeps one number a
    parameter.

    Rule:
        w ← w − lr g                            momentum = 0
        u ← μ u − lr g,  w ← w + u              momentum μ > 0
        u ← μ u − lr g,  w ← w + μ u − lr g     momentum μ > 0, Nesterov

    Differences:
        The learning rate is inside the velocity, as in Keras, so that a change of it fades in. In torch and optax it
        scales the finished velocity; the two are equal while it is constant. There is no dampening. Unlike in Keras
        2.9, assigning a momentum to an optimizer that was built without one takes effect.

    Arguments:
        learning_rate: Step size. A number, tensor, callable without arguments or schedule.
        momentum: Share μ of the velocity that is kept at each step.
        nesterov: Whether the gradient is taken as if at the point that the velocity leads to.

    Sparse gradients: only the rows present move, weights and velocity.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("sgd", learning_rate=0.1, momentum=0.9)
        >>> w = tf.Variable(1.0)
        >>> for _ in range(2):
        ...     _ = opt.minimize(lambda: w**2 / 2, [w])
        ...     print(f"{w.numpy():.3f}")
        0.900
        0.720

    Reference:
        Sutskever, Martens, Dahl and Hinton: On the importance of initialization and momentum in deep learning, 2013.
        https://proceedings.mlr.press/v28/sutskever13.html
    """

    card = Card(
        aliases=("gradient_descent",),
        ranges={"learning_rate": "[0, inf)", "momentum": "[0, 1]", "nesterov": "bool"},
        slots=(Slot("momentum", "velocity u", when="momentum"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        reference="optreg_classic.references:sgd",
        paper=Paper(
            "On the importance of initialization and momentum in deep learning",
            "I. Sutskever, J. Martens, G. Dahl, G. Hinton",
            2013,
            "https://proceedings.mlr.press/v28/sutskever13.html",
        ),
    )

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: Any = 0.0,
        nesterov: bool = False,
        name: str = "SGD",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("momentum", momentum)
        self.nesterov = nesterov

    @property
    def _momentum(self) -> bool:
        return self._is_switched_on("momentum")

    def _create_slots(self, var_list: Any) -> None:
        if self._momentum:
            for var in var_list:
                self.add_slot(var, "momentum")

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)

        def momentum() -> Any:
            return tf.identity(self._get_hyper("momentum", var_dtype))

        coefficients = apply_state[(var_device, var_dtype)]
        if self._momentum:
            coefficients["momentum"] = momentum()
        else:
            apply_state[(var_device, var_dtype)] = Coefficients(coefficients, {"momentum": momentum})

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        coefficients = self._coefficients(var, apply_state)
        if not self._momentum:
            return tf.raw_ops.ResourceApplyGradientDescent(
                var=var.handle, alpha=coefficients["lr_t"], delta=grad, use_locking=self._use_locking
            )
        return tf.raw_ops.ResourceApplyKerasMomentum(
            var=var.handle,
            accum=self.get_slot(var, "momentum").handle,
            lr=coefficients["lr_t"],
            grad=grad,
            momentum=coefficients["momentum"],
            use_locking=self._use_locking,
            use_nesterov=self.nesterov,
        )

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, var: Any, indices: Any, **kwargs: Any) -> Any:
        if self._momentum:
            return super()._resource_apply_sparse_duplicate_indices(grad, var, indices, **kwargs)
        # Plain SGD is linear in the gradient: rows that repeat are simply added one after the other.
        rate = self._coefficients(var, kwargs.get("apply_state"))["lr_t"]
        if tf.executing_eagerly() or not any(self._clip.values()):
            return tf.raw_ops.ResourceScatterSub(resource=var.handle, indices=indices, updates=grad * rate)
        # TensorFlow would join the rate with the factor of a clipped gradient and round otherwise than Keras 2.9. The
        # sign keeps it from that, for one pass more over the rows.
        return tf.raw_ops.ResourceScatterAdd(resource=var.handle, indices=indices, updates=-grad * rate)

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        if not self._momentum:
            # Not through self: a subclass's method for repeated rows may end here.
            return SGD._resource_apply_sparse_duplicate_indices(self, grad, var, indices, apply_state=apply_state)
        coefficients = self._coefficients(var, apply_state)
        if is_compiled_by_xla():
            return self._apply_rows(grad, var, indices, coefficients)
        return tf.raw_ops.ResourceSparseApplyKerasMomentum(
            var=var.handle,
            accum=self.get_slot(var, "momentum").handle,
            lr=coefficients["lr_t"],
            grad=grad,
            indices=indices,
            momentum=coefficients["momentum"],
            use_locking=self._use_locking,
            use_nesterov=self.nesterov,
        )

    def _apply_rows(self, grad: Any, var: Any, indices: Any, coefficients: dict[str, Any]) -> Any:
        """Update rows without TensorFlow's sparse kernel, which XLA does not have."""
        velocity, step = self.get_slot(var, "momentum"), coefficients["lr_t"] * grad
        u = coefficients["momentum"] * tf.gather(velocity, indices) - step
        ahead = coefficients["momentum"] * u - step if self.nesterov else u
        return tf.group(self._replace_rows(velocity, indices, u), self._add_rows(var, indices, ahead))

    def get_config(self) -> dict[str, Any]:
        """Return the base configuration with learning rate, decay, momentum and nesterov."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter("learning_rate"),
            "decay": self._serialize_hyperparameter("decay"),
            "momentum": self._serialize_hyperparameter("momentum"),
            "nesterov": self.nesterov,
        }
