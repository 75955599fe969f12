"""The fixtures. Imports of optreg stand inside them, see the package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from optreg_pytest.distributions import TemporaryDistributions
    from optreg_pytest.isolation import IsolatedRegistry
    from optreg_pytest.registration import TemporaryNames


@pytest.fixture
def optreg_registry() -> Iterator[IsolatedRegistry]:
    """An empty registry that ``optreg`` uses during the test, whatever is installed and however the user set it up.

    ``optreg_registry.include("optreg")`` adds what an installed distribution offers.
    """
    from optreg.keras.identifiers import withdraw_names  # noqa: PLC0415 - see the package
    from optreg.registry import registry_in_use  # noqa: PLC0415 - see the package
    from optreg_pytest.isolation import IsolatedRegistry  # noqa: PLC0415 - see the package

    registry = IsolatedRegistry()
    with registry_in_use(registry):
        yield registry
    withdraw_names()


@pytest.fixture
def optreg_plugin() -> Iterator[TemporaryNames]:
    """A function that gives a class a name until the test ends: ``optreg_plugin("lynx", Lynx)``."""
    from optreg.keras.identifiers import withdraw_names  # noqa: PLC0415 - see the package
    from optreg_pytest.registration import TemporaryNames  # noqa: PLC0415 - see the package

    names = TemporaryNames()
    yield names
    names.take_back()
    withdraw_names()


@pytest.fixture
def optreg_distribution(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TemporaryDistributions]:
    """A function that installs a distribution until the test ends, without pip.

    ::

        optreg_distribution("lynx-pack", {"lynx_pack.py": SOURCE}, optimizers={"lynx": "lynx_pack:Lynx"})

    Settings of whoever runs the test are put aside; a test that wants some sets them with ``monkeypatch``.
    """
    from optreg.keras.identifiers import withdraw_names  # noqa: PLC0415 - see the package
    from optreg_pytest.distributions import TemporaryDistributions  # noqa: PLC0415 - see the package
    from optreg_pytest.isolation import set_settings_aside  # noqa: PLC0415 - see the package

    set_settings_aside(monkeypatch)
    installed = TemporaryDistributions(tmp_path_factory.mktemp("optreg_distribution"))
    yield installed
    installed.remove_all()
    withdraw_names()
