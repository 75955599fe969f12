"""Loss scaling: an optimizer around another one, for training in float16."""

from __future__ import annotations

import inspect
import numbers
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from optreg.errors import HyperparameterTypeError, InvalidHyperparameter
from optreg.optimizer import distribution
from optreg.optimizer.config import require_dictionary
from optreg.optimizer.contract import Optimizer
from optreg.optimizer.distribution import Pair, describe_value
from optreg.optimizer.gradients import map_values
from optreg.optimizer.graphs.sessions import graph_of, require_one_graph
from optreg.optimizer.hyperparameters import check_range
from optreg.optimizer.loss_scaling.agreement import step_together
from optreg.optimizer.loss_scaling.dynamic_scale import DynamicScale, all_finite
from optreg.optimizer.loss_scaling.forwarding import Forwarding
from optreg.optimizer.loss_scaling.scaling import divided, multiplied, several
from optreg.optimizer.loss_scaling.state import LossScaleState
from optreg.registry import default_registry
from optreg.registry.building import build_optimizer
from optreg.registry.signatures import check_arguments

_OWNER = "LossScaleOptimizer"
_INITIAL_SCALE = 2.0**15
_GROWTH_STEPS = 2000
_SCALES = "[1.2e-38, 3.4e+38]"  # what float32 holds


