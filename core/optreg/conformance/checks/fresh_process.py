"""A process of its own: one for each optimizer, which takes the seconds that importing TensorFlow does."""

from __future__ import annotations

from optreg.conformance.checks.persistence import check_training_continues_from_a_checkpoint
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand, demand_equal, demand_same
from optreg.conformance.fresh_process import STEPS, continued_in_a_child
from optreg.conformance.subject import Subject


@check(
    "Something that differs from process to process is part of the state: hash() of a string, id(), a counter of the "
    "module. Or the class is found only after another import.",
    requires=(check_training_continues_from_a_checkpoint,),
    every_variant=False,
    group="persistence",
)
def check_a_fresh_process_continues_the_training(subject: Subject) -> None:
    """Configuration and checkpoint, read by a process that imported only optreg: it trains on bit by bit."""
    found = continued_in_a_child(subject)
    demand(not found.error, "a fresh process that continues the training", expected="no error", received=found.error)
    demand_equal(found.iterations, 2 * STEPS, "iterations in the fresh process")
    demand_same(found.received, found.expected, f"weights {STEPS} steps after a fresh process took over")


@check(
    "The module makes a tensor or a variable while it is imported. Make it where it is needed.",
    requires=(check_a_first_step_can_be_made,),
    every_variant=False,
    group="hygiene",
)
def check_importing_it_leaves_the_devices_free(subject: Subject) -> None:
    """After the import of the plugin, memory growth and logical devices can still be configured."""
    demand(
        continued_in_a_child(subject).devices_were_free,
        f"the devices after the import of {subject.cls.__module__}",
        expected="not initialised",
        received="initialised: TensorFlow refuses to configure them",
    )
