"""The adapter for ``tf_keras`` (Keras 2), whose optimizers have the same contract as ours.

So there is nothing to translate: the adapter is an optimizer by type, as ``tf_keras`` demands, and hands every
attribute and method to the wrapped optimizer, those of ``tf.train.Checkpoint`` included. A checkpoint looks as if the
wrapped optimizer stood in its place, which is also how checkpoints of Keras 2.9 look.
"""

from __future__ import annotations

import warnings
from typing import Any

import tf_keras

from optreg.keras import identifiers
from optreg.keras.learning_rate import set_learning_rate
from optreg.keras.saved_form import configuration_of, optimizer_from
from optreg.keras.skipping import a_model_is_loaded
from optreg.keras.state_in_files import StateInFiles


@tf_keras.utils.register_keras_serializable(package=identifiers.PACKAGE, name=identifiers.CLASS_NAME)
class WrappedOptimizer(tf_keras.optimizers.legacy.Optimizer, tf_keras.losses.Loss):  # type: ignore[misc]
    """An optimizer of optreg as ``tf_keras`` takes it.

    It is no loss. But the ``.keras`` format of ``tf_keras`` saves the state of layers, metrics, losses and its new
    optimizers only, and drops that of legacy optimizers without a word; the second base keeps ours.

    Args:
        optimizer: The optimizer of optreg, afterwards the attribute ``wrapped``.
    """

    def __init__(self, optimizer: Any) -> None:
        # Neither base is initialised: nothing of them is used.
        object.__setattr__(self, "wrapped", optimizer)
        object.__setattr__(self, "_state", StateInFiles(optimizer))

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN or name.startswith("__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "wrapped"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"lr", "learning_rate"}:
            set_learning_rate(self.wrapped, value)
        else:
            setattr(self.wrapped, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.wrapped, name)

    def __dir__(self) -> list[str]:
        return sorted({*_OWN, *dir(self.wrapped)})

    def __deepcopy__(self, memo: dict[int, Any]) -> WrappedOptimizer:
        import copy  # noqa: PLC0415 - rarely needed

        copied = type(self)(copy.deepcopy(self.wrapped, memo))
        object.__setattr__(copied, "_state", self._state.copied_for(copied.wrapped))
        return copied

    def build(self, var_list: Any) -> None:
        """Create the state for the variables, and restore what was loaded before they were known."""
        self._state.learn(var_list)
        self.wrapped.build(var_list)
        self._state.settle()

    def minimize(self, loss: Any, var_list: Any, *args: Any, **kwargs: Any) -> Any:
        """Make one step on a loss; see ``optreg.Optimizer.minimize``."""
        self._prepare_for(var_list)
        return self.wrapped.minimize(loss, var_list, *args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        """Make one step; see ``optreg.Optimizer.apply_gradients``."""
        pairs = list(grads_and_vars)
        self._prepare_for([variable for _, variable in pairs])
        return self.wrapped.apply_gradients(pairs, *args, **kwargs)

    def _compute_gradients(self, loss: Any, var_list: Any, *args: Any, **kwargs: Any) -> Any:
        self._prepare_for(var_list)  # the way of tf_keras's loss scaling
        return self.wrapped._compute_gradients(loss, var_list, *args, **kwargs)

    def _create_all_weights(self, var_list: Any) -> None:
        self.build(var_list)

    def _prepare_for(self, var_list: Any) -> None:
        if callable(var_list):
            return  # known only after the loss has run; the step itself tells them
        self._state.learn(var_list)
        if self._state.waits:
            self.build(var_list)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the adapter and the optimizer in it."""
        return configuration_of(self.wrapped, tf_keras.utils.get_registered_name)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> WrappedOptimizer:
        """Rebuild an adapter from ``get_config``."""
        find = {**(custom_objects or {})}.get
        return cls(optimizer_from(config, lambda name: find(name) or tf_keras.utils.get_registered_object(name)))

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        # A SavedModel of ours has slots as ordinary children. Under its loss scaling, which stands for the adapter
        # there, TensorFlow finds them as slots too and refuses: then they are slots only, as in a checkpoint.
        scaled = getattr(self.wrapped, "_is_wrapped_by_loss_scale_optimizer", False)
        children: dict[str, Any] = self.wrapped._trackable_children("checkpoint" if scaled else save_type, **kwargs)
        return {**children, **self._state.guard()}

    def save_own_variables(self, store: Any) -> None:
        """Write the state into a store of the ``.keras`` format, by name."""
        self._state.write(store)

    def load_own_variables(self, store: Any) -> None:
        """Read the state from a store of the ``.keras`` format; slots are kept until the variables are known.

        Raises:
            InvalidState: It is the state of another optimizer or of other variables.
        """
        if not list(store.keys()) and a_model_is_loaded():
            # The file describes this optimizer, but its state was hidden where the model was saved.
            warnings.warn(
                f"the file holds no state of {self.wrapped!r}, which starts anew: tf_keras saves none of what its loss "
                "scaling wraps (mixed_float16) in this format. The .h5 format and tf.train.Checkpoint keep it",
                stacklevel=2,
            )
            return
        self._state.read(store)

    @property
    def weights(self) -> list[Any]:
        """The state as variables, in the order of Keras 2.9.

        Raises:
            InvalidState: State that was loaded waits for its variables, and would be missing.
        """
        self._state.require_placed()
        weights: list[Any] = self.wrapped.weights
        return weights

    def get_weights(self) -> list[Any]:
        """Return the values of ``weights``.

        Raises:
            InvalidState: As for ``weights``.
        """
        self._state.require_placed()
        values: list[Any] = self.wrapped.get_weights()
        return values

    def __repr__(self) -> str:
        return (
            f"<{self.wrapped!r} wrapped for tf_keras; for a model of Keras 3 write "
            'optreg.keras.wrap(..., library="keras")>'
        )


_OWN = {name for name in vars(WrappedOptimizer) if not name.startswith("__")} | {"_state", "wrapped"}
