"""What the author of an optimizer calls and overrides, under the names of Keras 2.9.

A class written against ``tf.keras.optimizers.legacy.Optimizer`` finds here every protected method it used. Methods that
a subclass overrides say so in their first line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from optreg.cards import Card
from optreg.errors import IncompleteOptimizer, InvalidHyperparameter
from optreg.optimizer.distribution import Pair, devices_of, sum_across_replicas
from optreg.optimizer.gradients import check_dtypes, sum_repeated_rows
from optreg.optimizer.hyperparameters import HyperparameterTable, is_on, is_schedule

if TYPE_CHECKING:
    from optreg.optimizer.pipeline import AttachedStep

ApplyState = dict[tuple[str, Any], dict[str, Any]]
"""(device, dtype) -> coefficients of one step, prepared once and shared by all variables there."""


class AuthorMethods:
    """Protected methods of the contract: hyperparameters, preparation of a step, and the update of one variable."""

    card: Card
    _aggregator_step: AttachedStep | None
    _checkpoint_names: ClassVar[Mapping[str, str]] = {}
    """Override: the names in checkpoints of hyperparameters that have another one there."""
    _create_hypers: Callable[[], None]
    _hyperparameters: HyperparameterTable
    _initial_decay: float
    iterations: Any
    _name: str
    _known_variables: set[str]
    _renamed: Mapping[str, Any] = {}
    """Hyperparameters given by an old name, until the constructor sets them by the present one."""
    _stepped_in_graph = False
    _switched_on: set[str]
    _use_locking = True

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Override: create the state of new variables with ``add_slot``."""

    def _set_hyper(self, name: str, value: Any) -> None:
        """Set a hyperparameter: a number, tensor, variable, callable without arguments or schedule.

        One for which the card declares a slot (``Slot(when=name)``) brings the slot when it stops being zero.

        Raises:
            HyperparameterTypeError, InvalidHyperparameter: Of the wrong kind, or outside the declared range.
            InvalidHyperparameter: It would need a slot that a step traced already does not have; or it is a tensor of a
                ``tf.function``, and the hyperparameter a schedule or callable, which has no variable to assign it to.
        """
        if name in self._renamed:
            value = self._renamed[name]
            self._renamed = {}
        value = self._hyperparameters.checked(name, value)
        brings_slots = any(slot.when == name for slot in self.card.slots)
        switched_on = brings_slots and not self._is_switched_on(name) and is_on(value)
        if switched_on:
            self._switch_on(name)
        if tf.is_symbolic_tensor(value) and tf.inside_function():
            self._give_variable(name)
        self._hyperparameters.store(name, value)

    def _give_variable(self, name: str) -> None:
        """Create the variable to which a tensor of a ``tf.function`` is assigned, because it does not outlive that."""
        present = self._hyperparameters.values.get(name)
        if callable(present) and not isinstance(present, tf.Variable):
            raise InvalidHyperparameter(
                f"{type(self).__name__}: {name} is {present!r}, and a tensor of a tf.function cannot take its place, "
                "because it is gone when the function returns: assign a number or a tf.Variable outside of the function"
            )
        if present is not None:
            self._create_hypers()

    def _switch_on(self, name: str) -> None:
        """Let the next step ask for the slots that a hyperparameter brings, of every variable again."""
        if self._stepped_in_graph:
            raise InvalidHyperparameter(
                f"{type(self).__name__}: {name} cannot be switched on once a tf.function has traced the step without "
                f"it: build the optimizer with the {name}"
            )
        self._switched_on.add(name)
        self._known_variables.clear()

    def _is_switched_on(self, name: str) -> bool:
        """Whether a hyperparameter for which the card declares a slot has ever been other than zero."""
        return name in self._switched_on

    def _get_hyper(self, name: str, dtype: Any = None) -> Any:
        """Return the present value of a hyperparameter, cast to ``dtype`` if given.

        A schedule is returned as it is if it is that of the learning rate or no ``dtype`` is given, as in Keras 2.9;
        else its value at this step.

        Raises:
            HyperparameterTypeError: A callable or schedule returned no number.
        """
        if not self._hyperparameters.created:
            self._create_hypers()
        value = self._hyperparameters.read(name, dtype)
        if dtype is not None and name != "learning_rate" and callable(value):
            return self._scheduled(name, dtype)
        return value

    def _scheduled(self, name: str, dtype: Any) -> Any:
        """Return the value of a schedule at this step; 16 bits could not count the steps."""
        step = tf.cast(self.iterations, arithmetic_dtype(dtype))
        return tf.cast(self._hyperparameters.scheduled(name, step), dtype)

    def _serialize_hyperparameter(self, hyperparameter_name: str) -> Any:
        """Return a JSON-clean value of a hyperparameter, for ``get_config``."""
        return self._hyperparameters.serialize(hyperparameter_name)

    def _call_if_callable(self, param: Any) -> Any:
        """Return ``param()`` for a callable, else ``param``."""
        return param() if callable(param) else param

    def _decayed_lr(self, var_dtype: Any) -> Any:
        """Return the learning rate of this step: schedule evaluated, then ``lr / (1 + decay * iterations)``.

        Computed in at least float32, because bfloat16 cannot count past 256, and cast last.
        """
        dtype = arithmetic_dtype(var_dtype)
        rate = self._get_hyper("learning_rate", dtype)
        if is_schedule(rate):
            rate = self._scheduled("learning_rate", dtype)
        if "decay" in self._hyperparameters.values:
            decay = self._get_hyper("decay", dtype)
        elif self._initial_decay > 0.0:
            decay = tf.constant(self._initial_decay, dtype)
        else:
            return tf.cast(rate, var_dtype)
        steps = tf.cast(self.iterations, dtype)
        return tf.cast(rate / (1.0 + decay * steps), var_dtype)

    def _prepare(self, var_list: Sequence[Any]) -> ApplyState:
        """Return the coefficients of this step for each device and dtype among the variables."""
        places = dict.fromkeys((device, v.dtype.base_dtype) for v in var_list for device in devices_of(v))
        apply_state: ApplyState = {}
        for device, dtype in places:
            apply_state[(device, dtype)] = {}
            with tf.device(device):
                self._prepare_local(device, dtype, apply_state)
        return apply_state

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: ApplyState) -> None:
        """Override and extend: put coefficients for one device and dtype into ``apply_state[(device, dtype)]``."""
        if "learning_rate" in self._hyperparameters.values:
            apply_state[(var_device, var_dtype)]["lr_t"] = tf.identity(self._decayed_lr(var_dtype))

    def _fallback_apply_state(self, var_device: str, var_dtype: Any) -> dict[str, Any]:
        """Return the coefficients for one place, where an apply method was called without them."""
        apply_state: ApplyState = {(var_device, var_dtype): {}}
        self._prepare_local(var_device, var_dtype, apply_state)
        return apply_state[(var_device, var_dtype)]

    def _coefficients(self, var: Any, apply_state: ApplyState | None) -> dict[str, Any]:
        """Return the coefficients of this step for the place where ``var`` lives."""
        device, dtype = var.device, var.dtype.base_dtype
        return (apply_state or {}).get((device, dtype)) or self._fallback_apply_state(device, dtype)

    def _finish_step(self) -> Any:
        """Override: update state that belongs to no variable, once a step; return the operation.

        Called after all variables are updated and before the step is counted.
        """
        return None

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: ApplyState | None = None) -> Any:
        """Override: update ``var`` from a dense gradient of its shape; return the operation."""
        raise IncompleteOptimizer(missing_method(self, "_resource_apply_dense", "a dense gradient"))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState | None = None) -> Any:
        """Override: update rows of ``var``; ``grad[i]`` belongs to row ``indices[i]``, each row at most once."""
        raise IncompleteOptimizer(
            missing_method(self, "_resource_apply_sparse", "a sparse gradient (tf.IndexedSlices)")
        )

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, var: Any, indices: Any, **kwargs: Any) -> Any:
        """Override where repeated indices do no harm; by default their rows are summed first."""
        grad, indices = sum_repeated_rows(grad, indices)
        return self._resource_apply_sparse(grad, var, indices, **kwargs)

    def _resource_scatter_add(self, x: Any, i: Any, v: Any) -> Any:
        """Add rows ``v`` to rows ``i`` of variable ``x`` and return the new value of ``x``."""
        with tf.control_dependencies([self._add_rows(x, i, v)]):
            return x.value()

    def _resource_scatter_update(self, x: Any, i: Any, v: Any) -> Any:
        """Replace rows ``i`` of variable ``x`` by ``v`` and return the new value of ``x``."""
        with tf.control_dependencies([self._replace_rows(x, i, v)]):
            return x.value()

    def _transform_loss(self, loss: Any) -> Any:
        """Override to change the loss before gradients are taken, as loss scaling does."""
        return loss

    def _get_gradients(self, tape: Any, loss: Any, var_list: Sequence[Any], grad_loss: Any = None) -> list[Pair]:
        """Override to change how gradients come from the tape."""
        return list(zip(tape.gradient(loss, var_list, grad_loss), var_list, strict=True))

    def _transform_unaggregated_gradients(self, grads_and_vars: Sequence[Pair]) -> Sequence[Pair]:
        """Override to change each replica's gradients before they are summed."""
        return grads_and_vars

    def _aggregate_gradients(self, grads_and_vars: Sequence[Pair]) -> Sequence[Pair]:
        """Override to combine gradients across replicas yourself; by default the user's aggregator, else the sum."""
        aggregator = self._aggregator_step
        if aggregator is None:
            return sum_across_replicas(grads_and_vars)
        return aggregator(grads_and_vars, self.iterations)

    def _add_rows(self, var: Any, indices: Any, rows: Any) -> Any:
        """Add rows to a variable without reading it, and return the operation.

        Reading, as ``_resource_scatter_add`` does, copies the whole table once its rows have been gathered.
        """
        return tf.raw_ops.ResourceScatterAdd(resource=var.handle, indices=indices, updates=rows)

    def _replace_rows(self, var: Any, indices: Any, rows: Any) -> Any:
        """Replace rows of a variable without reading it, and return the operation."""
        return tf.raw_ops.ResourceScatterUpdate(resource=var.handle, indices=indices, updates=rows)

    def _scale_all_rows(self, var: Any, factor: Any) -> Any:
        """Multiply a variable by a scalar of its dtype in place and return the operation.

        ``var.assign(factor * var)`` copies a table three times once its rows have been gathered.
        """
        return tf.raw_ops.ResourceScatterMul(resource=var.handle, indices=tf.range(_row_count(var)), updates=factor)

    def _made_dense(self, grad: Any, var: Any, indices: Any) -> Any:
        """Return a sparse gradient of ``var`` as a dense one: ``grad[i]`` in row ``indices[i]``, zeros elsewhere."""
        # A sum over segments would drop rows below 0 in silence. XLA fails on tf.expand_dims here if there is one row.
        shape = tf.raw_ops.VariableShape(input=var.handle, out_type=indices.dtype)
        if var.shape.num_elements() == 0:
            return tf.zeros(shape, grad.dtype)  # which tf.scatter_nd refuses to fill
        return tf.scatter_nd(indices[:, tf.newaxis], grad, shape)

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        """Refuse variables of a dtype that ``_valid_dtypes`` does not hold."""
        check_dtypes(self._name, tensors, self._valid_dtypes())

    def _valid_dtypes(self) -> Iterable[Any]:
        """Override: the dtypes of variables that can be trained. By default those of the card, else all floats."""
        card = self.card.given({flag: getattr(self, flag, False) for flag in self.card.without})
        names = card.dtypes or ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
        return {tf.as_dtype(name) for name in names}


