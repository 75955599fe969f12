from __future__ import annotations

import random
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .private_import import ComputesWhenImported, ImportsPrivateModules
from .sound import Sound

__all__ = ["ComputesWhenImported", "ImportsPrivateModules"]


class SetsTheSeed(Sound):
    caught_by = "check_random_streams_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        tf.random.set_seed(0)
        super()._create_slots(var_list)


class DrawsFromPythonsStream(Sound):
    caught_by = "check_random_streams_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        random.random()
        super()._create_slots(var_list)


class SilencesWarnings(Sound):
    caught_by = "check_settings_of_the_process_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        warnings.simplefilter("ignore", category=UserWarning)
        super()._create_slots(var_list)


class ChangesDevicePlacement(Sound):
    caught_by = "check_settings_of_the_process_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        tf.config.set_soft_device_placement(not tf.config.get_soft_device_placement())
        super()._create_slots(var_list)


class Prints(Sound):
    caught_by = "check_nothing_is_printed"

    def _create_slots(self, var_list: Any) -> None:
        print("creating slots")
        super()._create_slots(var_list)


class Warns(Sound):
    caught_by = "check_nothing_is_warned_of"

    def _create_slots(self, var_list: Any) -> None:
        warnings.warn("creating slots", stacklevel=1)
        super()._create_slots(var_list)


class KeepsItself(Sound):
    caught_by = "check_an_optimizer_that_is_dropped_is_freed"

    def _create_slots(self, var_list: Any) -> None:
        super()._create_slots(var_list)
        _KEPT.append(self)


_KEPT: list[Any] = []


class RunsFunctionsEagerly(Sound):
    caught_by = "check_settings_of_the_process_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        tf.config.run_functions_eagerly(True)
        super()._create_slots(var_list)


class ChangesThePrecisionPolicy(Sound):
    caught_by = "check_settings_of_the_process_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        keras.config.set_dtype_policy("mixed_bfloat16")
        super()._create_slots(var_list)


class SilencesNumPy(Sound):
    caught_by = "check_settings_of_the_process_are_untouched"

    def _create_slots(self, var_list: Any) -> None:
        np.seterr(all="ignore")
        super()._create_slots(var_list)
