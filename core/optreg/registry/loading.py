"""Importing what an entry points to: one guarded step of import, attribute and type check."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from optreg.discovery.entries import BUILT_IN, PLUGIN, State, Verdict
from optreg.discovery.index import is_target
from optreg.errors import InvalidName, UnusableOptimizer, listing, printable, shortened

_CONTRACT = "optreg.optimizer"  # the package that defines the base class; importing it here would load TensorFlow
_OTHER_LIBRARIES = ("keras", "tf_keras", "tensorflow")
_IMPORTING: Counter[str] = Counter()  # top-level packages, to the number of loads under way


class LoadFailure(Exception):
    """A target could not be loaded; ``verdict`` says why. The registry turns it into its own error.

    ``passing`` is true where it is being imported at this moment, so that nothing is wrong with it.
    """

    def __init__(self, verdict: Verdict, *, passing: bool = False) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict
        self.passing = passing


def load_target(target: str, kind: str) -> Callable[..., Any]:
    """Import ``module:Class`` and return the class; any callable for other kinds, anything for hook objects.

    Raises:
        LoadFailure: The import, the attribute or the type check failed. ``__cause__`` is the original error.
    """
    module, _, attribute = target.partition(":")
    with _rolled_back(module):
        try:
            found: Any = importlib.import_module(module)
            found = attrgetter(attribute)(found) if attribute else found
            problem = misfit(found, kind)
        # A plugin that calls sys.exit() while it is imported must not end the user's training.
        except (Exception, SystemExit) as error:
            passing = isinstance(error, AttributeError) and _is_being_imported(module)
            raise LoadFailure(_verdict(error, module), passing=passing) from error
        except KeyboardInterrupt as error:
            if not _raised_by(error, module):
                raise
            raise LoadFailure(_verdict(error, module)) from error
    if problem:
        raise LoadFailure(Verdict(State.BROKEN, f"{target} {problem}", "report it to its authors"))
    loaded: Callable[..., Any] = found  # a hook object need not be callable, and no caller calls it
    return loaded


def misfit(found: object, kind: str) -> str:
    """Return why an object cannot be registered as that kind, as the end of a sentence; empty where it can."""
    if kind == "optimizer":
        return not_an_optimizer(found) or _not_instantiable(found)
    if kind == PLUGIN:
        return "is None" if found is None else ""
    return "" if callable(found) else f"is not callable but {_article(found)}"


def load_unregistered(target: str, kind: str) -> Callable[..., Any]:
    """Import a ``module:Class`` that a user typed and no entry point names.

    Raises:
        InvalidName: The text has another form.
        UnusableOptimizer: It cannot be loaded; the original error is the ``__cause__``.
    """
    if not is_target(target):
        raise InvalidName(f"{target!r} is not of the form module:Class, such as 'my_package.lynx:Lynx'")
    try:
        return load_target(target, kind)
    except LoadFailure as failure:
        step = f" Next step: {failure.verdict.next_step}." if failure.verdict.next_step else ""
        raise UnusableOptimizer(f"{target} cannot be used: {failure.verdict.reason}.{step}") from failure.__cause__


def target_of(cls: Any) -> str:
    """Return ``module:qualname`` of a class or function, or the name of a module."""
    if isinstance(cls, types.ModuleType):
        return cls.__name__
    owner = cls if hasattr(cls, "__qualname__") else type(cls)
    return f"{owner.__module__}:{owner.__qualname__}"


def imported(target: str) -> Any:
    """Return what a target names if its module is imported already, else None."""
    name, _, attribute = target.partition(":")
    module = sys.modules.get(name)
    if not attribute:
        return module
    try:
        return attrgetter(attribute)(module)
    except Exception:  # a module may compute its attributes, and fail
        return None


def is_optimizer(cls: object) -> bool:
    """Whether a class derives from ``optreg.Optimizer``. Decided by the names in its MRO, without TensorFlow."""
    return isinstance(cls, type) and any(
        base.__name__ == "Optimizer" and f"{base.__module__}.".startswith(f"{_CONTRACT}.") for base in cls.__mro__
    )


def not_an_optimizer(found: object) -> str:
    """Return why an object is no optimizer class, as the end of a sentence; empty where it is one."""
    if is_optimizer(found):
        return ""
    if not isinstance(found, type):
        return f"is not a class but {_article(found)}"
    library = library_of(found)
    whose = f"; it derives from the optimizer of {library}" if library else ""
    return f"is not a subclass of optreg.Optimizer{whose}"


def library_of(cls: type) -> str:
    """Return ``keras`` or ``tf_keras`` for a class that comes from there or derives from such a one, else nothing."""
    roots = (base.__module__.partition(".")[0] for base in cls.__mro__)
    return next((root for root in roots if root in _OTHER_LIBRARIES), "")


def _article(found: object) -> str:
    return "None" if found is None else f"an object of type {type(found).__name__}"


def _not_instantiable(cls: Any) -> str:
    """Return why no instance of a class can be made, as the end of a sentence; empty where one can."""
    lacking = getattr(cls, "__abstractmethods__", ())
    if lacking:
        return f"is abstract: it does not define {listing(lacking)}"
    if not callable(getattr(cls, "from_config", None)):
        return "has a from_config that is no method"
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError) as error:
        return f"has a constructor that cannot be inspected ({error})"
    nameless = [item.name for item in parameters if item.kind is item.POSITIONAL_ONLY and item.default is item.empty]
    return f"takes {listing(nameless)} by position only, and arguments are given by name" if nameless else ""


@contextmanager
def _rolled_back(module: str) -> Iterator[None]:
    """Forget the modules that a failing import leaves half done, so that a repaired plugin starts afresh.

    Where another thread imports from the same package at the same time, they stay: they may be its own.
    """
    top = module.partition(".")[0]
    _IMPORTING[top] += 1
    before = set(sys.modules)
    try:
        yield
    except LoadFailure as failure:
        if _IMPORTING[top] == 1 and not failure.passing:
            for name in set(sys.modules) - before:
                if name.partition(".")[0] == top:
                    sys.modules.pop(name, None)
        raise
    finally:
        _IMPORTING[top] -= 1


def _is_being_imported(module: str) -> bool:
    return bool(getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False))


def _raised_by(error: BaseException, module: str) -> bool:
    """Whether a ``raise`` in the plugin's own package made the error, and not the user's Ctrl-C while it ran."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    import opcode  # noqa: PLC0415 - only an interrupted import needs it

    code, name = trace.tb_frame.f_code.co_code, str(trace.tb_frame.f_globals.get("__name__", ""))
    own = name.partition(".")[0] == module.partition(".")[0]
    return own and code[trace.tb_lasti] == opcode.opmap["RAISE_VARARGS"]


def _verdict(error: BaseException, module: str) -> Verdict:
    text = printable(shortened(f"{type(error).__name__}: {error}".rstrip(": ")))
    missing = error.name.partition(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else ""
    if missing and missing != module.partition(".")[0]:
        step = f"pip install {missing}, then optreg.refresh()"
        return Verdict(State.MISSING_DEPENDENCY, f"it needs the package {missing!r} ({text})", step)
    step = "correct it, then optreg.refresh()" if module.partition(".")[0] != BUILT_IN else ""
    return Verdict(State.BROKEN, f"importing {module} failed: {text}", step)
