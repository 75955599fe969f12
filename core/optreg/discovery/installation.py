"""What is installed: versions of optreg and of the libraries around it, and the plugins. Nothing is imported."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from optreg.discovery.distributions import distributions, installed_versions
from optreg.discovery.entries import BUILT_IN, GROUPS, PLUGIN, State
from optreg.discovery.index import GROUP_PREFIX
from optreg.discovery.policy import Policy

_LIBRARIES = {
    "optreg": ("optreg",),
    "TensorFlow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-intel", "tf-nightly"),
    "Keras": ("keras", "keras-nightly"),
    "tf_keras": ("tf-keras", "tf-keras-nightly"),
    "NumPy": ("numpy",),
}


@dataclass(frozen=True)
class Plugin:
    """A distribution other than optreg that offers optimizers, transformers, aggregators or hooks."""

    distribution: str
    version: str
    names: tuple[str, ...]
    hooks: tuple[str, ...]
    disabled: bool


def versions() -> dict[str, str]:
    """Return library to version, in the order in which they are shown; empty where it is not installed."""
    found = installed_versions(sys.path, [name for names in _LIBRARIES.values() for name in names])
    shown = {label: next((found[name] for name in names if name in found), "") for label, names in _LIBRARIES.items()}
    return {**shown, "Python": platform.python_version()}


def plugins() -> list[Plugin]:
    """Return the plugin distributions on ``sys.path``, sorted by name."""
    policy = Policy.from_environment()
    return [
        Plugin(
            distribution=found.name,
            version=found.version,
            names=tuple(sorted({p.name for p in found.entry_points if GROUPS.get(p.group, PLUGIN) != PLUGIN})),
            hooks=tuple(sorted({p.name for p in found.entry_points if GROUPS.get(p.group) == PLUGIN})),
            disabled=policy.verdict(found.name).state is State.DISABLED,
        )
        for found in distributions(sys.path, group_prefix=GROUP_PREFIX)
        if found.name != BUILT_IN
    ]
