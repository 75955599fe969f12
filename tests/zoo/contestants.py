"""The child process of the comparison: one loader finds the good plugin among the animals, as its documentation shows.

::

    python -m tests.zoo.contestants pluggy '[["raises", "optimizer", "raises", "import"]]'

What a loader says goes to stdout and stderr; the lines that begin with ``::`` are for the parent.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .animal import MARKERS, OPTIMIZERS, PLUGINS

Asked = list[tuple[str, str, str]]
"""Kind, what users ask for, and how: ``import``, ``build`` or ``child``, for what must not be imported here."""

_GOOD = [len]
"""What the good hook object contributes."""

_CHILD_LIMIT = 5.0  # seconds


def tell(word: str, value: object) -> None:
    """Say something to the parent."""
    print(f"::{word} {value}", flush=True)


def tell_imported() -> None:
    """Say how many modules of the zoo have been imported until now."""
    tell("imported", sum(1 for _ in Path(os.environ[MARKERS]).iterdir()))


def optreg(asked: Asked) -> None:
    """List everything with its state and reason, then ask for the good ones, then for each animal."""
    from optreg.registry import default_registry

    registry = default_registry()
    for entry in registry.entries(kind=None):
        print(entry.qualified_name, entry.state.value, entry.reason, entry.next_step)
    tell_imported()
    for question in asked:
        _ask_optreg(registry, *question)
    hooks = [found.value for found in registry.contributions.of("doctor_checks")]
    print(*registry.contributions.failures, sep="\n")
    tell("good", registry.get_class("puma").__module__ == "good_puma" and hooks == _GOOD)


def _ask_optreg(registry: Any, kind: str, name: str, how: str) -> None:
    from optreg.diagnosis.trial import try_loading
    from optreg.errors import OptregError

    try:
        if how == "child":
            print(try_loading(registry.optimizer_info(name, kind=kind), timeout=_CHILD_LIMIT))
        elif how == "build":
            registry.get_optimizer(name)
        elif kind == "optimizer":
            registry.get_class(name)
    except OptregError as error:
        print(error)


def pluggy(asked: Asked) -> None:
    """Load both groups into one manager with its specifications, then call the hook."""
    import pluggy as library

    from optreg.hookspecs import PROJECT, ContributionHooks

    manager = library.PluginManager(PROJECT)
    manager.add_hookspecs(ContributionHooks)
    manager.load_setuptools_entrypoints(OPTIMIZERS)
    manager.load_setuptools_entrypoints(PLUGINS)
    tell_imported()
    manager.check_pending()
    values = manager.hook.doctor_checks()
    puma: Any = manager.get_plugin("puma")
    tell("good", puma is not None and puma.__module__ == "good_puma" and _GOOD in values)


def stevedore(asked: Asked, **options: Any) -> None:
    """Make a manager of each group, then map the hook over the second one."""
    from stevedore import ExtensionManager

    optimizers = ExtensionManager(OPTIMIZERS, invoke_on_load=False, **options)
    hooks = ExtensionManager(PLUGINS, invoke_on_load=False, **options)
    tell_imported()
    values = hooks.map(lambda extension: extension.plugin.doctor_checks())
    tell("good", optimizers["puma"].plugin.__module__ == "good_puma" and _GOOD in values)


def stevedore_with_callback(asked: Asked) -> None:
    """Do the same, failures told by a callback."""

    def failed(manager: Any, entry_point: Any, error: Exception) -> None:
        print(f"{entry_point.name}: {type(error).__name__}: {error}")

    stevedore(asked, on_load_failure_callback=failed)


LOADERS: dict[str, Callable[[Asked], None]] = {
    "optreg": optreg,
    "pluggy": pluggy,
    "stevedore": stevedore,
    "stevedore with callback": stevedore_with_callback,
}

if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    try:
        LOADERS[sys.argv[1]](json.loads(sys.argv[2]))
    except BaseException as error:
        tell("raised", type(error).__name__)
        raise
    tell("end", "reached")
