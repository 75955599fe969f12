from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.cards import Card

from .sound import Sound, SoundDense


class HidesAHyperparameter(Sound):
    caught_by = "check_hyperparameters_can_be_read_back"

    def __getattr__(self, name: str) -> Any:
        if name == "momentum":
            raise AttributeError(name)
        return super().__getattr__(name)


class ChangesAHyperparameter(Sound):
    caught_by = "check_hyperparameters_can_be_read_back"

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return 1.0 - found if name == "momentum" else found


class RoundsTensors(Sound):
    caught_by = "check_numbers_and_tensors_give_the_same_step"

    def _set_hyper(self, name: str, value: Any) -> None:
        super()._set_hyper(name, tf.round(value) if tf.is_tensor(value) else value)


class CallsACallableOnce(Sound):
    caught_by = "check_a_callable_is_called_at_each_step"

    def _set_hyper(self, name: str, value: Any) -> None:
        frozen = callable(value) and not hasattr(value, "get_config")
        super()._set_hyper(name, value() if frozen else value)


class AsksAScheduleOnce(Sound):
    caught_by = "check_a_schedule_is_followed"

    def _set_hyper(self, name: str, value: Any) -> None:
        super()._set_hyper(name, float(value(tf.constant(0.0))) if hasattr(value, "get_config") else value)


class IgnoresDecay(SoundDense):
    caught_by = "check_the_decay_option_slows_the_learning_rate"

    def _decayed_lr(self, var_dtype: Any) -> Any:
        rate = self._get_hyper("learning_rate")
        rate = rate(tf.cast(self.iterations, tf.float32)) if callable(rate) and hasattr(rate, "get_config") else rate
        return tf.cast(rate, var_dtype)


class FreezesMomentumInTheTrace(Sound):
    caught_by = "check_an_assigned_value_reaches_a_traced_step"

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        with tf.init_scope():
            momentum = float(self._get_hyper("momentum"))
        apply_state[(var_device, var_dtype)]["momentum"] = tf.constant(momentum, var_dtype)


class ChecksNoRange(SoundDense):
    caught_by = "check_declared_ranges_are_enforced"

    card = Card(ranges={"learning_rate": "[0, inf)", "power": "(0, 1]"}, dtypes=("float32",))

    def __init__(
        self, learning_rate: Any = 0.01, power: float = 0.5, name: str = "ChecksNoRange", **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self._power = power

    @property
    def power(self) -> float:
        return self._power

    @power.setter
    def power(self, value: float) -> None:
        self._power = value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power": self._power}


class RefusesTheClosedEnd(Sound):
    caught_by = "check_declared_ranges_are_enforced"

    def _set_hyper(self, name: str, value: Any) -> None:
        if name == "momentum" and value == 0.0:
            raise ValueError("momentum must be positive")
        super()._set_hyper(name, value)


class DividesByTheLearningRate(Sound):
    caught_by = "check_a_learning_rate_of_zero_moves_nothing"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        rate = self._coefficients(var, apply_state)["lr_t"]
        return super()._resource_apply_dense(grad * rate / rate, var, apply_state)


class IgnoresTheOldName(SoundDense):
    caught_by = "check_the_old_name_of_the_learning_rate_is_not_ignored"

    def __init__(self, learning_rate: Any = 0.01, name: str = "IgnoresTheOldName", **kwargs: Any) -> None:
        super().__init__(learning_rate, name, **{key: value for key, value in kwargs.items() if key != "lr"})


class TakesAnyAttribute(Sound):
    caught_by = "check_a_misspelt_assignment_is_refused"

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "learning_rte":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)
