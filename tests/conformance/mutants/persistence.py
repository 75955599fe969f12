from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .sound import Sound


class SavesAnArray(Sound):
    caught_by = "check_the_config_is_clean_json"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": np.asarray(self._serialize_hyperparameter("momentum"))}


class SavesADefault(Sound):
    caught_by = "check_an_optimizer_rebuilt_from_its_config_takes_the_same_steps"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "nesterov": False}


class EmptiesTheConfig(Sound):
    caught_by = "check_an_optimizer_rebuilt_from_its_config_takes_the_same_steps"

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        built = super().from_config(config, custom_objects)
        config.clear()
        return built


class SavesWhatItWasBuiltWith(Sound):
    caught_by = "check_the_config_follows_assignments"

    def __init__(self, learning_rate: Any = 0.01, momentum: Any = 0.5, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, momentum, nesterov, **kwargs)
        self._given_momentum = momentum

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self._given_momentum}


class _HasAScale(Sound):
    """Doubles a number of its own at each step, and its updates with it."""

    _scale: Any = None

    def _create_slots(self, var_list: Any) -> None:
        if self._scale is None:
            self._scale = self.make_scale()
        super()._create_slots(var_list)

    def make_scale(self) -> Any:
        raise NotImplementedError

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        scale = self._scale.assign(self._scale * 1.25)
        apply_state[(var_device, var_dtype)]["lr_t"] *= tf.cast(scale, var_dtype)


class LeavesAVariableOutOfItsWeights(_HasAScale):
    caught_by = "check_training_continues_from_weights"

    def make_scale(self) -> Any:
        return self.add_weight("scale", initializer="ones")


class HidesAVariableFromCheckpoints(_HasAScale):
    caught_by = "check_training_continues_from_a_checkpoint"

    def make_scale(self) -> Any:
        scale = tf.Variable(1.0, trainable=False)
        self._weights.append(scale)
        return scale


class SetsAsManyWeightsAsThereAre(Sound):
    caught_by = "check_weights_that_do_not_fit_are_refused"

    def set_weights(self, weights: Any) -> None:
        for weight, value in zip(self.weights, weights, strict=False):
            weight.assign(value)
