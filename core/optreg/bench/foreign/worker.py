"""The process in which torch or optax makes its steps: commands come as lines of JSON, answers go back the same way.

Run as a script: it imports nothing of optreg, so that TensorFlow's threads and allocator are not in this process.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

# Our names of hyperparameters, and what they are called elsewhere; the first that the constructor takes is used.
_OTHER_NAMES: Mapping[str, Sequence[str]] = {
    "learning_rate": ("lr", "learning_rate"),
    "epsilon": ("eps",),
    "rho": ("rho", "alpha", "decay"),
    "beta_1": ("b1",),
    "beta_2": ("b2",),
    "initial_accumulator_value": ("initial_accumulator_value",),
}


class Unavailable(Exception):
    """The library has no such optimizer or variant; the message is the note to show."""


class Worker:
    """One optimizer on its variables: what it is told to do, and how long that took."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        start = time.perf_counter()
        make = {"torch": _torch, "optax": _optax}[order["library"]]
        self.step, self.wait, self.slots, self.about = make(order)
        built = time.perf_counter() - start
        first = self.run(1)
        again = self.run(1)
        self.about |= {"build": built, "compile": max(first - again, 0.0), "first": again, "slots": self.slots()}

    def run(self, steps: int) -> float:
        """Make the steps and return the seconds they took."""
        self.wait()
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        self.wait()
        return time.perf_counter() - start


Made = tuple[Callable[[], object], Callable[[], object], Callable[[], dict[str, int]], dict[str, Any]]


def _torch(order: Mapping[str, Any]) -> Made:
    import torch  # noqa: PLC0415 - need not be installed

    torch.set_num_threads(int(order["threads"]))
    kind = _class_of(vars(torch.optim), order["class"], "torch.optim")
    options, notes = _arguments(kind, order["hyperparameters"])
    variables = [torch.randn(tuple(shape), requires_grad=True) for shape in order["shapes"]]
    for variable in variables:
        variable.grad = 0.01 * torch.randn(variable.shape)
    if order["variant"] == "fused":
        if "fused" not in inspect.signature(kind).parameters:
            raise Unavailable(f"torch {torch.__version__} has no fused {kind.__name__}")
        options["fused"] = True
    optimizer = kind(variables, **options)
    step = optimizer.step
    if order["variant"] == "compiled":
        step = torch.compile(optimizer.step)

    def slots() -> dict[str, int]:
        found: dict[str, int] = {}
        for state in optimizer.state.values():
            for name, value in state.items():
                if torch.is_tensor(value):
                    found[name] = found.get(name, 0) + value.numel() * value.element_size()
        return found

    return step, lambda: None, slots, {"version": torch.__version__, "notes": notes}


def _optax(order: Mapping[str, Any]) -> Made:
    import jax  # noqa: PLC0415 - need not be installed
    import optax  # noqa: PLC0415 - see jax

    kind = _class_of(vars(optax), order["class"], "optax")
    options, notes = _arguments(kind, order["hyperparameters"])
    transformation = kind(**options)
    keys = jax.random.split(jax.random.PRNGKey(0), len(order["shapes"]))
    state: dict[str, Any] = {
        "values": [jax.random.normal(key, tuple(shape)) for key, shape in zip(keys, order["shapes"], strict=True)]
    }
    gradients = [0.01 * value for value in state["values"]]
    state["slots"] = transformation.init(state["values"])

    def update(values: Any, slots: Any, gradients: Any) -> Any:
        updates, slots = transformation.update(gradients, slots, values)
        return optax.apply_updates(values, updates), slots

    compiled = jax.jit(update, donate_argnums=(0, 1))  # in place, as ours

    def step() -> None:
        state["values"], state["slots"] = compiled(state["values"], state["slots"], gradients)

    def slots() -> dict[str, int]:
        found: dict[str, int] = {}
        for path, leaf in jax.tree_util.tree_flatten_with_path(state["slots"])[0]:
            names = [str(key.name) for key in path if hasattr(key, "name")]
            size = math.prod(leaf.shape) * leaf.dtype.itemsize
            found[names[-1] if names else "state"] = found.get(names[-1] if names else "state", 0) + size
        return found

    return step, lambda: jax.block_until_ready(state), slots, {"version": optax.__version__, "notes": notes}


def _class_of(namespace: Mapping[str, Any], name: str, library: str) -> Any:
    found = {key.lower(): value for key, value in namespace.items() if callable(value)}
    if name.lower() not in found:
        raise Unavailable(f"{library} has no optimizer {name}")
    return found[name.lower()]


def _arguments(kind: Any, hyperparameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the hyperparameters that the constructor takes, by its names, and notes on the others."""
    accepted = inspect.signature(kind).parameters
    options: dict[str, Any] = {}
    notes: list[str] = []
    if "betas" in accepted and "beta_1" in hyperparameters and "beta_2" in hyperparameters:
        options["betas"] = (hyperparameters["beta_1"], hyperparameters["beta_2"])
    for key, value in hyperparameters.items():
        name = next((it for it in (*_OTHER_NAMES.get(key, ()), key) if it in accepted), None)
        if name is not None:
            options[name] = value
        elif value and not (key.startswith("beta_") and "betas" in options):
            notes.append(f"runs without {key}={value!r}")
    return options, notes


def serve(lines: TextIO, answers: TextIO) -> None:
    """Answer every line until there are no more."""
    worker: Worker | None = None
    for line in lines:
        order = json.loads(line)
        try:
            if worker is None:
                worker = Worker(order)
                answer: dict[str, Any] = worker.about
            else:
                answer = {"seconds": worker.run(int(order["steps"]))}
        except Unavailable as error:
            answer = {"unavailable": str(error)}
        except Exception as error:  # whatever the library raises is told, and is the row's reason
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # What libraries print must not be taken for an answer.
    out, sys.stdout = sys.stdout, sys.stderr
    serve(sys.stdin, out)