def _row_count(variable: Any) -> Any:
    # tf.shape(variable) would read it eagerly.
    return tf.raw_ops.VariableShape(input=variable.handle)[0]


def arithmetic_dtype(dtype: Any) -> Any:
    """Return the dtype for scalar arithmetic: float32 for 16-bit variables, the real part's for complex ones.

    In bfloat16, 0.999 is 1.0 and 1 - 0.999 is 0: coefficients are computed wide and cast last.
    """
    dtype = tf.as_dtype(dtype)
    return tf.float64 if dtype in {tf.float64, tf.complex128} else tf.float32


def update_dtype(dtype: Any) -> Any:
    """Return the dtype in which to update a variable: its own, or float32 for 16 bits, rounded once at the end."""
    dtype = tf.as_dtype(dtype)
    return dtype if dtype.is_complex else arithmetic_dtype(dtype)


def takes_apply_state(method: Any) -> bool:
    """Whether an apply method has the argument ``apply_state``, which classes from before Keras 2.3 lack."""
    parameters = inspect.signature(method).parameters
    return "apply_state" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def missing_method(optimizer: Any, method: str, reason: str) -> str:
    """Return the sentence that tells an author which method a class lacks."""
    return (
        f"{type(optimizer).__name__} received {reason} but does not implement {method}: "
        f"override {method}(self, grad, var, ...) in the class"
    )
