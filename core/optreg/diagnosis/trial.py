"""Loading plugins on purpose, in a child process, to see their own error with its trace."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import Any

from optreg.diagnosis.finding import Finding
from optreg.discovery.entries import PLUGIN, Entry
from optreg.isolation import announce, run_isolated

TIME_LIMIT = 60.0  # seconds for one plugin, TensorFlow's own import included


def try_loading(entry: Entry, *, timeout: float = TIME_LIMIT) -> Finding | None:
    """Import an entry in a child process; return what went wrong there, or None."""
    outcome = run_isolated(f"{__name__}:_load", [entry.kind, entry.qualified_name], timeout=timeout)
    about = f"{entry.kind} {entry.qualified_name}"
    if outcome.status != "finished":
        text = f"loading it in a child process: {outcome.reason} ({entry.origin})"
        step = f"report it to the authors of {entry.distribution}, or disable it"
        return Finding("problem", about, text, step, outcome.trace or outcome.stderr)
    if outcome.value is None:
        return None
    return Finding("problem", about, outcome.value["text"], outcome.value["next_step"], outcome.value["trace"])


def contributed_findings(entries: Iterable[Entry], *, timeout: float = TIME_LIMIT) -> list[Finding]:
    """Run the doctor checks that hook objects contribute, each plugin in a child process of its own."""
    found: list[Finding] = []
    for entry in entries:
        outcome = run_isolated(f"{__name__}:_check", entry.qualified_name, timeout=timeout)
        if outcome.status != "finished":
            text = f"its doctor checks: {outcome.reason} ({entry.origin})"
            step = f"report it to the authors of {entry.distribution}, or disable it"
            found.append(Finding("problem", f"plugin {entry.qualified_name}", text, step, outcome.trace))
        else:
            found += [Finding(*fields) for fields in outcome.value]
    return found


def _load(argument: Any) -> dict[str, str] | None:
    """Runs in the child: load an entry, and return its error, step and trace, or None."""
    from optreg.errors import UnusableOptimizer  # noqa: PLC0415 - in the child only
    from optreg.registry.process import default_registry  # noqa: PLC0415 - in the child only

    kind, name = argument
    announce("import")
    registry = default_registry()
    entry = registry.optimizer_info(name, kind=kind)
    try:
        registry.load(entry)
        if kind == PLUGIN:
            registry.contributions.of("doctor_checks", only=entry)
    except UnusableOptimizer as error:
        cause = error.__cause__
        trace = "".join(traceback.format_exception(cause)) if cause else ""
        return {"text": str(error), "next_step": registry.optimizer_info(name, kind=kind).next_step, "trace": trace}
    failures = registry.contributions.failures
    return (
        {"text": str(failures[0]), "next_step": f"report it to {entry.distribution}", "trace": ""} if failures else None
    )


def _check(name: str) -> list[list[str]]:
    """Runs in the child: call the doctor checks of one plugin."""
    from optreg.registry.process import default_registry  # noqa: PLC0415 - in the child only

    registry = default_registry()
    entry = registry.optimizer_info(name, kind=PLUGIN)
    contributions = registry.contributions
    step = f"report it to the authors of {entry.distribution}"
    found: list[list[str]] = []
    for contribution in contributions.of("doctor_checks", only=entry):
        check = contribution.value
        label = f"plugin {entry.qualified_name}, {getattr(check, '__name__', repr(check))}"
        announce(label)
        try:
            found += [["problem", label, str(text), str(what)] for text, what in check() or ()]
        except (Exception, SystemExit) as error:
            trace = "".join(traceback.format_exception(error))
            found.append(["problem", label, f"the check failed: {type(error).__name__}: {error}", step, trace])
    found += [["problem", f"plugin {entry.qualified_name}", str(failure), step] for failure in contributions.failures]
    return found
