"""All tasks: those of optreg, and those that plugins contribute through the hook ``bench_workloads``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optreg.bench.tasks.characters import CHARACTERS
from optreg.bench.tasks.convex import CANCER, CANCER_BATCHES, RIDGE
from optreg.bench.tasks.digits import DIGITS
from optreg.bench.tasks.mnist import MNIST
from optreg.bench.tasks.mnist1d import MNIST1D
from optreg.bench.tasks.ratings import EMBEDDING
from optreg.bench.tasks.task import Task
from optreg.errors import OptregError, listing, suggestion
from optreg.registry.contributions import ContributionFailure, contributed, contribution_failures

SUITES = ("smoke", "quick", "standard", "full")
HOOK = "bench_workloads"
OURS = "optreg"

BUILT_IN: Mapping[str, Task] = {
    task.name: task for task in (CANCER, CANCER_BATCHES, RIDGE, DIGITS, MNIST1D, EMBEDDING, MNIST, CHARACTERS)
}


class UnknownTask(OptregError, LookupError):
    """No task has the name."""


class UnknownSuite(OptregError, LookupError):
    """No suite has the name."""


@dataclass(frozen=True)
class Offer:
    """A task and whose it is; ``origin`` is ``optreg`` or the distribution of a plugin."""

    task: Task
    origin: str = OURS
    version: str = ""


def offers() -> dict[str, Offer]:
    """Return all tasks by name; a plugin's task whose name is taken is called ``plugin/task``."""
    found = {name: Offer(task) for name, task in BUILT_IN.items()}
    for item in contributed(HOOK, objection=_objection):
        name = item.value.name if item.value.name not in found else f"{item.plugin}/{item.value.name}"
        found[name] = Offer(item.value, item.distribution, item.version)
    return found


def broken_offers() -> list[ContributionFailure]:
    """Return the plugins that could not contribute tasks, after ``offers`` has asked them."""
    return [failure for failure in contribution_failures() if failure.hook in (HOOK, "")]


def select_tasks(names: Sequence[str] = (), suite: str = "quick") -> dict[str, Offer]:
    """Return the tasks of these names, or of the suite: all of optreg's in it and all of plugins.

    Raises:
        UnknownTask, UnknownSuite: There is none of that name.
    """
    known = offers()
    if names:
        for name in names:
            if name not in known:
                raise UnknownTask(f"unknown task {name!r}; tasks: {listing(known)}.{suggestion(name, known)}")
        return {name: known[name] for name in names}
    if suite not in SUITES:
        raise UnknownSuite(f"unknown suite {suite!r}; suites: {', '.join(SUITES)}.{suggestion(suite, SUITES)}")
    return {name: it for name, it in known.items() if suite in (*it.task.suites, "full") or it.origin != OURS}


def _objection(value: Any) -> str:
    if not isinstance(value, Task):
        return f"{HOOK} must return a list of optreg.bench.Task, one of them is {value!r}"
    if not isinstance(value.name, str) or not value.name.strip():
        return f"a task needs a name, received {value.name!r}"
    if not isinstance(value.steps, int) or value.steps < 1:
        return f"task {value.name!r}: steps must be a whole number of at least 1, received {value.steps!r}"
    return "" if callable(value.make) else f"task {value.name!r}: make must be a function, received {value.make!r}"
