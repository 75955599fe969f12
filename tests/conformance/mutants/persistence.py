from __future__ import annotations

import os
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


class LosesItsScaleWhenRestored(Sound):
    caught_by = "check_a_checkpoint_overwrites_a_running_optimizer"

    _velocities: Any = None

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        # The first velocity is read from the slot, later ones from memory: a restore that comes later is not seen.
        self._velocities = self._velocities or {}
        velocity = self._velocities.get(var.ref(), tf.identity(self.get_slot(var, "velocity")))
        self._velocities[var.ref()] = self.get_slot(var, "velocity").assign(0.5 * velocity + grad)
        self._velocities[var.ref()] = tf.identity(self._velocities[var.ref()])
        return var.assign_sub(self._coefficients(var, apply_state)["lr_t"] * self._velocities[var.ref()])


class LeavesAVariableOutOfItsStateDict(_HasAScale):
    caught_by = "check_training_continues_from_the_state_dict"

    def make_scale(self) -> Any:
        return self.add_weight("scale", initializer="ones")

    def state_dict(self, var_list: Any = None) -> Any:
        return {**super().state_dict(var_list), "weights": {}}

    def load_state_dict(self, state: Any, var_list: Any = None, *, strict: bool = True) -> Any:
        return super().load_state_dict(state, var_list, strict=False)


class LoadsWhatFits(Sound):
    caught_by = "check_a_state_dict_that_does_not_fit_is_refused"

    def load_state_dict(self, state: Any, var_list: Any = None, *, strict: bool = True) -> Any:
        return super().load_state_dict(state, var_list, strict=False)


class HoldsALock(Sound):
    caught_by = "check_training_continues_from_a_pickle"

    def __init__(self, learning_rate: Any = 0.01, momentum: Any = 0.5, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, momentum, nesterov, **kwargs)
        self._lock = _Unpicklable()


class _Unpicklable:
    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a lock")


class SharesItsScaleWithCopies(Sound):
    caught_by = "check_a_deep_copy_continues_on_its_own"

    def __init__(self, learning_rate: Any = 0.01, momentum: Any = 0.5, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, momentum, nesterov, **kwargs)
        self._made = _Shared()

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        self._made.append(1)
        apply_state[(var_device, var_dtype)]["lr_t"] /= len(self._made)


class _Shared(list[int]):
    def __deepcopy__(self, memo: Any) -> Any:
        return self


class SavesTheFirstRateOfASchedule(Sound):
    caught_by = "check_a_schedule_survives_the_config"

    def get_config(self) -> dict[str, Any]:
        rate = self._get_hyper("learning_rate")
        return {**super().get_config(), "learning_rate": float(rate(0.0) if hasattr(rate, "get_config") else rate)}


class NamesItsSlotByHash(Sound):
    caught_by = "check_a_fresh_process_continues_the_training"

    slot = f"velocity_{os.getpid()}"

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            self.add_slot(var, self.slot)

    def get_slot(self, var: Any, slot_name: str) -> Any:
        return super().get_slot(var, self.slot if slot_name == "velocity" else slot_name)
