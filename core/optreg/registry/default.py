"""The functions of ``optreg`` that act on the registry of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from optreg.discovery.entries import Entry
from optreg.registry import default_registry

if TYPE_CHECKING:
    from optreg.optimizer.contract import Optimizer

Registered = TypeVar("Registered", bound=Callable[..., Any])


def get_optimizer(optimizer: Any, /, **hyperparameters: Any) -> Optimizer:
    """Return an optimizer.

    Args:
        optimizer: One of

            - a name, in any case: ``"adam"``, ``"optreg/adam"``, an alias;
            - ``"module:Class"``, which is imported;
            - a configuration: from ``to_dict()`` or ``get_config()``, or one that Keras wrote. It is not modified;
            - a class that derives from ``optreg.Optimizer``;
            - an instance, which is returned as it is.
        hyperparameters: Given to the constructor; beside a configuration they win over its values.

    Raises:
        UnknownOptimizer: Nothing installed answers to the name; the message suggests the nearest.
        AmbiguousOptimizer: Several plugins offer the name; the message lists them.
        UnusableOptimizer: The plugin is broken, disabled or incompatible; its own error is the ``__cause__``.
        UnknownHyperparameter: The optimizer has no such hyperparameter; the message suggests the nearest.
        InvalidConfig: The configuration cannot be read, or an instance came with hyperparameters.
        NotAnOptimizer: The argument is none of the above.
    """
    return default_registry().get_optimizer(optimizer, **hyperparameters)


def list_optimizers(
    *patterns: str,
    exclude: str | Sequence[str] = (),
    distribution: str | None = None,
    state: str | None = None,
    capability: str | None = None,
) -> list[str]:
    """Return the names of the installed optimizers, sorted. Nothing of them is imported.

    Args:
        patterns: Wildcards such as ``"ada*"``; without any, all are listed.
        exclude: Wildcards of what to leave out.
        distribution: Wildcard for the distribution they come from.
        state: Such as ``"ready"`` or ``"broken"``; by default every state is listed.
        capability: Such as ``"sparse"``, ``"xla"``, ``"complex"`` or ``"bfloat16"``.

    Raises:
        InvalidFilter: The state or capability is a word that means nothing.
    """
    return default_registry().list_optimizers(
        *patterns, exclude=exclude, distribution=distribution, state=state, capability=capability
    )


def optimizer_info(name: str) -> Entry:
    """Return what is known of an optimizer: state, card, provenance. Nothing of it is imported.

    Raises:
        UnknownOptimizer: Nothing installed answers to the name.
        AmbiguousOptimizer: Several plugins offer it.
    """
    return default_registry().optimizer_info(name)


@overload
def register(name: str, cls: Registered, *, kind: str = ..., replace: bool = ...) -> Registered: ...
@overload
def register(
    name: str, cls: None = ..., *, kind: str = ..., replace: bool = ...
) -> Callable[[Registered], Registered]: ...
def register(name: str, cls: Any = None, *, kind: str = "optimizer", replace: bool = False) -> Any:
    """Give an optimizer class a name in this process. Also a decorator, for notebooks.

    ::

        @optreg.register("lynx")
        class Lynx(optreg.Optimizer): ...

    Args:
        name: Registered name.
        cls: The class; left out when used as a decorator.
        kind: ``"optimizer"``, ``"transformer"`` or ``"aggregator"``.
        replace: Take the name even if it belongs to something else.

    Raises:
        NameTaken: The name belongs to something else.
        InvalidName: The name is not of the form ``[a-z][a-z0-9_]*``.
        NotAnOptimizer: The class does not derive from ``optreg.Optimizer``.
    """
    if cls is not None:
        return default_registry().register(name, cls, kind=kind, replace=replace)
    return lambda decorated: default_registry().register(name, decorated, kind=kind, replace=replace)


def unregister(name: str, *, kind: str = "optimizer") -> None:
    """Take back what ``register`` added.

    Raises:
        UnknownOptimizer: Nothing was registered under the name in this process.
    """
    default_registry().unregister(name, kind=kind)


def refresh() -> None:
    """Look again at what is installed, for instance after ``pip install`` in a notebook."""
    default_registry().refresh()
