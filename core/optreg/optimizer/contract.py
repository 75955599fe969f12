"""The optimizer contract: ``Optimizer``, the class that every optimizer derives from."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from optreg.cards import Card
from optreg.errors import IncompleteOptimizer, InvalidGradients
from optreg.optimizer import distribution
from optreg.optimizer.authoring import ApplyState, AuthorMethods, missing_method, takes_apply_state
from optreg.optimizer.clipping import CLIP_NAMES, clip, clip_thresholds
from optreg.optimizer.coefficients import Coefficients
from optreg.optimizer.completeness import require_update_method, takes_sparse_gradients
from optreg.optimizer.config import Configurable, check_options
from optreg.optimizer.construction import OptimizerType, way_into_keras
from optreg.optimizer.distribution import Pair
from optreg.optimizer.gradients import drop_missing, fitting, paired, record_loss
from optreg.optimizer.graphs.graph_mode import GraphModeMethods
from optreg.optimizer.hyperparameters import HyperparameterTable, initial_decay
from optreg.optimizer.internals import KerasInternals
from optreg.optimizer.pipeline import AttachedStep, listed, pipeline_of
from optreg.optimizer.state.slots import SlotTable
from optreg.optimizer.state.variables import OptimizerState
from optreg.optimizer.strategies import require_replica_context


class Optimizer(AuthorMethods, GraphModeMethods, OptimizerState, KerasInternals, Configurable, metaclass=OptimizerType):
    """Base of all optimizers: the contract of ``tf.keras.optimizers.legacy.Optimizer`` of Keras 2.9.

    A subclass sets its hyperparameters with ``_set_hyper`` in the constructor, creates its state in ``_create_slots``
    and updates one variable in ``_resource_apply_dense`` and ``_resource_apply_sparse``. One step does, in this order:
    drop missing gradients, create state, prepare coefficients, sum gradients over replicas, clip, run the transformers,
    update each variable and apply its constraint, and count the iteration. Everything that can be refused is refused
    before the first variable changes.

    A NaN or infinite gradient is applied as it is: the variable and its slots become NaN.
    Calls on one optimizer from several threads need a lock around them; optimizers in different threads are
    independent.

    Args:
        name: Name of the optimizer, used in messages and scopes.
        gradient_aggregator: How replicas' gradients are combined: a function from and to a list of (gradient, variable)
            pairs, a registered name, or (name, arguments). Default: their sum.
        gradient_transformers: Sequence of such functions or names, run in order after the aggregation.
        **kwargs: ``clipvalue``, ``clipnorm``, ``global_clipnorm`` (thresholds, at least 0); ``decay`` (inverse time
            decay of the learning rate, ``lr / (1 + decay * iterations)``); ``lr`` (deprecated name of
            ``learning_rate``); ``plugins`` (objects with functions marked ``optreg.hookimpl``).

    Raises:
        UnknownHyperparameter: Any other keyword.
        InvalidHook: Transformers, aggregator or plugins that are none, or no list where one is needed.
        IncompleteOptimizer: The class can update nothing.
    """

    card = Card()
    _FOR_KERAS = "{}"
    """What of an optimizer goes into ``optreg.keras.wrap``, for messages."""
    _HAS_AGGREGATE_GRAD = True
    _constructed = False

    def __init__(
        self,
        name: str,
        gradient_aggregator: Any = None,
        gradient_transformers: Iterable[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        require_update_method(type(self))
        check_options(type(self), kwargs)
        if "lr" in kwargs:
            warnings.warn("the argument lr is deprecated, use learning_rate", stacklevel=4)
            self._renamed = {"learning_rate": kwargs["lr"]}
        self._name = str(name)
        self._distribution_strategy = distribution.present_strategy()
        self._hyperparameters = HyperparameterTable(
            type(self).__name__,
            self.card.ranges,
            create=self._create_hyperparameter,
            track=self._track_hyperparameter,
            forget=self._forget_hyperparameter,
        )
        self._slot_table = SlotTable()
        self._deferred_slot_restorations: dict[str, dict[str, list[Any]]] = {}
        self._constraints: dict[str, Any] = {}
        self._weights: list[Any] = []
        self._iterations: Any = None
        self._known_variables: set[str] = set()
        self._switched_on: set[str] = set()
        self._initial_decay = initial_decay(type(self).__name__, kwargs.get("decay"))
        self._clip = clip_thresholds(type(self).__name__, {name: kwargs.get(name) for name in CLIP_NAMES})
        self._transformers: list[AttachedStep] = []
        self.gradient_transformers = gradient_transformers or ()
        self.gradient_aggregator = gradient_aggregator
        self._dense_takes_state = takes_apply_state(self._resource_apply_dense)
        self._sparse_takes_state = takes_apply_state(self._resource_apply_sparse)
        self._plugins = listed("plugins", kwargs.get("plugins") or ())
        self._pipeline = pipeline_of(self, self._plugins)

    def minimize(
        self, loss: Any, var_list: Any, grad_loss: Any = None, name: str | None = None, tape: Any = None
    ) -> Any:
        """Compute the gradients of ``loss`` and apply them.

        Args:
            loss: A function without arguments, or a tensor together with the ``tape`` that recorded it; in a graph
                a tensor needs no tape.
            var_list: Variables to update, nested as you like, or a function that returns them; it is called after the
                loss, so that variables created by the first call of the loss are found.
            grad_loss: Gradient that flows into ``loss``; default ones.
            name: Scope of the operations in a graph.
            tape: The ``tf.GradientTape`` that recorded a tensor loss.

        Returns:
            What ``apply_gradients`` returns.

        Raises:
            InvalidGradients: A loss that is no tensor, or an eager one without tape; no variables; no gradient for any
                variable.
            InvalidVariable: Something in ``var_list`` is no floating-point variable.
        """
        return self.apply_gradients(self._compute_gradients(loss, var_list, grad_loss=grad_loss, tape=tape), name=name)

    def _compute_gradients(self, loss: Any, var_list: Any, grad_loss: Any = None, tape: Any = None) -> list[Pair]:
        loss, tape, variables = record_loss(loss, var_list, tape)
        with tape:
            loss = self._transform_loss(loss)
        with tf.name_scope(f"{self._name}/gradients"):
            pairs = self._get_gradients(tape, loss, variables, grad_loss)
        self._assert_valid_dtypes(variable for gradient, variable in pairs if gradient is not None)
        return pairs

    @distribution.as_written
    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Any]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Any:
        """Make one step.

        Args:
            grads_and_vars: Pairs of a gradient (``tf.Tensor`` or ``tf.IndexedSlices`` of the variable's shape and
                dtype, or None) and a variable; any iterable.
            name: Scope of the operations in a graph; default the optimizer's name.
            experimental_aggregate_gradients: False if the gradients are summed over replicas already.

        Returns:
            In a graph the operation that makes the step; eagerly the number of steps made. For no pairs a no-op.

        Raises:
            InvalidGradients: Malformed pairs; no gradient for any variable; wrong shape or dtype; indices that are no
                rows.
            InvalidVariable: Not a variable, or of a dtype that cannot be trained.
            WrongContext: Under a strategy but outside ``strategy.run``.
            IncompleteOptimizer: A sparse gradient, and the class has no sparse method.
        """
        pairs = self._accepted(grads_and_vars)
        if not pairs:
            return tf.no_op()
        variables = [variable for _, variable in pairs]
        self._stepped_in_graph |= not tf.executing_eagerly()
        with distribution.operation_scope(name or self._name):
            self._create_all_weights(variables)
            apply_state = self._prepare(variables)
            if experimental_aggregate_gradients:
                pairs = self._aggregated(pairs)
            pairs = list(self._pipeline.transform(pairs))
            if type(self)._distributed_apply is not KerasInternals._distributed_apply:
                return self._apply_by_override(pairs, apply_state, name)
            return distribution.update_every_copy(pairs, self._joint_updates(apply_state))

    def _accepted(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> list[Pair]:
        """Return the pairs that have a gradient; whatever can be refused is refused here, before anything changes."""
        pairs, constraints = paired(grads_and_vars)
        self._constraints.update(constraints)
        if not pairs:
            return pairs
        pairs = fitting(drop_missing(pairs))
        variables = [variable for _, variable in pairs]
        self._assert_valid_dtypes(variables)
        self._require_applicable(pairs)
        require_replica_context(self._name, self._distribution_strategy, variables)
        return pairs

    def _aggregated(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Return the pairs with every gradient combined over replicas."""
        return list(self._pipeline.aggregate(list(self._transform_unaggregated_gradients(pairs))))

    def _transform_gradients(self, grads_and_vars: Sequence[Pair]) -> Sequence[Pair]:
        """Override to change the gradients of a step; by default clip, then run the transformers in order."""
        pairs = clip(grads_and_vars, **self._clip)
        for transformer in self._transformers:
            pairs = transformer(pairs, self.iterations)
        return pairs

    def _apply_by_override(self, pairs: Sequence[Pair], apply_state: ApplyState, name: str | None) -> Any:
        """Let the class's own ``_distributed_apply`` apply the pairs, where the replicas meet."""
        overridden = functools.partial(self._distributed_apply, apply_state=apply_state)
        return tf.distribute.get_replica_context().merge_call(overridden, args=(list(pairs),), kwargs={"name": name})

    def _joint_updates(self, apply_state: ApplyState) -> distribution.Updates:
        """Return how one step is applied."""

        def update(gradient: Any, variable: Any) -> Any:
            if isinstance(gradient, tf.IndexedSlices):
                return self._pipeline.apply_sparse(gradient.values, variable, gradient.indices, apply_state)
            return self._constrained(variable, self._pipeline.apply_dense(gradient, variable, apply_state))

        return distribution.Updates(
            self._pipeline.offer_updates(apply_state), update, functools.partial(self._count_step, apply_state)
        )

    def _apply_dense(self, grad: Any, var: Any, apply_state: ApplyState) -> Any:
        """Update one variable by the class's own method."""
        arguments = {"apply_state": apply_state} if self._dense_takes_state else {}
        return self._resource_apply_dense(grad, var, **arguments)

    def _constrained(self, variable: Any, operation: Any) -> Any:
        """Apply the variable's constraint, if it has one, after the operation that updated it."""
        constraint = self._constraint_of(variable)
        if constraint is None:
            return operation
        with tf.control_dependencies(distribution.graph_operations([operation])):
            return variable.assign(constraint(variable))

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: ApplyState) -> Any:
        """Update rows of one variable by the class's own method."""
        arguments = {"apply_state": apply_state} if self._sparse_takes_state else {}
        return self._resource_apply_sparse_duplicate_indices(grad, var, indices, **arguments)

    def _count_step(self, apply_state: ApplyState, operations: Sequence[Any]) -> Any:
        operations = distribution.graph_operations(operations)
        # Coefficients of an optimizer that this one is around say that its step ends here, too. There is no apply_state
        # where an old class overrides _prepare and returns nothing.
        finish = [self._finish_step]
        for state in (apply_state or {}).values():
            if isinstance(state, Coefficients) and state.finish is not None and state.finish not in finish:
                finish.append(state.finish)
        if not operations and tf.executing_eagerly():
            for one in finish:
                one()
            return self.iterations.assign_add(1)
        with tf.control_dependencies(operations):
            finished = distribution.graph_operations([one() for one in finish])
        with tf.control_dependencies([*operations, *finished]):
            return self.iterations.assign_add(1, read_value=False)

    def _constraint_of(self, variable: Any) -> Any | None:
        constraint = getattr(variable, "constraint", None)
        if constraint is None and self._constraints:
            constraint = self._constraints.get(distribution.variable_key(variable))
        return constraint

    def _require_applicable(self, pairs: Sequence[Pair]) -> None:
        """Refuse what a method of the class would refuse in the middle of the step."""
        for gradient, variable in pairs:
            if isinstance(gradient, tf.IndexedSlices):
                if self._constraint_of(variable) is not None:
                    raise InvalidGradients(
                        f"variable {distribution.shared_name(variable)!r} has a constraint and a sparse gradient; a "
                        "constraint needs the whole variable. Remove it, or densify with tf.convert_to_tensor(gradient)"
                    )
                if not takes_sparse_gradients(type(self)):
                    raise IncompleteOptimizer(
                        missing_method(self, "_resource_apply_sparse", "a sparse gradient (tf.IndexedSlices)")
                    )

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self._name!r}>"

    def __str__(self) -> str:
        # Keras refuses what is no optimizer of its own with a message that shows this text and nothing else of ours.
        return f"{self!r} ({way_into_keras(self._FOR_KERAS.format('optimizer'))})"
