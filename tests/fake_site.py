"""Fake distributions on ``sys.path``, as third parties would install them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from optreg_pytest.distributions import Metadata, forget_modules, write_distribution

CONTRACT_STAND_IN = '''
class Optimizer:
    """Has the name, module and constructor of the contract, so that no test of look-up needs TensorFlow."""

    __module__ = "optreg.optimizer.contract"

    def __init__(self, name, gradient_aggregator=None, gradient_transformers=None, **kwargs):
        self.name = name
        self.options = kwargs

    @classmethod
    def from_config(cls, config):
        return cls(**config)


Optimizer.__init__.__module__ = "optreg.optimizer.contract"
'''

LYNX = '''
from contract_stand_in import Optimizer


class Lynx(Optimizer):
    """Steps by the sign of a momentum.

    For large batches.

    Rule:
        m ← β m + (1 − β) g
        w ← w − lr sign(m)

    Arguments:
        learning_rate: Size of each step.
        beta: Decay of the momentum,
            between zero and one.
    """

    def __init__(self, learning_rate=1e-4, beta=0.99, name="Lynx", **kwargs):
        super().__init__(name, **kwargs)
        self.learning_rate = learning_rate
        self.beta = beta
'''


class Site:
    """A folder of installed distributions that a test fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def install(
        self,
        distribution: str,
        modules: Mapping[str, str | bytes] | None = None,
        *,
        version: str = "1.0",
        entry_points: str = "",
        **optimizers: str,
    ) -> None:
        """Write modules (path to source) and metadata; keywords are optimizer entry points."""
        lines = "".join(f"{name} = {target}\n" for name, target in optimizers.items())
        points = f"[optreg.optimizers]\n{lines}\n{textwrap.dedent(entry_points)}"
        write_distribution(self.folder, modules or {}, Metadata(distribution, version, points))

    def install_lynx(self, distribution: str, *, module: str, name: str = "lynx", version: str = "1.0") -> None:
        """Install a working optimizer class ``Lynx`` in a module of its own."""
        self.install(distribution, {f"{module}.py": LYNX}, version=version, **{name: f"{module}:Lynx"})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty folder at the head of ``sys.path``; what a test imports from it is forgotten afterwards."""
    for variable in ("DISABLE_PLUGINS", "PLUGINS", "PINS", "STRICT", "REQUIRE_PLUGINS"):
        monkeypatch.delenv(f"OPTREG_{variable}", raising=False)
    built = Site(tmp_path / "site")
    (built.folder / "contract_stand_in.py").write_text(CONTRACT_STAND_IN)
    monkeypatch.syspath_prepend(str(built.folder))
    yield built
    forget_modules(built.folder)
