"""The whole zoo, installed for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from optreg.registry import Registry, default_registry
from optreg_cli.main import app

from .animal import MARKERS
from .animals import ANIMALS
from .enclosure import WITH_TENSORFLOW, install

_SETTINGS = ("DISABLE_PLUGINS", "PLUGINS", "PINS", "STRICT", "REQUIRE_PLUGINS")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The folders of the whole zoo, put at the head of ``sys.path``; what came from them is forgotten afterwards."""
    root = tmp_path_factory.mktemp("zoo")
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name in _SETTINGS:
            patch.delenv(f"OPTREG_{name}", raising=False)
        path = install(root, ANIMALS, contract=WITH_TENSORFLOW)
        patch.setattr(sys, "path", [*path, *sys.path])
        default_registry().refresh()
        yield path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]
    default_registry().refresh()


@pytest.fixture(scope="module")
def registry(zoo: list[str]) -> Registry:
    """One registry over the whole zoo, which meets animal after animal."""
    return Registry()


@pytest.fixture
def optreg(zoo: list[str]):
    """Run the command line in this process."""
    return lambda *arguments: CliRunner().invoke(app, list(arguments), prog_name="optreg")


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return the names of the modules of the zoo that were imported since the test began."""
    folder = tmp_path / "markers"
    folder.mkdir()
    monkeypatch.setenv(MARKERS, str(folder))
    return lambda: sorted(path.name for path in folder.iterdir())
