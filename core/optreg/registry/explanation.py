"""Why a name leads where it leads: the steps of its look-up, then the gates that its entry passes or not."""

from __future__ import annotations

from dataclasses import dataclass

from optreg.discovery.entries import SESSION, Entry, State
from optreg.discovery.index import is_target
from optreg.errors import OptregError
from optreg.registry import lookup
from optreg.registry.lookup import Step
from optreg.registry.registry import Registry


@dataclass(frozen=True)
class Explanation:
    """What became of one name, without importing anything.

    Args:
        asked: The name as it was written.
        kind: Of what was looked for.
        steps: In their order; the last one is where it ended.
        candidates: Every entry that was considered.
        entry: Where the name leads; None where it leads nowhere.
        error: What ``get_optimizer`` would raise before any import; None where it would go on.
    """

    asked: str
    kind: str
    steps: tuple[Step, ...]
    candidates: tuple[Entry, ...]
    entry: Entry | None
    error: OptregError | None


def explain(registry: Registry, name: str, *, kind: str = "optimizer") -> Explanation:
    """Return the steps that a name takes.

    Raises:
        InvalidFilter: There is no such kind, or the settings cannot be read.
    """
    if is_target(name.strip()):
        return _explain_target(registry, name.strip(), kind)
    found = registry.resolution(name, kind=kind)
    if found.entry is None:
        return Explanation(name, kind, tuple(found.steps), tuple(found.candidates), None, found.error)
    return _ended(name, kind, found.steps, found.candidates, found.entry)


def _explain_target(registry: Registry, target: str, kind: str) -> Explanation:
    entry = registry.index.of_target(target)
    if entry is None:
        step = Step("module:Class", "no entry point names it; it is imported as it is")
        return Explanation(target, kind, (step,), (), None, None)
    step = Step("module:Class", f"the entry point of {entry.qualified_name}")
    return _ended(target, kind, [step], [entry], entry)


def _ended(name: str, kind: str, steps: list[Step], candidates: list[Entry], entry: Entry) -> Explanation:
    error = None if entry.usable else lookup.unusable(entry)
    every = (*steps, *_of_entry(entry))
    return Explanation(name, kind, every, tuple(candidates), entry, error)


def _of_entry(entry: Entry) -> list[Step]:
    """Return the steps after a name has been found: settings, old name, source text, gates, outcome."""
    if entry.replacement is not None:
        steps = [Step("old name", f"stands for {entry.replacement.qualified_name}; {entry.reason}")]
        return [*steps, *(_of_entry(entry.replacement) if entry.usable else [_outcome(entry)])]
    if entry.distribution == SESSION:
        return [_outcome(entry)]
    steps = [Step("settings", entry.verdict.reason if entry.verdict.state is State.DISABLED else "not disabled")]
    if entry.verdict.usable:
        steps.append(Step("source text", entry.digest.problem or entry.digest.note or f"card read from {entry.path}"))
    if entry.verdict.usable and not entry.digest.problem and entry.gates:
        for gate, verdict in entry.gates.passed(entry.digest):
            steps.append(Step(gate, verdict.reason or "passes"))
            if not verdict.usable:
                break
    return [*steps, _outcome(entry)]


def _outcome(entry: Entry) -> Step:
    reason = f": {entry.reason}" if entry.reason else ""
    step = f". Next step: {entry.next_step}" if entry.next_step else ""
    return Step("outcome", f"{entry.qualified_name} ({entry.origin}), {entry.state.value}{reason}{step}")
