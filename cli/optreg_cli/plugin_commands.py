"""Commands that plugins bring: ``optreg PLUGIN COMMAND``.

The name of a plugin's entry point is known from metadata, so help can show it and nothing need be imported. A plugin is
imported when its own name stands on the command line, and its commands live below that name, where they can displace
no other.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from optreg_cli import rendering

if TYPE_CHECKING:
    from optreg.discovery.entries import Entry

_HOOK = "cli_commands"
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def plugins_with_commands() -> list[str]:
    """Return the names of the plugins whose source text holds the hook, or does not say what it holds."""
    from optreg.errors import OptregError
    from optreg.registry import default_registry

    registry = default_registry()
    try:
        entries = [e for e in registry.entries(kind="plugin") if not e.digest.hooks or _HOOK in e.digest.hooks]
    except OptregError:  # a setting that cannot be read is reported by the commands that need it
        return []
    return sorted(registry.display_name(entry) for entry in entries)


def group_of(name: str) -> TyperGroup | None:
    """Return the commands of a plugin, loaded when first looked at; None where no plugin has that name."""
    from optreg.errors import AmbiguousOptimizer, UnknownOptimizer
    from optreg.registry import default_registry

    try:
        return _PluginGroup(default_registry().optimizer_info(name, kind="plugin"), name)
    except (AmbiguousOptimizer, UnknownOptimizer):
        return None


class _PluginGroup(TyperGroup):
    """The commands of one plugin. Its help line is read from metadata and source text."""

    def __init__(self, entry: Entry, name: str) -> None:
        from rich.markup import escape

        about = f"{entry.state.value}: {entry.reason}" if entry.reason else entry.digest.summary
        text = rendering.one_line(f"{about or 'Commands'} (from {entry.origin})")
        super().__init__(name=name, help=escape(text), rich_help_panel="Plugins", no_args_is_help=True)
        self._entry = entry

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the plugin's commands. Imports the plugin."""
        return self._commands.list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one of the plugin's commands. Imports the plugin."""
        return self._commands.get_command(ctx, cmd_name)

    @functools.cached_property
    def _commands(self) -> TyperGroup:
        from optreg.errors import UnusableOptimizer
        from optreg.registry import default_registry
        from optreg_cli.quiet import quiet_tensorflow

        quiet_tensorflow()
        contributions = default_registry().contributions
        found = contributions.of(_HOOK, only=self._entry, objection=_objection)
        failures = [item for item in contributions.failures if item.plugin == self._entry.name]
        if not self._entry.usable or (failures and not found):
            reason = str(failures[0]) if failures else f"{self._entry.qualified_name} is {self._entry.state.value}"
            raise UnusableOptimizer(f"{reason}. {self._entry.reason}".rstrip(". "))
        group = typer.Typer(callback=lambda: None)
        for contribution in found:
            name, function = contribution.value
            group.command(name)(_attributed(function, f"{self._entry.origin}: command {name!r}"))
        if not found:
            raise UnusableOptimizer(f"the plugin {self._entry.qualified_name} contributes no commands")
        return get_command(group)  # type: ignore[return-value]  # it has a callback, so it is a group


def _objection(value: Any) -> str:
    """Return what is wrong with a contributed command."""
    match value:
        case (str(name), function) if _NAME.fullmatch(name) and callable(function):
            try:
                get_command(_single(name, function))
            except Exception as error:
                return f"command {name!r} cannot be built: {type(error).__name__}: {error}"
            return ""
    return f"it returns a mapping of command name ([a-z][a-z0-9_-]*) to function, received {value!r}"


def _single(name: str, function: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer()
    app.command(name)(function)
    return app


def _attributed(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    """Return the function with its failures laid at the plugin's door."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        from optreg.errors import OptregError, UnusableOptimizer

        try:
            return function(*arguments, **options)
        except (OptregError, typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if hasattr(error, "exit_code"):  # the command-line library's own
                raise
            raise UnusableOptimizer(f"{label} failed: {type(error).__name__}: {error}") from error

    return run
