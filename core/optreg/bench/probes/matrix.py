"""The property matrix: all probes, asked of all optimizers."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from optreg.bench.probes.control import CONTROL
from optreg.bench.probes.invariance import INVARIANCE
from optreg.bench.probes.mishaps import MISHAPS
from optreg.bench.probes.precision import PRECISION
from optreg.bench.probes.probe import Answer, Probe, ask
from optreg.bench.probes.sparse import SPARSE
from optreg.bench.probes.terrain import TERRAIN
from optreg.bench.probes.trial import Trial
from optreg.bench.selection import Choice
from optreg.registry.default import get_optimizer, optimizer_info

GROUPS = (CONTROL, INVARIANCE, TERRAIN, MISHAPS, SPARSE, PRECISION)
PROBES: Sequence[Probe] = tuple(probe for group in GROUPS for probe in group.probes)


def trial_of(choice: Choice) -> Trial:
    """Return the trial of a chosen optimizer, with the dtypes that its card declares."""
    card = optimizer_info(choice.name).card
    dtypes = card.declared.dtypes if card is not None and card.declared is not None else ()
    return Trial(lambda **changes: get_optimizer(choice.name, **{**choice.hyperparameters, **changes}), dtypes or ())


def answers(
    choice: Choice,
    *,
    until: float = float("inf"),
    observe: Callable[[], object] = lambda: None,
    known: Collection[str] = (),
) -> Iterator[Answer]:
    """Yield the answers of one optimizer to all probes whose answer is not known.

    Those left at ``until`` (``perf_counter``) are not asked.
    """
    trial = trial_of(choice)
    for probe in (it for it in PROBES if it.name not in known):
        if time.perf_counter() > until:
            return
        yield ask(probe, trial, choice.label)
        observe()
