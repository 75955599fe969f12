"""Distributions that exist as files on ``sys.path`` until a test ends, as pip would have installed them."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import NamedTuple

from optreg.discovery.distributions import normalise
from optreg.discovery.entries import GROUPS, SESSION
from optreg.errors import InvalidProject
from optreg.registry import default_registry
from optreg_pytest.isolation import IsolatedRegistry

Modules = Mapping[str, str | bytes]
"""Path in the distribution, such as ``"lynx_pack/rule.py"``, to what stands in the file."""


class TemporaryDistributions:
    """Installs into a folder of its own for each distribution: bytecode of another version is never met.

    Args:
        folder: Where the folders are made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._places: dict[str, Path] = {}

    def __call__(  # noqa: PLR0913 - keywords for what pyproject.toml has tables for
        self,
        distribution: str,
        modules: Modules,
        *,
        version: str = "1.0",
        optimizers: Mapping[str, str] | None = None,
        transformers: Mapping[str, str] | None = None,
        aggregators: Mapping[str, str] | None = None,
        plugins: Mapping[str, str] | None = None,
        requires: Sequence[str] = (),
        requires_python: str = "",
    ) -> Path:
        """Write a distribution, put it at the head of ``sys.path`` and refresh the registry in use.

        One of the same name is replaced, be it of this test or really installed.

        Args:
            distribution: Its name.
            modules: What is in it. Common indentation is taken out of text.
            version: Its version.
            optimizers: Entry points, name to ``module:Class``; likewise the other kinds.
            transformers: See ``optimizers``.
            aggregators: See ``optimizers``.
            plugins: See ``optimizers``; ``module`` alone will do.
            requires: Its requirements, as in ``pyproject.toml``; nothing is installed for them.
            requires_python: Range of Python versions.

        Returns:
            The folder it is in.

        Raises:
            InvalidProject: A path leads out of the distribution, or a module of that name is in use already.
        """
        self._require_usable(distribution, modules)
        self.remove(distribution)
        self._made += 1
        place = self._folder / str(self._made)
        groups = zip(GROUPS, (optimizers, transformers, aggregators, plugins), strict=True)
        points = "\n".join(line for group, named in groups for line in _section(group, named or {}))
        headers = [f"Requires-Python: {requires_python}"] if requires_python else []
        headers += [f"Requires-Dist: {requirement}" for requirement in requires]
        write_distribution(place, modules, Metadata(distribution, version, points, tuple(headers)))
        self._places[normalise(distribution)] = place
        sys.path.insert(0, str(place))
        _tell_registry(distribution, there=True)
        return place

    def remove(self, distribution: str) -> None:
        """Uninstall a distribution of this test, and forget what was imported from it; of another one, do nothing."""
        place = self._places.pop(normalise(distribution), None)
        if place is None:
            return
        if str(place) in sys.path:
            sys.path.remove(str(place))
        gone = forget_modules(place)
        sys.path_importer_cache.pop(str(place), None)
        _take_back_what_they_registered(gone)
        _tell_registry(distribution, there=False)

    def remove_all(self) -> None:
        """Uninstall everything that this test installed."""
        for distribution in list(self._places):
            self.remove(distribution)

    def _require_usable(self, distribution: str, modules: Modules) -> None:
        own = self._places.get(normalise(distribution))
        for path in modules:
            parts = PurePosixPath(path).parts
            if not parts or ".." in parts or path.startswith("/") or "\\" in path:
                raise InvalidProject(
                    f"{distribution}: a module is given by its path in the distribution, such as 'lynx_pack/rule.py', "
                    f"received {path!r}"
                )
            name = parts[0].removesuffix(".py")
            present = sys.modules.get(name)
            if present is not None and not (own and _lies_in(own, present)):
                origin = getattr(present, "__file__", None) or "Python itself"
                raise InvalidProject(
                    f"{distribution}: a module {name!r} is imported already, from {origin}, and this one would never "
                    f"be. Choose another name"
                )


class Metadata(NamedTuple):
    """What a ``.dist-info`` folder says: ``entry_points`` as they stand in the file, ``headers`` as further lines."""

    name: str
    version: str
    entry_points: str
    headers: tuple[str, ...] = ()


def write_distribution(place: Path, modules: Modules, metadata: Metadata) -> None:
    """Write modules and metadata into a folder, as pip leaves them."""
    for path, content in modules.items():
        _write(place / path, content)
    information = place / f"{metadata.name.replace('-', '_')}-{metadata.version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {metadata.name}", f"Version: {metadata.version}", *metadata.headers, ""]
    _write(information / "METADATA", "\n".join(lines))
    _write(information / "entry_points.txt", metadata.entry_points)
    importlib.invalidate_caches()


def forget_modules(place: Path) -> set[str]:
    """Take out of ``sys.modules`` what was imported from a folder, and return the names."""
    gone = {name for name, module in list(sys.modules.items()) if _lies_in(place, module)}
    for name in gone:
        del sys.modules[name]
    return gone


def _write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())


def _section(group: str, points: Mapping[str, str]) -> Iterator[str]:
    yield f"[{group}]"
    yield from (f"{name} = {target}" for name, target in points.items())


def _lies_in(place: Path, module: ModuleType) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    # The paths of thousands of modules are compared as text first, because taking them apart takes half a second.
    near = (where for where in places if isinstance(where, str) and where.startswith(str(place)))
    return any(place in Path(where).parents for where in near)


def _take_back_what_they_registered(modules: set[str]) -> None:
    if not modules:
        return
    registry = default_registry()
    for entry in registry.entries(kind=None):
        if entry.distribution == SESSION and entry.target.partition(":")[0] in modules:
            registry.unregister(entry.name, kind=entry.kind)


def _tell_registry(distribution: str, *, there: bool) -> None:
    registry = default_registry()
    if not isinstance(registry, IsolatedRegistry):
        registry.refresh()
    elif there:
        registry.include(distribution)
    else:
        registry.exclude(distribution)
