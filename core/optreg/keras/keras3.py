"""The adapter for Keras 3: a ``keras.optimizers.Optimizer`` whose every step is made by an optimizer of optreg."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optreg.errors import InvalidConfig, InvalidGradients
from optreg.keras import identifiers
from optreg.keras.learning_rate import set_learning_rate
from optreg.keras.saved_form import configuration_of, optimizer_from
from optreg.keras.state_in_files import StateInFiles
from optreg.keras.trained_variables import is_overwritten
from optreg.optimizer.distribution import variable_key
from optreg.optimizer.gradients import map_values
from optreg.registry.keras_configs import refuse_if_used


class _Clipping:
    """A threshold that belongs to the wrapped optimizer."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, adapter: Any, owner: type | None = None) -> Any:
        return getattr(vars(adapter).get("wrapped"), self.name, None) if adapter is not None else self

    def __set__(self, adapter: Any, value: Any) -> None:
        if "wrapped" in vars(adapter):  # Keras's constructor sets all of them to None before
            setattr(adapter.wrapped, self.name, value)


class _Absent:
    """An option of Keras 3's base class that the adapter does not have, at its neutral value."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, adapter: Any, owner: type | None = None) -> Any:
        return None if adapter is not None else self

    def __set__(self, adapter: Any, value: Any) -> None:
        refuse_if_used(self.name, value, label="an optimizer wrapped by optreg.keras.wrap()")


@keras.saving.register_keras_serializable(package=identifiers.PACKAGE, name=identifiers.CLASS_NAME)
class WrappedOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer of optreg as Keras 3 takes it.

    What Keras's own optimizers do not have (hyperparameters, ``get_slot``, ``minimize``, ...) is read from and written
    to the wrapped optimizer.

    Args:
        optimizer: The optimizer of optreg, afterwards the attribute ``wrapped``.
        loss_scale_factor: Fixed number by which ``scale_loss`` multiplies the loss and gradients are divided.
    """

    clipnorm = _Clipping()
    clipvalue = _Clipping()
    global_clipnorm = _Clipping()
    weight_decay = _Absent()
    use_ema = _Absent()
    gradient_accumulation_steps = _Absent()

    def __init__(self, optimizer: Any, *, loss_scale_factor: float | None = None) -> None:
        # A function as learning rate keeps Keras from creating a variable of its own for it.
        super().__init__(_learning_rate_is_elsewhere, loss_scale_factor=loss_scale_factor, name=optimizer._name)
        self._variables: list[Any] = []  # Keras's own variables are not used, and shall not be in checkpoints
        self._views = _Views()
        self._state = StateInFiles(optimizer)
        self.wrapped = optimizer

    # The step

    def build(self, variables: Sequence[Any]) -> None:
        """Create the state for the variables, and restore what was loaded before they were known."""
        self._state.learn(variables)
        self.wrapped.build([variable for variable in variables if not is_overwritten(variable)])
        if self._state.variables:  # the HDF5 format builds with no variables at all
            self._state.settle()
            self.built = True  # afterwards, because every replica has to come here

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Make one step.

        Args:
            grads: Gradients, as many as variables; None for a variable to leave alone.
            trainable_variables: The variables; by default those the optimizer was built with. New ones are welcome.

        Raises:
            InvalidGradients: Not as many gradients as variables, or no variables known.
        """
        if trainable_variables is None:
            trainable_variables = self._state.variables
        if len(grads) != len(trainable_variables):
            raise InvalidGradients(
                f"{self!r} received {len(grads)} gradients for {len(trainable_variables)} variables"
                + ("" if self.built else "; pass the variables, or build(variables) first")
            )
        if not self.built:
            self.build(list(trainable_variables))
        self._state.learn(trainable_variables)
        self._step(list(zip(grads, trainable_variables, strict=True)))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> Any:
        """Make one step from (gradient, variable) pairs and return the number of steps made."""
        grads, variables = [], []
        for gradient, variable in grads_and_vars:
            grads.append(gradient)
            variables.append(variable)
        self.apply(grads, variables)
        return self.iterations

    def _step(self, pairs: list[tuple[Any, Any]]) -> None:
        for gradient, variable in pairs:
            if is_overwritten(variable) and gradient is not None:
                variable.assign(gradient)  # 8-bit layers return the new value of such a variable as its gradient
        pairs = [(self._unscaled(gradient), variable) for gradient, variable in pairs if not is_overwritten(variable)]
        self.wrapped.apply_gradients(pairs)

    def _unscaled(self, gradient: Any) -> Any:
        factor = self.loss_scale_factor
        return gradient if factor is None or gradient is None else map_values(lambda values: values / factor, gradient)

    # Hyperparameters

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the wrapped optimizer: a variable, or the present value of a schedule or function."""
        rate = self.wrapped.learning_rate
        if isinstance(rate, tf.Variable):
            return self._views.of(rate, "learning_rate")
        return rate(self.wrapped.iterations) if callable(rate) else rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        set_learning_rate(self.wrapped, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "wrapped" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_iterations":
            return  # Keras's constructor creates a counter of its own, which is not used
        ours = name.startswith("_") or hasattr(type(self), name) or name in vars(self) or "wrapped" not in vars(self)
        if ours:
            super().__setattr__(name, value)
        else:
            setattr(self.wrapped, name, value)

    # State

    @property
    def _iterations(self) -> Any:
        return self.iterations

    @property
    def iterations(self) -> Any:
        """Number of steps made."""
        return self._views.of(self.wrapped.iterations, "iterations")

    @property
    def variables(self) -> list[Any]:
        """The state of the wrapped optimizer as Keras variables: iterations, hyperparameters, slots."""
        named = self._state.named_variables()
        # "slots:0:m" in a file is "0:m" here
        return [self._views.of(variable, name.partition(":")[2] or name) for name, variable in named.items()]

    def save_own_variables(self, store: Any) -> None:
        """Write the state into a store of Keras, by name."""
        self._state.write(store)

    def load_own_variables(self, store: Any) -> None:
        """Read the state from a store of Keras; slots are kept until the variables are known.

        Raises:
            InvalidState: The state of another optimizer, or of other variables.
        """
        self._state.read(store)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set ``variables`` to values in their order; before ``build`` they are kept until then.

        Raises:
            InvalidState: Not as many values as variables, or values of other shapes.
        """
        self._state.take([np.asarray(weight) for weight in weights])  # the file they may come from is closed soon

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        children: dict[str, Any] = super()._trackable_children(save_type, **kwargs)
        return {**children, **self._state.guard()}

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the adapter and the optimizer in it."""
        return {
            **configuration_of(self.wrapped, keras.saving.get_registered_name),
            "loss_scale_factor": self.loss_scale_factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Rebuild an adapter from ``get_config``."""
        find = {**(custom_objects or {})}.get
        optimizer = optimizer_from(config, lambda name: find(name) or keras.saving.get_registered_object(name))
        return cls(optimizer, loss_scale_factor=config.get("loss_scale_factor"))

    def __repr__(self) -> str:
        return (
            f"<{self.wrapped!r} wrapped for Keras 3; for a model of tf_keras write "
            'optreg.keras.wrap(..., library="tf_keras")>'
        )


class _Views:
    """Keras variables that share the memory of TensorFlow's; each is made once."""

    def __init__(self) -> None:
        self._views: dict[str, Any] = {}

    def of(self, variable: Any, name: str) -> Any:
        key = variable_key(variable)
        if key not in self._views:
            self._views[key] = keras.Variable(
                variable,
                dtype=variable.dtype.name,
                trainable=False,
                autocast=False,
                name=name,
            )
        return self._views[key]


def _learning_rate_is_elsewhere() -> float:
    raise InvalidConfig("the learning rate belongs to the wrapped optimizer")
