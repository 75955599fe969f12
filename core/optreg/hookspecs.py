"""The hook specifications: the joints of one optimizer step, and what a plugin may contribute to the tools.

``StepHooks`` are the joints of one step.

A plugin is any object (a module, an instance) with functions marked by ``hookimpl``. It changes only the
optimizers it is attached to, with ``plugins=[...]`` at construction. The optimizer's own methods are always the last
implementation of each hook. ``hookimpl(wrapper=True)`` wraps a joint, to observe or time it.

A whole plugin::

    import optreg

    class GradientNorms:
        @optreg.hookimpl(wrapper=True)
        def transform_gradients(self, optimizer, grads_and_vars):
            transformed = yield
            self.norms = [tf.norm(gradient) for gradient, _ in transformed]
            return transformed

    opt = optreg.get_optimizer("adam", plugins=[GradientNorms()])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pluggy

PROJECT = "optreg"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

GradsAndVars = Sequence[tuple[Any, Any]]
"""Pairs of (gradient, variable); a gradient is a ``tf.Tensor`` or ``tf.IndexedSlices``."""


class StepHooks:
    """Hooks called while gradients are applied, in the order in which they stand here."""

    @hookspec
    def create_slots(self, optimizer: Any, var_list: Sequence[Any]) -> None:
        """Create state for variables with ``optimizer.add_slot``. Called once for each new set of variables."""

    @hookspec(firstresult=True)
    def aggregate_gradients(self, optimizer: Any, grads_and_vars: GradsAndVars) -> GradsAndVars | None:
        """Combine gradients across replicas. The first implementation that returns a list wins; None passes on."""

    @hookspec(firstresult=True)
    def transform_gradients(self, optimizer: Any, grads_and_vars: GradsAndVars) -> GradsAndVars | None:
        """Return changed pairs, or None to leave them. Chained: each implementation gets the previous one's result."""

    @hookspec(firstresult=True)
    def apply_updates(
        self, optimizer: Any, grads_and_vars: GradsAndVars, apply_state: Any
    ) -> tuple[Sequence[Any], GradsAndVars] | None:
        """Take any number of pairs at once, for fused multi-tensor kernels.

        Return (operations, remaining pairs), or None to take nothing. Chained: each implementation is offered what the
        previous ones left; what is left at the end goes to ``apply_dense`` and ``apply_sparse``. ``apply_state`` maps
        (device, dtype) to the coefficients that the optimizer prepared, as in ``Optimizer._prepare_local``.
        """

    @hookspec(firstresult=True)
    def apply_dense(self, optimizer: Any, grad: Any, var: Any, apply_state: Any) -> Any:
        """Update one variable from a dense gradient.

        Return the operation, or True where there is none (eager kernels return None). None passes on to the next
        implementation, so an update that returns None would be made twice.
        """

    @hookspec(firstresult=True)
    def apply_sparse(self, optimizer: Any, grad: Any, var: Any, indices: Any, apply_state: Any) -> Any:
        """Update rows of one variable: ``grad[i]`` belongs to row ``indices[i]``; indices may repeat.

        Return values as for ``apply_dense``.
        """


class ContributionHooks:
    """What an object of the entry-point group ``optreg.plugins`` adds to the tools of optreg.

    Each implementation is called on its own, and only when its hook is needed; one that fails is told with its plugin
    and disturbs no other. A whole plugin, the module ``lynx_tools`` behind ``lynx_tools = "lynx_tools"``::

        import optreg

        @optreg.hookimpl
        def doctor_checks():
            return [gpu_is_there]
    """

    @hookspec
    def conformance_checks(self) -> Iterable[Any] | None:
        """Return further checks for ``optreg validate``, each an ``optreg.conformance.Check``."""

    @hookspec
    def bench_workloads(self) -> Iterable[Any] | None:
        """Return further workloads for ``optreg bench``."""

    @hookspec
    def doctor_checks(self) -> Iterable[Callable[[], Any]] | None:
        """Return functions without arguments for ``optreg doctor``.

        Each returns its findings, pairs of (what is wrong, what to do about it); none where all is well.
        """

    @hookspec
    def cli_commands(self) -> Mapping[str, Callable[..., Any]] | None:
        """Return command name to function, annotated as typer wants it; run as ``optreg PLUGIN COMMAND``.

        ``PLUGIN`` is the name of the entry point. Help shows it without importing the plugin.
        """
