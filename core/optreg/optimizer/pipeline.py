"""The joints of one step: what the user attached, in front of what the optimizer does itself.

With nothing attached every joint is the optimizer's own method, called directly. Plugins given as ``plugins=[...]``
get a pluggy manager of their own, in which the optimizer's methods are registered as the last implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pluggy

from optreg.errors import InvalidConfig, InvalidHook, listing
from optreg.hookspecs import PROJECT, StepHooks, hookimpl
from optreg.optimizer.distribution import Pair, describe_value
from optreg.optimizer.gradients import checked_pairs
from optreg.optimizer.steps import GradientStep
from optreg.registry import default_registry

Step = Callable[[Sequence[Pair]], Sequence[Pair]]
"""A function over all pairs: an aggregator or a transformer."""

Updated = tuple[Sequence[Any], Sequence[Pair]]
"""Operations that updated variables, and the pairs that are left."""


UNREGISTERED = "unregistered"
"""Key of the note that a configuration holds in place of a function or object that it cannot keep."""


class AttachedStep:
    """An aggregator or transformer as the user gave it, with what is needed to save it.

    Args:
        kind: ``"aggregator"`` or ``"transformer"``.
        given: A function over pairs, a registered name, or (name, arguments).
    """

    def __init__(self, kind: str, given: Any) -> None:
        self.kind = kind
        self.given = given
        name, arguments = _named(given)
        if name is not None:
            self.function: Step = default_registry().build(kind, name, arguments)
        elif callable(given):
            self.function = given
        else:
            raise InvalidHook(
                f"a gradient {kind} is a function over (gradient, variable) pairs, a registered name, or (name, "
                f"arguments); received {describe_value(given)}"
            )

    @property
    def _takes_step(self) -> bool:
        return isinstance(self.function, GradientStep)

    def __call__(self, pairs: Sequence[Pair], step: Any) -> Sequence[Pair]:
        """Call the function and check that it returned pairs over the same variables.

        Args:
            pairs: What it is given.
            step: Number of steps made so far, for a ``GradientStep``.
        """
        function: Callable[..., Any] = self.function
        result = function(pairs, step) if self._takes_step else function(pairs)
        return checked_pairs(result, pairs, source=f"gradient {self.kind} {self.label!r}")

    @property
    def label(self) -> str:
        """The registered name, or the name of the function."""
        return _named(self.given)[0] or str(getattr(self.given, "__qualname__", type(self.given).__name__))

    def serialize(self) -> Any:
        """Return what ``get_config`` keeps: the name, [name, arguments], or a note that a function cannot be kept."""
        name, arguments = _named(self.given)
        if name is None:
            return {UNREGISTERED: self.label}
        return [name, dict(arguments)] if arguments else name


def listed(option: str, given: Any) -> tuple[Any, ...]:
    """Return what was given for an option that takes several.

    Raises:
        InvalidHook: No list, or one that is a single entry: a name, or (name, arguments).
    """
    if isinstance(given, Iterable) and not isinstance(given, Mapping) and _named(given)[0] is None:
        return tuple(given)
    raise InvalidHook(f"{option} takes a list, received {describe_value(given)}: put what it shall hold into a list")


def check_saved_steps(owner: str, config: Mapping[str, Any]) -> None:
    """Refuse a configuration in which a function or plugin stands that could not be saved.

    Raises:
        InvalidConfig: Naming the function and what to do.
    """
    for key in ("gradient_aggregator", "gradient_transformers", "plugins"):
        value = config.get(key)
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, Mapping) and UNREGISTERED in item:
                raise InvalidConfig(
                    f"{owner}: the configuration was saved with {item[UNREGISTERED]!r} among {key}, which cannot be "
                    f"saved: pass {key}=... again; transformers and aggregators can be registered and given by name"
                )


class DirectPipeline:
    """The optimizer's own methods, for the usual case that no plugin is attached."""

    def __init__(self, optimizer: Any) -> None:
        self.create_slots = optimizer._create_slots
        self.aggregate = optimizer._aggregate_gradients
        self.transform = optimizer._transform_gradients
        self.apply_dense = optimizer._apply_dense
        self.apply_sparse = optimizer._apply_sparse

    def offer_updates(self, apply_state: Any) -> None:
        """Return None: every pair goes to ``apply_dense`` or ``apply_sparse``."""


def pipeline_of(optimizer: Any, plugins: Sequence[Any]) -> DirectPipeline | PluginPipeline:
    """Return the joints of an optimizer: its own methods, with plugins in front where there are any."""
    return PluginPipeline(optimizer, plugins) if plugins else DirectPipeline(optimizer)


