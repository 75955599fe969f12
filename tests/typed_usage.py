"""How users write optreg, for the type checker: ``mypy --strict`` must accept every line. It is never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optreg
import optreg.legacy as optimizers
from optreg import Optimizer
from optreg.cards import OptimizerCard
from optreg.discovery.entries import Entry, State
from optreg.legacy import Adam
from optreg.registry import Registry, default_registry


def look_up() -> list[Optimizer]:
    """Every form that ``get_optimizer`` takes."""
    adam: Optimizer = optreg.get_optimizer("adam", learning_rate=3e-4, clipnorm=1.0)
    config: Mapping[str, Any] = {"class_name": "SGD", "config": {"momentum": 0.9}}
    return [adam, optreg.get_optimizer(config), optreg.get_optimizer(type(adam)), optreg.get_optimizer(adam)]


def migrate(given: Adam) -> list[Optimizer]:
    """The namespace of Keras 2.9. Its classes are known at run time only, so that the type checker lets them pass."""
    saved: dict[str, Any] = optimizers.serialize(Adam(1e-3, beta_1=0.5))
    sgd: Optimizer = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 100, 0.5), momentum=0.9)
    base: type[Optimizer] = optimizers.Optimizer
    return [given, sgd, optimizers.get("adam"), optimizers.deserialize(saved, custom_objects={"Mine": base})]


def choose() -> list[str]:
    """Listing, with every filter."""
    fast: list[str] = optreg.list_optimizers("ada*", "*sgd*", exclude=["*legacy*"], state="ready", capability="xla")
    return fast + optreg.list_optimizers(distribution="optreg", exclude="sgd")


def inform(name: str) -> str:
    """What a record holds."""
    info: Entry = optreg.optimizer_info(name)
    card: OptimizerCard = info.card
    declared: optreg.Card | None = card.declared
    slots: tuple[str, ...] = card.slot_names(amsgrad=True)
    reason = "" if info.state is State.READY else f"{info.reason} {info.next_step}"
    return f"{info.qualified_name} {info.version} {card.summary} {slots} {declared} {reason}"


@optreg.register("typed_lion")
class Lion(Optimizer):
    """Registered by the decorator, which keeps the class."""

    card = optreg.Card(
        aliases=("typed-lion",),
        ranges={"learning_rate": "[0, inf)"},
        slots=(optreg.Slot("m", "momentum"),),
        sparse="lazy",
        paper=optreg.Paper("Title", "Authors", 2023, "https://example.org"),
    )


lion_class: type[Lion] = optreg.register("second_lion", Lion, replace=True)


class GradientCounter:
    """A plugin object for one optimizer."""

    @optreg.hookimpl
    def transform_gradients(self, optimizer: Any, grads_and_vars: Any) -> Any:
        """Count, and leave the gradients as they are."""


def manage() -> str:
    """The registry as an object, and the rest of the public functions."""
    registry: Registry = Registry(pins={"adam": "other-optimizers"})
    transformer: Any = default_registry().build("transformer", "centralise", {})
    optreg.refresh()
    optreg.unregister("second_lion")
    try:
        registry.get_class("adamm")
    except (optreg.UnknownOptimizer, optreg.errors.AmbiguousOptimizer) as error:
        return f"{error} {transformer}"
    return optreg.__version__
