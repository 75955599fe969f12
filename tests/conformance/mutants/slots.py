from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from optreg.cards import Card, Slot

from .sound import Sound, SoundDense


class CreatesAnUndeclaredSlot(Sound):
    caught_by = "check_the_created_slots_are_the_declared_ones"

    def _create_slots(self, var_list: Any) -> None:
        super()._create_slots(var_list)
        for var in var_list:
            self.add_slot(var, "ghost")


class DeclaresASlotThatIsMissing(SoundDense):
    caught_by = "check_the_created_slots_are_the_declared_ones"

    card = Card(ranges={"learning_rate": "[0, inf)"}, slots=(Slot("m"),), dtypes=("float32",))


class CreatesAScalarSlot(SoundDense):
    caught_by = "check_slots_have_the_declared_shape_and_dtype"

    card = Card(ranges={"learning_rate": "[0, inf)"}, slots=(Slot("size"),), dtypes=("float32",))

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            self.add_slot(var, "size", shape=())


class CreatesAWideSlot(SoundDense):
    caught_by = "check_slots_have_the_declared_shape_and_dtype"

    card = Card(ranges={"learning_rate": "[0, inf)"}, slots=(Slot("m"),), dtypes=("float32",))

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            self.add_slot(var, "m", dtype="float64")


class CreatesSlotsOnce(Sound):
    caught_by = "check_a_new_variable_gets_its_slots_at_a_later_step"

    def _create_slots(self, var_list: Any) -> None:
        if not self.get_slot_names():
            super()._create_slots(var_list)


class SharesStateInTheClass(Sound):
    caught_by = "check_two_optimizers_share_nothing"

    last: ClassVar[list[Any]] = [None]

    def direction(self, grad: Any) -> Any:
        alone = self.last[0] is None or self.last[0] is self
        self.last[0] = self
        return grad if alone else grad * 0.5


class CountsEveryVariable(Sound):
    caught_by = "check_iterations_count_the_steps"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        self.iterations.assign_add(1)
        return super()._resource_apply_dense(grad, var, apply_state)


class MovesVariablesWhenBuilt(Sound):
    caught_by = "check_building_early_changes_nothing"

    def build(self, var_list: Any) -> None:
        super().build(var_list)
        for var in var_list:
            var.assign(var * 0.5)


class BuildsNothing(Sound):
    caught_by = "check_building_early_changes_nothing"

    def build(self, var_list: Any) -> None:
        pass


class KeepsATrainableVariable(Sound):
    caught_by = "check_state_is_not_trainable"

    _scale: Any = None

    def _create_slots(self, var_list: Any) -> None:
        super()._create_slots(var_list)
        if self._scale is None:
            self._scale = self.add_weight("scale", initializer="ones", trainable=True)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        apply_state[(var_device, var_dtype)]["lr_t"] *= tf.cast(self._scale, var_dtype)
