"""Putting facts and findings together."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from optreg.diagnosis import plugins, surroundings, trial
from optreg.diagnosis.finding import Fact, Finding
from optreg.discovery.entries import PLUGIN, State
from optreg.errors import AmbiguousOptimizer, InvalidFilter
from optreg.registry.process import default_registry
from optreg.registry.registry import Registry


@dataclass(frozen=True)
class Diagnosis:
    """What was found: ``facts`` about the installation, and ``findings``, problems first."""

    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether there is no problem; notes do not count."""
        return all(finding.severity != "problem" for finding in self.findings)


def diagnose(
    name: str | None = None,
    *,
    kind: str = "optimizer",
    load: bool = False,
    registry: Registry | None = None,
    environment: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Look at the installation, or at one optimizer.

    Args:
        name: Only this one; it is loaded in a child process, so that its own error is seen with its trace.
        kind: Of what the name is.
        load: Load every plugin, each in a child process, and run the checks that plugins contribute.
        registry: Whose plugins; those of this process by default.
        environment: Variables to look at; ``os.environ`` by default.

    Raises:
        UnknownOptimizer, AmbiguousOptimizer, UnusableOptimizer: The name leads nowhere; see ``optreg why``.
        InvalidFilter: The settings cannot be read, and a name is asked for.
    """
    chosen = registry or default_registry()
    values = os.environ if environment is None else environment
    if name is not None:
        return _of_one(chosen, name, kind)
    found = [*surroundings.findings(values, sys.path)]
    try:
        found += plugins.findings(chosen)
        found += _loaded(chosen) if load else _not_loaded(chosen)
    except InvalidFilter as error:
        found.append(Finding("problem", "settings", str(error), "correct the line; until then no command can use it"))
    return Diagnosis(
        tuple(surroundings.facts(values)), tuple(sorted(found, key=lambda item: item.severity != "problem"))
    )


def _of_one(registry: Registry, name: str, kind: str) -> Diagnosis:
    found = registry.resolution(name, kind=kind)
    if isinstance(found.error, AmbiguousOptimizer):
        raise found.error
    entry = found.found()
    facts = (
        Fact("name", entry.qualified_name),
        Fact("from", entry.origin),
        Fact("class", entry.target or "-"),
        Fact("file", str(entry.path or "-")),
        Fact("state", entry.state.value),
    )
    if not entry.usable:
        return Diagnosis(facts, (plugins.of_entry(entry),))
    told = [plugins.of_entry(entry)] if entry.reason else []
    failed = trial.try_loading(entry.replacement or entry)
    return Diagnosis(facts, tuple([failed, *told] if failed else told))


def _loaded(registry: Registry) -> list[Finding]:
    usable = [entry for entry in registry.index.entries if entry.usable and not entry.built_in]
    tried = [trial.try_loading(entry) for entry in usable]
    hooks = [entry for entry, failed in zip(usable, tried, strict=True) if entry.kind == PLUGIN and failed is None]
    return [finding for finding in tried if finding] + trial.contributed_findings(hooks)


def _not_loaded(registry: Registry) -> list[Finding]:
    waiting = [entry for entry in registry.entries(kind=PLUGIN) if entry.state is State.READY]
    names = [
        entry.qualified_name for entry in waiting if not entry.digest.hooks or "doctor_checks" in entry.digest.hooks
    ]
    text = f"further checks come from {', '.join(names)} and were not run, because that imports them"
    return [Finding("note", "plugins", text, "optreg doctor --load")] if names else []