class LossScaleOptimizer(Forwarding, LossScaleState, Optimizer):
    """Multiplies the loss before gradients are taken, divides the gradients after, and leaves out steps that overflow.

    In float16 gradients below 6e-8 are 0. Of a loss 32768 times as large they are not, and in float32, where the
    variables live, the factor is divided out again. The wrapped optimizer sees the gradients of the loss itself:
    clipping thresholds and hyperparameters keep their meaning.

    With ``dynamic`` scaling every step checks the gradients, after they are summed over replicas. If one holds NaN or
    infinity no replica makes the step: variables, slots and iterations stay, and the scale is halved, down to 1. After
    ``dynamic_growth_steps`` finite steps in a row the scale is doubled.

    Everything else is the wrapped optimizer's: hyperparameters and options are read and set through the wrapper, and a
    checkpoint holds the same names with the scale beside them, as ``tf.keras.mixed_precision.LossScaleOptimizer`` of
    Keras 2.9 saved it. bfloat16 has the range of float32 and needs no loss scaling.

    Args:
        inner_optimizer: The optimizer to wrap, or what ``optreg.get_optimizer`` makes one of.
        dynamic: Whether the scale adjusts itself. Otherwise it stays, and gradients are not checked.
        initial_scale: The scale to begin with, above 0, as far as float32 goes; default 32768. Required if the scale is
            not dynamic.
        dynamic_growth_steps: Finite steps in a row after which the scale is doubled, at least 1; default 2000.

    Raises:
        NotAnOptimizer: ``inner_optimizer`` is no optimizer of optreg.
        HyperparameterTypeError: It is wrapped already; an argument is of the wrong kind.
        InvalidHyperparameter: An argument is outside its range, or means nothing together with ``dynamic``.
    """

    _FOR_KERAS = "{}.inner_optimizer"
    _own_attributes = frozenset({"_aggregates", "_asked", "_inner", "_scale"})

    def __init__(
        self,
        inner_optimizer: Any,
        dynamic: bool = True,
        initial_scale: float | None = None,
        dynamic_growth_steps: int | None = None,
    ) -> None:
        check_range(_OWNER, "dynamic", dynamic, "bool")
        initial, growth = _checked_arguments(dynamic, initial_scale, dynamic_growth_steps)
        if isinstance(inner_optimizer, LossScaleOptimizer):
            raise HyperparameterTypeError(
                f"{_OWNER}: inner_optimizer is a {_OWNER} already; scaling twice is scaling once by the product. Wrap "
                "its inner_optimizer, or use it as it is"
            )
        self._set_up(default_registry().get_optimizer(inner_optimizer), initial, growth if dynamic else None)

    def _set_up(self, inner: Any, initial: float, growth_steps: int | None) -> None:
        self._inner: Any = inner
        self._asked: set[str] = set()
        parameters = inspect.signature(self._inner.apply_gradients).parameters
        self._aggregates = "experimental_aggregate_gradients" in parameters or any(
            parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
        )
        with distribution.state_scope(self._inner._distribution_strategy):
            self._scale: DynamicScale | float = initial if growth_steps is None else DynamicScale(initial, growth_steps)

    @property
    def inner_optimizer(self) -> Any:
        """The wrapped optimizer."""
        return self._inner

    @property
    def dynamic(self) -> bool:
        """Whether the scale adjusts itself."""
        return isinstance(self._scale, DynamicScale)

    @property
    def loss_scale(self) -> Any:
        """The present scale, a scalar float32 tensor."""
        self._require_present_graph()
        scale = self._scale
        return tf.convert_to_tensor(scale.current_loss_scale if isinstance(scale, DynamicScale) else scale, tf.float32)

    def _require_present_graph(self) -> None:
        """Refuse a scale that was created eagerly in a graph, or in another graph, or in a graph eagerly."""
        scale = self._scale
        if isinstance(scale, DynamicScale) and not (
            tf.executing_eagerly() and graph_of(scale.current_loss_scale) is None
        ):
            require_one_graph(_OWNER, [scale.current_loss_scale])

    @property
    def dynamic_counter(self) -> Any | None:
        """The number of finite steps since the scale last changed, an int64 variable; None for a fixed scale."""
        return self._scale.good_steps if isinstance(self._scale, DynamicScale) else None

    @property
    def initial_scale(self) -> float:
        """The scale at the beginning; the scale itself if it is fixed."""
        return self._scale.initial if isinstance(self._scale, DynamicScale) else self._scale

    @property
    def dynamic_growth_steps(self) -> int | None:
        """Finite steps in a row after which the scale is doubled; None for a fixed scale."""
        return self._scale.growth_steps if isinstance(self._scale, DynamicScale) else None

    def get_scaled_loss(self, loss: Any) -> Any:
        """Return the loss times the scale: a tensor for a tensor, a function without arguments for such a function.

        Several losses in a nest of Python are returned in such a nest.

        Raises:
            InvalidGradients: Something else, or integers, which have no gradient; for a function, when it is called.
        """
        self._asked.add("get_scaled_loss")
        if callable(loss):
            return lambda: self._scaled(loss())
        return self._scaled(loss)

    def _scaled(self, loss: Any) -> Any:
        scale = self.loss_scale
        return tf.nest.map_structure(lambda part: multiplied(part, scale, _OWNER), loss)

    def get_unscaled_gradients(self, grads: Iterable[Any]) -> Any:
        """Return the gradients divided by the scale, in their own dtypes; None stays None, sparse stays sparse.

        Args:
            grads: As ``tape.gradient`` returns them for several variables: any iterable of tensors, arrays,
                ``tf.IndexedSlices`` and None, or a nest of them.

        Returns:
            A list; for a dictionary a dictionary.

        Raises:
            InvalidGradients: A gradient by itself, or something that is none.
        """
        self._asked.add("get_unscaled_gradients")
        scale = self.loss_scale

        def unscaled(gradient: Any) -> Any:
            return None if gradient is None else map_values(lambda values: divided(values, scale, _OWNER), gradient)

        return tf.nest.map_structure(unscaled, several(grads, _OWNER))

    def _compute_gradients(self, loss: Any, var_list: Any, grad_loss: Any = None, tape: Any = None) -> list[Pair]:
        if callable(loss) or tape is None:
            scaled = self.get_scaled_loss(loss)
        else:
            with tape:
                scaled = self.get_scaled_loss(loss)
        pairs = self._inner._compute_gradients(scaled, var_list, grad_loss=grad_loss, tape=tape)
        gradients = self.get_unscaled_gradients([gradient for gradient, _ in pairs])
        return [(gradient, variable) for gradient, (_, variable) in zip(gradients, pairs, strict=True)]

    @distribution.as_written
    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Any]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Any:
        """Make one step with gradients that are unscaled already, or none if they are not finite.

        Arguments and errors are those of the wrapped optimizer's ``apply_gradients``.

        Returns:
            In a graph the operation that makes the step and adjusts the scale; eagerly the number of steps made.
        """
        self._require_present_graph()
        self._warn_if_not_scaled()
        inner = self._inner
        pairs = inner._accepted(grads_and_vars)
        if not pairs:
            return tf.no_op()
        aggregate = {"experimental_aggregate_gradients": experimental_aggregate_gradients} if self._aggregates else {}
        if not isinstance(self._scale, DynamicScale):
            return inner.apply_gradients(pairs, name=name, **aggregate)
        with distribution.operation_scope(name or inner._name):
            inner._create_all_weights([variable for _, variable in pairs])
            if aggregate and experimental_aggregate_gradients:
                pairs, aggregate = inner._aggregated(pairs), {"experimental_aggregate_gradients": False}
            gradients, variables = zip(*pairs, strict=True)
            done = step_together(
                gradients,
                all_finite(gradients),
                step=lambda parts: inner.apply_gradients(list(zip(parts, variables, strict=True)), name, **aggregate),
                note=self._scale.adjust,
            )
        return inner.iterations if done is None else done

    def _warn_if_not_scaled(self) -> None:
        forgotten = sorted({"get_scaled_loss", "get_unscaled_gradients"} - self._asked)
        if forgotten and "apply_gradients" not in self._asked:
            warnings.warn(
                f"apply_gradients() of a {_OWNER} was called before {' and '.join(f'{name}()' for name in forgotten)}: "
                "multiply the loss with get_scaled_loss() and divide the gradients with get_unscaled_gradients(), or "
                "use minimize(), which does both",
                stacklevel=4,
            )
        self._asked.add("apply_gradients")

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of the wrapped optimizer, as ``to_dict()`` gives it, and the wrapper's arguments."""
        return {
            "inner_optimizer": self._inner.to_dict(),
            "dynamic": self.dynamic,
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Build a wrapper from ``get_config()``'s dictionary or that of Keras 2.9, which is not modified.

        Raises:
            InvalidConfig: No dictionary, or the wrapped optimizer cannot be rebuilt.
            UnknownHyperparameter, HyperparameterTypeError: It holds something else, or no wrapped optimizer.
        """
        require_dictionary(_OWNER, config)
        check_arguments(cls, config)
        inner = config.get("inner_optimizer")
        if isinstance(inner, Mapping):
            inner = build_optimizer(default_registry(), inner, {}, custom_objects)
        return cls(**{**config, "inner_optimizer": inner})

    def __repr__(self) -> str:
        return f"<optreg.{_OWNER} around {self._inner!r}>"


def _checked_arguments(dynamic: bool, initial_scale: Any, growth_steps: Any) -> tuple[float, int]:
    """Return initial scale and growth steps with the defaults filled in."""
    if not dynamic and growth_steps is not None:
        raise InvalidHyperparameter(
            f"{_OWNER}: dynamic_growth_steps belongs to a dynamic scale, received {growth_steps!r} with dynamic=False"
        )
    if not dynamic and initial_scale is None:
        raise InvalidHyperparameter(f"{_OWNER}: with dynamic=False initial_scale must be given; it is the scale then")
    initial = _INITIAL_SCALE if initial_scale is None else initial_scale
    growth = _GROWTH_STEPS if growth_steps is None else growth_steps
    _check_number("initial_scale", initial, numbers.Real, _SCALES)
    _check_number("dynamic_growth_steps", growth, numbers.Integral, "[1, inf)")
    return float(initial), int(growth)


def _check_number(name: str, value: Any, kind: Any, allowed: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        word = "an integer" if kind is numbers.Integral else "a number"
        raise HyperparameterTypeError(f"{_OWNER}: {name} must be {word} in {allowed}, received {describe_value(value)}")
    check_range(_OWNER, name, value, allowed)
