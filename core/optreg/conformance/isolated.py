"""Validating in a child process: an optimizer that crashes, hangs or exits fails a check and does not end the run."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optreg import errors
from optreg.conformance.devices import use_two_logical_devices
from optreg.conformance.report import Report, Result
from optreg.conformance.runner import Progress
from optreg.conformance.source_paths import loadable
from optreg.conformance.validation import Plan, plan
from optreg.errors import printable
from optreg.isolation import Outcome, announce, emit, run_isolated
from optreg.registry import default_registry
from optreg.registry.lookup import unusable

_LOADING = "loading it"
_PASSED_ON = ("checks", "groups", "baseline")


def validate_isolated(  # noqa: PLR0913 - the arguments of validate, and the limit
    optimizer: str,
    hyperparameters: Mapping[str, Any] | None = None,
    *,
    checks: Sequence[str] = (),
    groups: Sequence[str] = (),
    baseline: int | Sequence[str] | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Report:
    """Do what ``validate`` does in a child process, in which alone the plugin is imported.

    A check in which the child ends fails, with the signal or the limit named; those after it are blocked.

    Args:
        optimizer: A registered name, ``"module:Class"``, or ``"path/to/file.py:Class"``, which need not be installed.
        hyperparameters, checks, groups, baseline: As for ``validate``; JSON-clean.
        timeout: Seconds for all checks together, the start of TensorFlow included; None for no limit.
        progress: Called with each ``Result`` as it is there.

    Raises:
        UnusableOptimizer: The optimizer cannot be loaded, or loading it crashed or hung.
        OptregError: As ``validate`` raises.
    """
    _refuse_unusable(optimizer)
    job = {
        "optimizer": optimizer,
        "hyperparameters": dict(hyperparameters or {}),
        "checks": list(checks),
        "groups": list(groups),
        "baseline": baseline,
    }

    def observe(message: Mapping[str, Any]) -> None:
        if progress is not None and "result" in message:
            progress(Result.from_dict(message["result"]))

    outcome = run_isolated(f"{__name__}:validate_in_child", job, timeout=timeout, observer=observe)
    if outcome.status == "finished" and "refused" in outcome.value:
        raise _refusal(outcome.value["refused"])
    if outcome.status == "finished":
        return Report.from_dict(outcome.value)
    return _broken_off(optimizer, outcome)


def _refuse_unusable(optimizer: str) -> None:
    """Raise for a name that metadata or source text already rule out: no child need load TensorFlow to say so."""
    if ":" not in optimizer and not optimizer.endswith(".py"):
        entry = default_registry().optimizer_info(optimizer)
        if not entry.usable:
            raise unusable(entry)


def validate_in_child(job: Mapping[str, Any]) -> dict[str, Any]:
    """Validate one optimizer; the function that the child calls. Returns a report, or an error of optreg, as JSON."""
    announce(_LOADING)
    use_two_logical_devices()
    with contextlib.ExitStack() as stack:
        try:
            optimizer = stack.enter_context(loadable(job["optimizer"]))
            planned = plan(optimizer, job["hyperparameters"], **{name: job[name] for name in _PASSED_ON})
        except errors.OptregError as error:
            return {"refused": {"error": type(error).__name__, "text": str(error)}}
        return _run(planned)


def _run(planned: Plan) -> dict[str, Any]:
    """Run the checks, each result handed over at once."""
    emit({"planned": planned.report(()).to_dict(), "checks": [[check.id, check.group] for check in planned.applicable]})
    return planned.run(lambda result: emit({"result": result.to_dict()})).to_dict()


def _refusal(written: Mapping[str, str]) -> errors.OptregError:
    found = getattr(errors, written["error"], errors.UnusableOptimizer)
    known = isinstance(found, type) and issubclass(found, errors.OptregError)
    return found(written["text"]) if known else errors.UnusableOptimizer(written["text"])


def _broken_off(optimizer: str, outcome: Outcome) -> Report:
    """Return a report on what was done until the child ended."""
    planned = next((message for message in outcome.emitted if "planned" in message), None)
    if planned is None:
        last = outcome.stderr.strip().splitlines()[-1:] if outcome.status == "exited" else []
        told = f" ({printable(last[0])})" if last else ""
        raise errors.UnusableOptimizer(f"{optimizer} cannot be used: {_ended(outcome)}{told}")
    results = [Result.from_dict(message["result"]) for message in outcome.emitted if "result" in message]
    made = {result.id for result in results}
    remaining = [(identity, group) for identity, group in planned["checks"] if identity not in made]
    for identity, group in remaining:
        if identity == outcome.stage:
            results.append(
                Result(identity, group, "failed", message=_ended(outcome), likely_cause=_CAUSES[outcome.status])
            )
        else:
            results.append(Result(identity, group, "blocked", message=f"the process ended in {outcome.stage}"))
    return replace(Report.from_dict(planned["planned"]), results=tuple(results))


def _ended(outcome: Outcome) -> str:
    told = outcome if outcome.stage == _LOADING else replace(outcome, stage="")
    return f"{told.reason}{_place_of_crash(outcome.stderr)}"


def _place_of_crash(stderr: str) -> str:
    """Return where Python was when a signal came, from what its fault handler wrote: the innermost frame."""
    frame = re.search(r'most recent call first\):\s+File "([^"]+)", line (\d+) in (\S+)', stderr)
    return f" ({printable(Path(frame[1]).name)}, line {frame[2]}, in {printable(frame[3])})" if frame else ""


_CAUSES = {
    "killed": "Native code that the optimizer calls crashes, or memory ran out.",
    "timed out": "It waits for something that never comes, or is slower than the limit: raise --timeout.",
    "exited": "It calls os._exit(); an optimizer must never end the process.",
    "raised": "It calls sys.exit() or raises KeyboardInterrupt; an optimizer must never end the process.",
    "finished": "",
}
