"""Running checks: each guarded, on every variant of the subject, and blocked where what it requires has failed."""

from __future__ import annotations

import contextlib
import io
import logging
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from optreg.conformance.definition import Check, CheckFailure, Skipped
from optreg.conformance.expectations import as_expected
from optreg.conformance.report import Result, Status
from optreg.conformance.settings import kept_settings
from optreg.conformance.subject import Subject
from optreg.isolation import announce

_LONGEST = 400  # characters of a foreign error message

Progress = Callable[[Result], None]


def run_checks(subject: Subject, checks: Sequence[Check], *, progress: Progress | None = None) -> tuple[Result, ...]:
    """Run checks in the given order, in which each stands after those that it requires.

    Args:
        subject: The optimizer under test.
        checks: Those that apply to its card.
        progress: Called with each result as it is there.
    """
    results: dict[str, Result] = {}
    for check in checks:
        announce(check.id)
        results[check.id] = run_check(subject, check, results)
        if progress is not None:
            progress(results[check.id])
    return tuple(results.values())


def run_check(subject: Subject, check: Check, earlier: Mapping[str, Result]) -> Result:
    """Run one check and return what became of it; nothing that the optimizer does or raises comes through.

    Args:
        subject: The optimizer under test.
        check: One that applies to its card.
        earlier: Results by identity, of the checks that this one requires among others.
    """
    stopped = [required for required in check.requires if required in earlier and earlier[required].stops_dependants]
    if stopped:
        return Result(
            check.id, check.group, "blocked", message=f"requires {stopped[0]}, which {earlier[stopped[0]].status}"
        )
    start = time.perf_counter()
    variants = _variants(subject) if check.every_variant else (subject,)
    subjects = [variant for variant in variants if variant is subject or check.capability.holds(variant.declared)]
    outcomes = [_outcome(variant, check) for variant in subjects]
    worst = min(outcomes, key=lambda outcome: _GRAVITY.index(outcome.status))
    return as_expected(subject, check, replace(worst, seconds=time.perf_counter() - start))


_GRAVITY: tuple[Status, ...] = ("failed", "warned", "skipped", "passed")


def _variants(subject: Subject) -> tuple[Subject, ...]:
    with _contained():
        try:
            return subject.variants
        except Exception:
            # A card that cannot be read has a check of its own; without it there is the subject as it is.
            return (subject,)


def _outcome(subject: Subject, check: Check) -> Result:
    try:
        with _contained():
            check.function(subject)
    except Skipped as reason:
        return Result(check.id, check.group, "skipped", message=_labelled(subject, str(reason)))
    # A plugin may raise anything, and sys.exit() in one optimizer must not end the run over the others.
    except (Exception, SystemExit) as error:
        status: Status = "failed" if check.enforced_for(subject.declared) else "warned"
        message = _labelled(subject, _explain(error, subject))
        return Result(check.id, check.group, status, message=message, likely_cause=check.likely_cause, error=error)
    return Result(check.id, check.group, "passed")


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Keep what an optimizer prints, warns of and sets from the caller, whose output may be JSON."""
    log = logging.getLogger("tensorflow")
    log.addFilter(_is_not_about_retracing)
    try:
        with kept_settings(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeFilter(_is_not_about_retracing)


def _is_not_about_retracing(record: logging.LogRecord) -> bool:
    # TensorFlow takes the functions that a check traces for each variant for one that is traced again and again.
    return "tf.function retracing" not in record.getMessage()


def _labelled(subject: Subject, message: str) -> str:
    return f"with {subject.shown_setting}: {message}" if subject.setting else message


def _explain(error: BaseException, subject: Subject) -> str:
    if isinstance(error, CheckFailure):
        return str(error)
    kind = f"{type(error).__name__}: "
    text = (kind + _headline(str(error)).removeprefix(kind)).rstrip(": ")
    return f"{text}{_place(error, subject)}"


def _headline(text: str) -> str:
    """Return the sentence of an error that may run over pages; what AutoGraph wraps stands last in its text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = "" if not lines else lines[-1] if lines[0] == "in user code:" else lines[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def _place(error: BaseException, subject: Subject) -> str:
    """Return where in the optimizer's own code an exception came from, as `` (file, line n, in method)``."""
    methods = (
        vars(base).values() for base in subject.cls.__mro__ if not base.__module__.startswith("optreg.optimizer")
    )
    files = {method.__code__.co_filename for group in methods for method in group if hasattr(method, "__code__")}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})"
