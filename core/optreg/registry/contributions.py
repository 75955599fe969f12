"""What hook objects of the group ``optreg.plugins`` add to the tools: checks, workloads, findings, commands.

Each plugin has a pluggy manager of its own, so that what fails to register leaves nothing behind, and each
implementation is called on its own, so that a failure is laid at the right door.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pluggy

from optreg.discovery.entries import PLUGIN, Entry, State, Verdict
from optreg.errors import UnusableOptimizer, printable, suggestion
from optreg.hookspecs import PROJECT, ContributionHooks, StepHooks
from optreg.registry.process import default_registry
from optreg.registry.registry import Registry

CONTRIBUTION_HOOKS = tuple(name for name in vars(ContributionHooks) if not name.startswith("_"))
"""Names of the hooks that are called here."""

Objection = Callable[[Any], str]
"""Returns what is wrong with one contributed value, as the end of a sentence; empty where it will do."""

_log = logging.getLogger("optreg")


class Contribution(NamedTuple):
    """One value that a plugin contributes, and whose it is."""

    distribution: str
    version: str
    plugin: str
    value: Any


class ContributionFailure(NamedTuple):
    """A plugin that could not contribute: whose it is, through which hook, and why."""

    distribution: str
    version: str
    plugin: str
    hook: str
    reason: str

    def __str__(self) -> str:
        where = f", hook {self.hook}" if self.hook else ""
        return f"plugin {self.plugin!r} ({self.distribution} {self.version}{where}): {self.reason}"


class Contributions:
    """The hook objects of one registry, each loaded when a hook is first called.

    Args:
        registry: Whose policy decides which plugins are loaded at all, and where failures are shown.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._managers: dict[str, pluggy.PluginManager] = {}
        self._failures: dict[tuple[str, str], ContributionFailure] = {}

    @property
    def failures(self) -> list[ContributionFailure]:
        """What has failed so far, sorted."""
        return sorted(self._failures.values())

    def of(self, hook: str, *, only: Entry | None = None, objection: Objection = lambda _: "") -> list[Contribution]:
        """Return what the plugins, or only one of them, contribute through a hook, sorted by distribution and plugin.

        Never raises for a plugin's mistake: it is logged once, kept in ``failures``, and the plugin is passed over.

        Args:
            hook: One of ``CONTRIBUTION_HOOKS``.
            only: The one plugin to ask.
            objection: Judges each value; a plugin whose value is refused contributes nothing through this hook.
        """
        entries = self._registry.entries(kind=PLUGIN) if only is None else [only]
        plugins = sorted(entries, key=lambda entry: (entry.distribution, entry.name))
        return [
            found
            for entry in plugins
            if entry.state.usable
            for found in self._of(entry, hook, objection, tell=only is None)
        ]

    def _of(self, entry: Entry, hook: str, objection: Objection, *, tell: bool) -> list[Contribution]:
        try:
            values = _call(self._manager(entry), hook)
            problems = [problem for problem in map(objection, values) if problem]
        except UnusableOptimizer as error:
            self._record(entry, "", str(error), tell=tell)
            return []
        except (Exception, SystemExit) as error:
            self._record(entry, hook, f"{type(error).__name__}: {error}".rstrip(": "), tell=tell)
            return []
        if problems:
            self._record(entry, hook, problems[0], tell=tell)
            return []
        self._failures.pop((entry.qualified_name, hook), None)
        return [Contribution(entry.distribution, entry.version, entry.name, value) for value in values]

    def _manager(self, entry: Entry) -> pluggy.PluginManager:
        """Return the manager that holds this one plugin, loaded and verified.

        Raises:
            UnusableOptimizer: It cannot be loaded or does not keep to the specifications; marked in the registry.
        """
        plugin: Any = self._registry.load(entry)
        key = f"{entry.qualified_name} {id(plugin)}"
        if key not in self._managers:
            problem = ""
            try:
                self._managers[key] = _registered(plugin, entry.qualified_name)
            except (Exception, SystemExit) as error:
                name = "" if isinstance(error, _Refused) else f"{type(error).__name__}: "
                problem = " ".join(f"{name}{error}".split())
            if problem:
                step = f"report it to the authors of {entry.distribution}"
                marked = self._registry.mark(entry, Verdict(State.BROKEN, problem, step))
                raise UnusableOptimizer(marked.reason)
        return self._managers[key]

    def _record(self, entry: Entry, hook: str, reason: str, *, tell: bool) -> None:
        failure = ContributionFailure(entry.distribution, entry.version, entry.name, hook, printable(reason))
        key = (entry.qualified_name, hook)
        if self._failures.get(key) != failure:
            self._failures[key] = failure
            # One that was asked for alone is answered by whoever asked.
            _log.log(logging.WARNING if tell else logging.DEBUG, "%s", failure)


class _Refused(Exception):
    """A hook object does not keep to the specifications; the message says how."""


def _registered(plugin: Any, label: str) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(StepHooks)
    manager.add_hookspecs(ContributionHooks)
    instance = plugin() if isinstance(plugin, type) else plugin
    try:
        manager.register(instance, name=label)
    except pluggy.PluginValidationError as error:
        raise _Refused(str(error)) from error
    callers = manager.get_hookcallers(instance) or []
    if not callers:
        raise _Refused(f"it implements no hook: mark its functions with @optreg.hookimpl; {_allowed()}")
    for caller in callers:
        implementations = caller.get_hookimpls()
        if not caller.has_spec() and not any(item.optionalhook for item in implementations):
            raise _Refused(f"unknown hook {caller.name!r}.{suggestion(caller.name, CONTRIBUTION_HOOKS)} {_allowed()}")
        if caller.name in CONTRIBUTION_HOOKS and any(item.wrapper or item.hookwrapper for item in implementations):
            raise _Refused(f"hook {caller.name!r}: a contribution cannot be a wrapper; return the values")
    return manager


def _allowed() -> str:
    return f"the hooks are {', '.join(CONTRIBUTION_HOOKS)}"


def _call(manager: pluggy.PluginManager, hook: str) -> list[Any]:
    """Return the values of a plugin's implementation, one by one; none where it has none."""
    results = getattr(manager.hook, hook)()
    return [value for result in results for value in _values(result)]


def _values(result: Any) -> list[Any]:
    if isinstance(result, Mapping):
        return list(result.items())
    if isinstance(result, Iterable) and not isinstance(result, str | bytes):
        return list(result)
    raise TypeError(f"a hook returns a list or a mapping of contributions, this one returned {result!r}")


def contributed(
    hook: str, *, objection: Objection = lambda _: "", registry: Registry | None = None
) -> list[Contribution]:
    """Return what the installed plugins contribute through a hook; see ``Contributions.of``."""
    return (registry or default_registry()).contributions.of(hook, objection=objection)


def contribution_failures(registry: Registry | None = None) -> list[ContributionFailure]:
    """Return the plugins that could not contribute in this process, and why."""
    return (registry or default_registry()).contributions.failures
