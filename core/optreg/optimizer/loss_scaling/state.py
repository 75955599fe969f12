"""What a loss scale adds to the state of an optimizer, in every form in which state is kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from optreg.errors import InvalidState
from optreg.optimizer.graphs.sessions import assign_value, read_value
from optreg.optimizer.loss_scaling.dynamic_scale import DynamicScale
from optreg.optimizer.state.checkpoint import ForwardedState
from optreg.optimizer.state.paths import StateReport

_KEY = "loss_scale"
"""Where the scale stands beside the state of the wrapped optimizer, in checkpoints as in Keras 2.9."""

_STEPS = "good_steps"


class LossScaleState(ForwardedState):
    """Part of the loss-scale wrapper that is saved, copied and loaded."""

    _scale: DynamicScale | float

    def state_dict(self, var_list: Any = None) -> dict[str, Any]:
        """Return the state of the wrapped optimizer, and of a dynamic scale under ``"loss_scale"``."""
        state: dict[str, Any] = self._inner.state_dict(var_list)
        own = {name: np.asarray(read_value(variable)) for name, variable in self._scale_variables().items()}
        return {**state, _KEY: own} if own else state

    def load_state_dict(self, state: Mapping[str, Any], var_list: Any = None, *, strict: bool = True) -> StateReport:
        """Set all state from what ``state_dict`` returned; arguments, result and errors as for other optimizers."""
        scale = state.get(_KEY, {}) if isinstance(state, Mapping) else {}
        own = self._compared(scale)
        if strict and own:
            raise InvalidState(
                f"{type(self).__name__}: the loss scale does not fit, and nothing was changed. {own}. To load what "
                "fits: strict=False"
            )
        rest = {key: value for key, value in state.items() if key != _KEY} if isinstance(state, Mapping) else state
        report = self._inner.load_state_dict(rest, var_list, strict=strict)
        for name, variable in self._scale_variables().items():
            if name in scale and _fits(name, scale[name]):
                assign_value(variable, scale[name])
        return StateReport(
            report.missing + own.missing, report.unexpected + own.unexpected, report.misshapen + own.misshapen
        )

    def _compared(self, scale: Any) -> StateReport:
        if not isinstance(scale, Mapping):
            return StateReport(misshapen=(_KEY,))
        known = self._scale_variables()
        return StateReport(
            missing=_indexed(name for name in known if name not in scale),
            unexpected=_indexed(name for name in scale if name not in known),
            misshapen=_indexed(name for name in scale if name in known and not _fits(name, scale[name])),
        )

    def _scale_variables(self) -> dict[str, Any]:
        scale = self._scale
        if not isinstance(scale, DynamicScale):
            return {}
        return {"current_loss_scale": scale.current_loss_scale, _STEPS: scale.good_steps}

    def _state_beside(self) -> dict[str, Any]:
        return {_KEY: self._scale} if isinstance(self._scale, DynamicScale) else {}

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return what pickles the wrapper: the wrapped optimizer with its state, and the scale."""
        return _restored, (type(self), self._inner, *self._carried_scale())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a wrapper around a copy of the wrapped optimizer, with the same scale."""
        inner = copy.deepcopy(self._inner, memo)
        copied = memo[id(self)] = _restored(type(self), inner, *self._carried_scale())
        return copied

    def _carried_scale(self) -> tuple[float, int | None, dict[str, Any]]:
        """Return the scale at the beginning, the growth steps of a dynamic one, and the present values by name."""
        scale = self._scale
        values = {name: read_value(variable) for name, variable in self._scale_variables().items()}
        if isinstance(scale, DynamicScale):
            return scale.initial, scale.growth_steps, values
        return scale, None, values


def _restored(cls: Any, inner: Any, initial: float, growth_steps: int | None, values: Mapping[str, Any]) -> Any:
    """Return a wrapper around an optimizer that is copied already, with the scale of the original."""
    # The constructor of a derived class may take other arguments, and would set anew what the wrapped one holds.
    wrapper = object.__new__(cls)
    wrapper._set_up(inner, initial, growth_steps)
    for name, variable in wrapper._scale_variables().items():
        variable.assign(values[name])
    return wrapper


def _indexed(names: Any) -> tuple[str, ...]:
    return tuple(f"{_KEY}[{name!r}]" for name in names)


def _fits(name: str, value: Any) -> bool:
    """Whether a value can be the scale, or the number of finite steps, which may be 0."""
    array = np.asarray(value)
    if array.shape != () or not np.issubdtype(array.dtype, np.number) or not np.isfinite(array):
        return False
    return bool(array >= 0 if name == _STEPS else array > 0)
