"""What the tests of the benchmark need: small layouts, entries made by hand, and optimizers that misbehave."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tests.bench import network_block

import optreg
from optreg.bench import Effort, Layout, Options
from optreg.bench.results import Sample, SpeedEntry

TINY = Layout("tiny", ((3, 4), (5,)), "two small tensors")


@pytest.fixture(scope="session")
def blocking_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that blocks the network of every Python that starts with it on its path."""
    folder = tmp_path_factory.mktemp("blocking")
    text = Path(network_block.__file__).read_text(encoding="utf-8")
    (folder / "sitecustomize.py").write_text(f"{text}\n\nblock()\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True, scope="module")
def no_network(blocking_folder: Path) -> Iterator[None]:
    """Let nothing that a test of the benchmark does leave this machine, in this process or in a child.

    It holds for a module, because what a module's fixtures do must be blocked as well.
    """
    with pytest.MonkeyPatch.context() as patch:
        for target, name, value in list(network_block.replacements()):
            patch.setattr(target, name, value)
        path = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(blocking_folder), *([path] if path else [])]))
        yield


@pytest.fixture
def quick() -> Options:
    return Options(
        layouts=[TINY],
        devices=["cpu:0"],
        tasks=["digits"],
        seeds=2,
        epochs=1,
        budget=900,
        effort=Effort(sample_seconds=0.0005, warm_ups=1, fewest=6, most=6),
    )


@pytest.fixture
def make_entry() -> Callable[..., SpeedEntry]:
    def make(implementation: str = "optreg", *, seconds: list[float] | None = None, **fields: Any) -> SpeedEntry:
        keys = {"optimizer": "adam", "execution": "graph", "layout": "tiny", "device": "cpu:0"}
        entry = SpeedEntry(implementation=implementation, **(keys | fields))
        entry.samples = [Sample(number, 0, 1, value) for number, value in enumerate(seconds or [])]
        return entry

    return make


class _Descent(optreg.Optimizer):
    """Plain gradient descent with a step of 0.1, to be spoilt by subclasses."""

    def __init__(self, name: str = "Descent", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return var.assign_sub(0.1 * grad)

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return self._resource_scatter_add(var, indices, -0.1 * grad)


class Raising(_Descent):
    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        raise RuntimeError("the kernel is on holiday")


class Diverging(_Descent):
    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return var.assign(tf.fill(tf.shape(var), float("nan")))


class Hoarding(_Descent):
    """Keeps a number for each parameter where its card declares one for each variable."""

    card = optreg.Card(slots=(optreg.Slot("hoard", scalar=True),), dtypes=("float32",))

    def _create_slots(self, var_list: Any) -> None:
        for var in var_list:
            self.add_slot(var, "hoard")


class RefusesToStart(_Descent):
    def __init__(self, name: str = "RefusesToStart", **kwargs: Any) -> None:
        raise OSError("no licence server")


@pytest.fixture
def misbehaving() -> Iterator[None]:
    classes = {"raising": Raising, "diverging": Diverging, "hoarding": Hoarding, "refusing": RefusesToStart}
    for name, cls in classes.items():
        optreg.register(name, cls)
    yield
    for name in classes:
        optreg.unregister(name)


DEADLY = """
import os, signal, time
import optreg

class _Descent(optreg.Optimizer):
    def __init__(self, name="Descent", **kwargs):
        super().__init__(name, **kwargs)
    def get_config(self):
        return super().get_config()
    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(0.1 * grad)

class Killed(_Descent):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        os.kill(os.getpid(), signal.SIGKILL)

class Hanging(_Descent):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        time.sleep(1000)
"""


@pytest.fixture
def deadly(optreg_distribution: Any) -> None:
    """Two optimizers that end and hang the process which takes a step with them."""
    points = {"killed_one": "deadly:Killed", "hanging_one": "deadly:Hanging"}
    optreg_distribution("deadly", {"deadly.py": DEADLY}, optimizers=points)
