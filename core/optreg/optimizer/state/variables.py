"""What an optimizer keeps: iterations, slots and further variables, created when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from optreg.cards import Card
from optreg.errors import InvalidState, InvalidVariable, UnknownSlot
from optreg.optimizer import distribution
from optreg.optimizer.gradients import require_variable
from optreg.optimizer.graphs.sessions import assign_value, read_values, require_one_graph, require_resource_variables
from optreg.optimizer.hyperparameters import HyperparameterTable
from optreg.optimizer.state.dictionary import StateDictionary
from optreg.optimizer.state.partitioned import in_parts, slot_arguments
from optreg.optimizer.state.paths import as_whole, check_count, fits, numbers
from optreg.optimizer.state.slots import SlotTable, initial_value, slot_shape
from optreg.optimizer.strategies import common_strategy


class OptimizerState(StateDictionary):
    """Part of the optimizer that owns its variables."""

    card: Card
    _pipeline: Any
    _hyperparameters: HyperparameterTable
    _slot_table: SlotTable
    _weights: list[Any]
    _iterations: Any
    _known_variables: set[str]
    _distribution_strategy: Any
    _assert_valid_dtypes: Callable[[Iterable[Any]], None]

    def build(self, var_list: Any) -> None:
        """Create all state for the variables now, so that it exists before the first step.

        For an optimizer copied or unpickled without its variables, their order decides where names do not.

        Raises:
            InvalidVariable: Something in ``var_list`` is no trainable variable.
            InvalidState: State of a copied optimizer waits for other variables than these.
        """
        variables = [require_variable(variable) for variable in in_parts(var_list)]
        self._assert_valid_dtypes(variables)
        self._attach_detached(self._new_among(variables), in_order=True)
        self._create_all_weights(variables)

    def _create_all_weights(self, var_list: Sequence[Any]) -> None:
        """Create iterations, hyperparameters and the slots of variables not seen before, in this order."""
        new = self._new_among(var_list)
        if new or not tf.executing_eagerly():
            self._require_one_home(var_list, new)
        if not new and self._hyperparameters.created and self._iterations is not None:
            return
        try:
            with distribution.naming_scope(self._name), distribution.state_scope(self._distribution_strategy):
                _ = self.iterations
                self._create_hypers()
                if new:
                    self._attach_detached(new, in_order=False)
                    self._pipeline.create_slots(new)
        except ValueError as error:
            if "tf.Variables created on the first call" not in str(error):
                raise
            raise InvalidState(_created_too_late(type(self).__name__, new)) from error
        self._known_variables.update(distribution.variable_key(variable) for variable in new)

    def _new_among(self, var_list: Sequence[Any]) -> list[Any]:
        return [variable for variable in var_list if distribution.variable_key(variable) not in self._known_variables]

    def _require_one_home(self, var_list: Sequence[Any], new: Sequence[Any]) -> None:
        owner = type(self).__name__
        self._distribution_strategy = common_strategy(self._name, self._distribution_strategy, new)
        hyperparameters = [value for value in self._hyperparameters.values.values() if isinstance(value, tf.Variable)]
        state = [self._iterations] if self._iterations is not None else []
        require_resource_variables(owner, new)
        require_one_graph(owner, [*var_list, *state, *hyperparameters])

    def _create_hypers(self) -> None:
        if not self._hyperparameters.created:
            with distribution.state_scope(self._distribution_strategy):
                self._hyperparameters.create_variables()

    def add_slot(
        self, var: Any, slot_name: str, initializer: Any = "zeros", shape: Any = None, dtype: Any = None
    ) -> Any:
        """Create a slot for a variable, or return the one that exists.

        Args:
            var: The variable; the slot is placed, copied and partitioned as it is.
            slot_name: Name for ``get_slot``.
            initializer: The name of an initializer of TensorFlow, such as ``"zeros"`` or ``"glorot_uniform"``; a
                callable of (shape, dtype) or of nothing; or a number, array or tensor.
            shape: Default that of a number, array or tensor given as initializer, else the variable's.
            dtype: Default what the card declares for the slot, else the variable's.

        Raises:
            HyperparameterTypeError: An initializer that is not known, or does not have the shape given.
            WrongContext: The variable belongs to another strategy.
        """
        if distribution.parts_of(var) is not None:
            return self._add_partitioned_slot(var, slot_name, initializer, shape, dtype)
        var = require_variable(var)
        key, variable_name = distribution.variable_key(var), distribution.shared_name(var)
        slot = self._find_slot(var, slot_name)
        if slot is not None:
            if self._slot_table.settle(slot, slot_name):
                self._weights[:] = [*(weight for weight in self._weights if weight is not slot), slot]
            return slot
        shape = slot_shape(var, initializer, shape)
        dtype = tf.as_dtype(dtype) if dtype is not None else self._slot_dtype(slot_name, var.dtype)
        self._distribution_strategy = common_strategy(self._name, self._distribution_strategy, [var])
        with distribution.state_scope(self._distribution_strategy):
            slot = distribution.create_beside(
                var,
                name=f"{variable_name}/{slot_name}",
                initial_value=initial_value(initializer, shape, dtype),
                shape=shape,
                dtype=dtype,
            )
        self._slot_table.put(key, slot_name, slot, variable_name=variable_name, owner=var)
        if shape.rank == 0 and distribution.whole_of(var) is not None:
            self._track_scalar_of_part(f"{variable_name}/{slot_name}", slot)
        self._restore_slot_variable(slot_name, var, slot)
        self._weights.append(slot)
        return slot

    def _add_partitioned_slot(self, var: Any, slot_name: str, initializer: Any, shape: Any, dtype: Any) -> Any:
        arguments = zip(distribution.parts_of(var) or (), slot_arguments(var, initializer, shape), strict=True)
        slots = [self.add_slot(part, slot_name, start, shape, dtype) for part, (start, shape) in arguments]
        joined = self._slot_table.joined(var, slot_name)
        return joined if joined is not None else slots

    def _slot_dtype(self, slot_name: str, variable_dtype: Any) -> Any:
        variable_dtype = tf.as_dtype(variable_dtype).base_dtype  # a Keras 3 variable names its dtype by a string
        for slot in self.card.slots:
            if slot.name == slot_name and slot.at_least and variable_dtype.size < tf.as_dtype(slot.at_least).size:
                return tf.as_dtype(slot.at_least)
        return variable_dtype

    def get_slot(self, var: Any, slot_name: str) -> Any:
        """Return a slot of a variable.

        Raises:
            UnknownSlot: There is no such slot, or none yet for the variable; the message says which exist.
        """
        try:
            key = distribution.variable_key(var)
        except InvalidVariable as error:
            # tf.train.Checkpoint asks for the slots of every object it saves and expects a KeyError.
            raise UnknownSlot(f"get_slot() takes a variable: {error}") from None
        found = self._slot_table.find(key, slot_name)
        if found is None:
            found = self._find_slot(var, slot_name)
        return found if found is not None else self._slot_table.get(var, slot_name)

    def get_slot_names(self) -> list[str]:
        """Return the names of the slots created so far, in the order of their creation."""
        return list(self._slot_table.names)

    def add_weight(
        self,
        name: str,
        shape: Any = (),
        dtype: Any = None,
        initializer: Any = "zeros",
        trainable: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Create a variable of the optimizer's own, saved with it under ``name``.

        Args:
            name: Name in checkpoints.
            shape: Default a scalar.
            dtype: Default float32.
            initializer: As in ``add_slot``, but that the shape is not taken from it.
            trainable: Whether tapes watch it.
            **kwargs: ``synchronization`` and ``aggregation``, as for ``tf.Variable``.
        """
        dtype = tf.as_dtype(dtype or tf.float32)
        shape = tf.TensorShape(shape)
        with distribution.state_scope(self._distribution_strategy):
            variable = tf.Variable(
                initial_value(initializer, shape, dtype),
                name=name,
                shape=shape,
                dtype=dtype,
                trainable=trainable,
                **kwargs,
            )
        return self._track(name, variable)

    @property
    def iterations(self) -> Any:
        """Number of steps made, an int64 variable; created by the first use."""
        if self._iterations is None:
            with distribution.state_scope(self._distribution_strategy):
                # Not through the setter, which a class may have replaced to refuse what is assigned.
                self._count_with(distribution.create_scalar("iter", 0, tf.int64))
        return self._iterations

    @iterations.setter
    def iterations(self, variable: Any) -> None:
        variable = require_variable(variable)
        if self._iterations is not None:
            raise InvalidState(
                "iterations can be replaced only before it is first used; assign a value with iterations.assign(n)"
            )
        if not variable.dtype.is_integer or variable.shape.rank != 0:
            raise InvalidVariable(
                f"iterations must be a scalar integer variable, received {distribution.describe_value(variable)}"
            )
        self._count_with(variable)

    def _count_with(self, variable: Any) -> None:
        self._iterations = self._track("iter", variable)
        self._weights.append(variable)

    @property
    def weights(self) -> list[Any]:
        """The variables of the optimizer in the order of their creation: a step creates iterations, then slots."""
        return self._weights

    def variables(self) -> list[Any]:
        """Return ``weights``; a method, as in Keras 2.9."""
        return self._weights

    def get_weights(self) -> list[Any]:
        """Return the values of ``weights`` as NumPy arrays."""
        return read_values(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of ``weights``, all or none.

        Raises:
            InvalidState: No list of arrays of numbers; another number of them, or an array of another shape or kind of
                number, than ``weights`` has; a negative number of steps. Everything is as it was.
        """
        own = self.weights
        for weight, value in zip(own, self._fitting_values(weights, own), strict=True):
            assign_value(weight, value)

    def _fitting_values(self, given: Any, own: Sequence[Any]) -> list[Any]:
        """Return what was given to ``set_weights`` as arrays, if every weight can hold its own."""
        if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping)):
            raise InvalidState(
                "set_weights() takes a list of arrays, as get_weights() returns it; received "
                f"{distribution.describe_value(given)}"
            )
        values = [numbers(f"set_weights(): the value at position {at}", value) for at, value in enumerate(given)]
        if len(values) != len(own):
            hint = "" if own else " The optimizer has no state yet: call build(var_list) first."
            raise InvalidState(f"set_weights() received {len(values)} arrays for {len(own)} weights.{hint}")
        values = [as_whole(value, weight) for weight, value in zip(own, values, strict=True)]
        for position, (weight, value) in enumerate(zip(own, values, strict=True)):
            if not fits(value, weight):
                raise InvalidState(
                    f"set_weights() received a {value.dtype} array of shape {value.shape} at position {position} for "
                    f"weight {weight.name!r}, which holds {weight.dtype.base_dtype.name} values of shape "
                    f"{tuple(weight.shape)}; nothing was changed"
                )
            if weight is self._iterations:
                check_count(type(self).__name__, value)
        return values


def _created_too_late(owner: str, variables: Iterable[Any]) -> str:
    names = ", ".join(distribution.shared_name(variable) for variable in variables) or "the optimizer"
    return (
        f"{owner}: there is no state yet for {names}, and a tf.function creates variables in its first call only: call "
        "optimizer.build(variables) with all that it will train before that call"
    )
