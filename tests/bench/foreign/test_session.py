"""The process of a foreign library: what it answers, and what becomes of its silence and its death."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from optreg.bench import Options, run, speed_rows
from optreg.bench.contenders import contenders
from optreg.bench.foreign import session as module
from optreg.bench.foreign.session import ForeignFailure, NotOffered, Session
from optreg.bench.foreign.worker import _arguments, serve
from optreg.bench.peers import LIBRARIES
from optreg.bench.selection import Choice

ORDER = {"threads": 1}
ANSWERING = """
import json, os, sys, time
for number, line in enumerate(sys.stdin):
    order = json.loads(line)
    if number == 0:
        print(json.dumps({"build": 0.5}), flush=True)
    elif order["steps"] == 13:
        os._exit(7)
    elif order["steps"] == 99:
        time.sleep(60)
    else:
        print(json.dumps({"seconds": 0.25 * order["steps"]}), flush=True)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(ANSWERING)
    monkeypatch.setattr(module, "_WORKER", path)
    return path


def test_steps_are_made_there_and_their_seconds_come_back(script: Path) -> None:
    session = Session(ORDER)
    assert session.about == {"build": 0.5}
    assert session.run(4) == 1.0
    session.close()


@pytest.mark.parametrize(
    ("steps", "message"), [(13, "its process ended with exit code 7"), (99, "no answer from its process for 0.5 s")]
)
def test_death_and_silence_are_errors(script: Path, steps: int, message: str) -> None:
    session = Session(ORDER, timeout=120.0)
    session._timeout = 0.5 if steps == 99 else 120.0
    with pytest.raises(ForeignFailure, match=message):
        session.run(steps)
    session.close()


@pytest.mark.parametrize(("answer", "kind"), [({"error": "E: x"}, ForeignFailure), ({"unavailable": "x"}, NotOffered)])
def test_what_the_library_refuses_is_told(script: Path, answer: dict[str, str], kind: type[Exception]) -> None:
    script.write_text(f"import sys\nsys.stdin.readline()\nprint({json.dumps(answer)!r}, flush=True)\n")
    with pytest.raises(kind, match="x"):
        Session(ORDER)


def test_hyperparameters_get_the_names_of_the_other_library() -> None:
    def theirs(params: Any, lr: float = 1, betas: Any = (), eps: float = 0, amsgrad: bool = False) -> None: ...

    ours = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-7, "amsgrad": True, "decay": 0.5}
    assert _arguments(theirs, ours) == (
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-7, "amsgrad": True},
        ["runs without decay=0.5"],
    )


def test_a_library_that_raises_is_an_answer_and_not_the_end() -> None:
    out = io.StringIO()
    serve(io.StringIO(json.dumps({"library": "unheard-of", "threads": 1}) + "\n"), out)
    assert json.loads(out.getvalue()) == {"error": "KeyError: 'unheard-of'"}


class Tensor:
    """As much of ``torch.Tensor`` as is asked for, in float32."""

    def __init__(self, shape: Sequence[int], *, requires_grad: bool = False) -> None:
        self.shape, self.requires_grad, self.grad = tuple(shape), requires_grad, None

    def __rmul__(self, factor: float) -> Tensor:
        return self

    def numel(self) -> int:
        return math.prod(self.shape)

    def element_size(self) -> int:
        return 4


class Adam:
    """Keeps the state that ``torch.optim.Adam`` documents, and counts its steps; its constructor is theirs."""

    made: list[Adam]

    def __init__(
        self,
        params: Sequence[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        fused: bool | None = None,
    ) -> None:
        self.params, self.arguments, self.steps = params, {"lr": lr, "betas": betas, "eps": eps, "fused": fused}, 0
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.made.append(self)

    def step(self) -> None:
        assert all(param.requires_grad and param.grad is not None for param in self.params)
        self.steps += 1
        for param in self.params:
            moments = {name: Tensor(param.shape) for name in ("exp_avg", "exp_avg_sq")}
            self.state[param] = {"step": Tensor(()), **moments, "note": "no tensor"}


class Adadelta(Adam):
    def __init__(self, params: Sequence[Tensor], lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6) -> None:
        super().__init__(params, lr)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A library with the names of torch that the worker uses; torch itself is too large for these tests."""
    Adam.made = []
    library = SimpleNamespace(
        __version__="2.99",
        threads=[],
        compiled=[],
        optim=SimpleNamespace(Adam=Adam, Adadelta=Adadelta),
        is_tensor=lambda value: isinstance(value, Tensor),
        randn=lambda shape, requires_grad=False: Tensor(shape, requires_grad=requires_grad),
    )
    library.set_num_threads = library.threads.append

    def compiled(step: Callable[[], None]) -> Callable[[], None]:
        library.compiled.append(step)
        return step

    library.compile = compiled
    monkeypatch.setitem(sys.modules, "torch", library)
    return library


def told(variant: str, name: str, *orders: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the worker answers to the order of an optimizer of torch, and to further ones."""
    settings = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-7, "decay": 0.5}
    first = {"library": "torch", "variant": variant, "class": name, "hyperparameters": settings}
    first |= {"shapes": [[3, 4], [5]], "threads": 2}
    out = io.StringIO()
    serve(io.StringIO("".join(json.dumps(order) + "\n" for order in (first, *orders))), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("variant", "fused", "compilations"), [("", None, 0), ("fused", True, 0), ("compiled", None, 1)]
)
def test_torch_is_set_up_as_ordered_and_makes_the_steps_that_it_is_told(
    torch: SimpleNamespace, variant: str, fused: bool | None, compilations: int
) -> None:
    about, answer = told(variant, "Adam", {"steps": 3})
    assert about["slots"] == {"step": 2 * 4, "exp_avg": 17 * 4, "exp_avg_sq": 17 * 4}
    assert (about["version"], about["notes"]) == ("2.99", ["runs without decay=0.5"])
    assert min(about["build"], about["first"], about["compile"], answer["seconds"]) >= 0
    [made] = Adam.made
    assert made.arguments == {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-7, "fused": fused}
    assert [param.shape for param in made.params] == [(3, 4), (5,)]
    assert made.steps == 2 + 3  # the first, one that tells the compilation from it, and those asked for
    assert (torch.threads, torch.compiled) == ([2], [made.step] * compilations)


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    ("variant", "name", "message"),
    [("fused", "Adadelta", "torch 2.99 has no fused Adadelta"), ("", "Ftrl", "torch.optim has no optimizer Ftrl")],
)
def test_what_torch_has_not_is_told(variant: str, name: str, message: str) -> None:
    assert told(variant, name) == [{"unavailable": message}]


def test_a_library_that_is_not_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optreg.bench.contenders.is_installed", lambda _: False)
    found, notes = contenders(Choice("adam"), [LIBRARIES["torch"]])
    assert [it.implementation for it in found] == ["optreg"]
    assert notes == ["torch is not installed; pip install torch"]


def test_optax_is_sampled_in_the_same_rounds_and_compared_with_ours(quick: Options) -> None:
    pytest.importorskip("optax")
    from dataclasses import replace

    found = run(["adam"], replace(quick, modes=("speed",), executions=("graph",), against=("optax",)))
    [row] = [row for row in speed_rows(found) if row.entry.implementation == "optax"]
    [ours] = [row for row in speed_rows(found) if row.entry.implementation == "optreg"]
    assert row.entry.state.name == "finished", row.entry.state
    assert {slot.name: slot.measured for slot in row.entry.slots} == {"count": 4, "mu": 68, "nu": 68}
    assert [it.round for it in row.entry.samples] == [it.round for it in ours.entry.samples]
    assert row.ratio is not None
