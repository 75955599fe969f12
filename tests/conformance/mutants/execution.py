from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.optimizer import is_compiled_by_xla

from .sound import Sound, SoundDense


class CountsStepsInPython(Sound):
    caught_by = "check_a_traced_step_equals_the_eager_one"

    _made = 0

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        self._made += 1
        apply_state[(var_device, var_dtype)]["momentum"] /= self._made


class CallsPythonInTheStep(Sound):
    caught_by = "check_a_compiled_step_equals_the_eager_one"

    def direction(self, grad: Any) -> Any:
        returned = tf.py_function(lambda values: values, [grad], grad.dtype)
        returned.set_shape(grad.shape)
        return returned


class CreatesAVariableInTheStep(Sound):
    caught_by = "check_one_trace_serves_all_steps"

    _extra: Any = None

    def direction(self, grad: Any) -> Any:
        if self._extra is None:
            self._extra = tf.Variable(1.0)
        return grad * tf.cast(self._extra, grad.dtype)


class CountsRowsInPython(Sound):
    caught_by = "check_a_traced_sparse_step_equals_the_eager_one"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        rows = indices.shape[0] or 0
        return super()._resource_apply_sparse(grad[:rows], var, indices[:rows], apply_state)


class CallsPythonForSparseRows(Sound):
    caught_by = "check_a_compiled_sparse_step_equals_the_eager_one"

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        returned = tf.py_function(lambda values: values, [grad], grad.dtype)
        returned.set_shape(grad.shape)
        return super()._resource_apply_sparse(returned, var, indices, apply_state)


class StepsTwiceAsFarUnderXla(SoundDense):
    caught_by = "check_undeclared_compilation_fails_or_is_right"

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return super()._resource_apply_dense(grad * 2.0 if is_compiled_by_xla() else grad, var, apply_state)


class KeepsCoefficientsOfATrace(Sound):
    caught_by = "check_two_functions_may_train_with_one_optimizer"

    _kept: Any = None

    def build(self, var_list: Any) -> None:
        super().build(var_list)
        self._kept = {}

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        if self._kept is not None and tf.inside_function():
            self._kept = self._kept or dict(apply_state[(var_device, var_dtype)])
            apply_state[(var_device, var_dtype)] = self._kept


class ReadsTheShapeOfTheGradient(Sound):
    caught_by = "check_gradients_of_unknown_shape_are_taken"

    def direction(self, grad: Any) -> Any:
        return grad / max(1, len(grad.shape) - 9)