class PluginPipeline:
    """The joints as pluggy hooks, with the plugins of one optimizer in front of its own methods.

    Args:
        optimizer: The optimizer whose methods come last.
        plugins: Objects with functions marked ``optreg.hookimpl``.

    Raises:
        InvalidHook: A plugin has no hook, or one that is unknown or takes unknown arguments.
    """

    def __init__(self, optimizer: Any, plugins: Iterable[Any]) -> None:
        self._optimizer = optimizer
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(StepHooks)
        self._manager.register(_OwnMethods(), name="optimizer")
        for plugin in reversed(list(plugins)):
            # pluggy calls the last registered first; users expect the order of their list.
            self._register(plugin)
        self._chains = {name: self._chain_of(name) for name in ("transform_gradients", "apply_updates")}

    def _register(self, plugin: Any) -> None:
        try:
            name = self._manager.register(plugin)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError, TypeError) as error:
            raise InvalidHook(f"plugin {plugin!r} cannot be attached: {error}") from error
        if not self._manager.get_hookcallers(plugin):
            raise InvalidHook(
                f"plugin {name!r} implements no hook: mark its functions with @optreg.hookimpl; the hooks are "
                f"{listing(hook for hook in vars(StepHooks) if not hook.startswith('_'))}"
            )

    def create_slots(self, var_list: Sequence[Any]) -> None:
        """Let every plugin create its slots, then the optimizer."""
        self._manager.hook.create_slots(optimizer=self._optimizer, var_list=var_list)

    def aggregate(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Return the first result that is not None."""
        result = self._manager.hook.aggregate_gradients(optimizer=self._optimizer, grads_and_vars=pairs)
        return checked_pairs(result, pairs, source="hook aggregate_gradients")

    def transform(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Pass the pairs through every implementation in order, the optimizer's own last."""

        def chain(implementations: Sequence[Callable[..., Any]]) -> Sequence[Pair]:
            current = pairs
            for implementation in implementations:
                result = implementation(optimizer=self._optimizer, grads_and_vars=current)
                if result is not None:
                    current = checked_pairs(result, current, source=f"hook {implementation.__qualname__}")
            return current

        return self._chained("transform_gradients", chain, grads_and_vars=pairs)  # type: ignore[no-any-return]

    def offer_updates(self, apply_state: Any) -> Callable[[Sequence[Pair]], Updated] | None:
        """Return a function from all pairs to (operations, pairs that nobody took); None if no plugin wants them."""
        functions, _ = self._chains["apply_updates"]
        return (lambda pairs: self._apply_updates(pairs, apply_state)) if functions else None

    def _apply_updates(self, pairs: Sequence[Pair], apply_state: Any) -> Updated:
        """Offer the pairs to each implementation in order, but for variables with a constraint, which follows later."""
        free = [pair for pair in pairs if self._optimizer._constraint_of(pair[1]) is None]
        bound = [pair for pair in pairs if self._optimizer._constraint_of(pair[1]) is not None]

        def chain(implementations: Sequence[Callable[..., Any]]) -> Updated:
            operations: list[Any] = []
            rest: Sequence[Pair] = free
            for implementation in implementations:
                result = implementation(optimizer=self._optimizer, grads_and_vars=rest, apply_state=apply_state)
                if result is not None:
                    done, rest = result
                    operations.extend(done)
            return operations, [*rest, *bound]

        return self._chained(  # type: ignore[no-any-return]
            "apply_updates", chain, grads_and_vars=free, apply_state=apply_state
        )

    def apply_dense(self, grad: Any, var: Any, apply_state: Any) -> Any:
        """Update one variable by the first implementation that does."""
        return self._manager.hook.apply_dense(optimizer=self._optimizer, grad=grad, var=var, apply_state=apply_state)

    def apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any) -> Any:
        """Update rows of one variable by the first implementation that does."""
        return self._manager.hook.apply_sparse(
            optimizer=self._optimizer, grad=grad, var=var, indices=indices, apply_state=apply_state
        )

    def _chained(self, name: str, chain: Callable[[Sequence[Callable[..., Any]]], Any], **arguments: Any) -> Any:
        """Run ``chain`` over the implementations of a hook, inside the wrappers of that hook.

        pluggy calls every implementation with the same arguments, so the chain itself is handed to it as the one
        implementation, beside the wrappers.
        """
        functions, wrapped = self._chains[name]
        return wrapped.call_extra([lambda: chain(functions)], {"optimizer": self._optimizer, **arguments})

    def _chain_of(self, name: str) -> tuple[list[Callable[..., Any]], Any]:
        hook = getattr(self._manager.hook, name)
        plain = [found for found in reversed(hook.get_hookimpls()) if not (found.wrapper or found.hookwrapper)]
        wrappers_only = self._manager.subset_hook_caller(name, [found.plugin for found in plain])
        return [_with_known_arguments(found) for found in plain], wrappers_only


def _with_known_arguments(implementation: Any) -> Callable[..., Any]:
    """Return the function of a hook implementation, called with those arguments only that it asks for."""

    def call(**arguments: Any) -> Any:
        return implementation.function(*[arguments[name] for name in implementation.argnames])

    call.__qualname__ = getattr(implementation.function, "__qualname__", str(implementation.function))
    return call


class _OwnMethods:
    """The methods of the optimizer itself, as the last implementation of each hook."""

    @hookimpl(trylast=True)
    def create_slots(self, optimizer: Any, var_list: Sequence[Any]) -> None:
        optimizer._create_slots(var_list)

    @hookimpl(trylast=True)
    def aggregate_gradients(self, optimizer: Any, grads_and_vars: Sequence[Pair]) -> Sequence[Pair]:
        result: Sequence[Pair] = optimizer._aggregate_gradients(grads_and_vars)
        return result

    @hookimpl(trylast=True)
    def transform_gradients(self, optimizer: Any, grads_and_vars: Sequence[Pair]) -> Sequence[Pair]:
        result: Sequence[Pair] = optimizer._transform_gradients(grads_and_vars)
        return result

    @hookimpl(trylast=True)
    def apply_dense(self, optimizer: Any, grad: Any, var: Any, apply_state: Any) -> Any:
        return _done(optimizer._apply_dense(grad, var, apply_state))

    @hookimpl(trylast=True)
    def apply_sparse(self, optimizer: Any, grad: Any, var: Any, indices: Any, apply_state: Any) -> Any:
        return _done(optimizer._apply_sparse(grad, var, indices, apply_state))


def _done(operation: Any) -> Any:
    """Return the operation, or True where an eager kernel returned nothing: None would mean "not updated"."""
    return True if operation is None else operation


def _named(given: Any) -> tuple[str | None, Mapping[str, Any]]:
    """Return (name, arguments) of a registered step, or (None, {}) for anything else."""
    if isinstance(given, str):
        return given, {}
    match given:
        case (str() as name, Mapping() as arguments):
            return name, arguments
    return None, {}
