"""The command that makes an exhibit again: every option that differed from its default, for the modes it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from optreg.bench.report.text import command, unique

Record = Mapping[str, Any]


class _Flag(NamedTuple):
    """How a field of ``Options`` is written, and for which modes it counts; none of them stands for all."""

    word: str
    modes: frozenset[str]
    separator: str = ""
    """Between the values of one word; without one the word is repeated."""


def _for(*modes: str) -> frozenset[str]:
    return frozenset(modes)


FLAGS: Mapping[str, _Flag] = {
    "layouts": _Flag("--layout", _for("speed", "memory")),
    "replicated_layouts": _Flag("--layout", _for("replicas")),
    "executions": _Flag("--execution", _for("speed")),
    "against": _Flag("--against", _for("speed", "training", "memory", "replicas")),
    "devices": _Flag("--device", _for("speed", "training", "memory", "replicas")),
    "tasks": _Flag("--task", _for("training")),
    "seeds": _Flag("--seeds", _for("training")),
    "epochs": _Flag("--epochs", _for("training")),
    "schedule": _Flag("--schedule", _for("training")),
    "warmup": _Flag("--warmup", _for("training")),
    "split": _Flag("--split", _for("training")),
    "landscapes": _Flag("--function", _for("landscapes")),
    "trials": _Flag("--trials", _for("training", "landscapes")),
    "rates": _Flag("--lr-grid", _for("training", "landscapes"), ","),
    "hooks": _Flag("--hooks", _for("speed")),
    "strategies": _Flag("--strategy", _for("replicas")),
    "replicas": _Flag("--replicas", _for("replicas"), ","),
    "workers": _Flag("--workers", _for("training", "landscapes")),
    "executor": _Flag("--executor", _for("training", "landscapes")),
    "address": _Flag("--ray-address", _for("training", "landscapes")),
    "budget": _Flag("--budget", frozenset()),
    "patience": _Flag("--timeout", frozenset()),
}
"""Fields of ``Options`` that the command line knows."""


def again(document: Record, *modes: str, names: Sequence[str] = (), **chosen: Sequence[str]) -> str:
    """Return the command line that makes what these modes found again.

    Args:
        document: The results.
        modes: Of ``optreg bench --mode``.
        names: Optimizers; all that were measured by default.
        chosen: Fields of ``Options`` of which the exhibit shows less than the run measured, such as ``tasks``.
    """
    given = {**document["options"], **_found(document), **chosen}
    names = names or unique([it["optimizer"] for it in document["subjects"]])
    words = [word for mode in modes for word in ("--mode", mode)]
    for name, value in _differing(given):
        flag = FLAGS[name]
        if not flag.modes or flag.modes & set(modes):
            words += _written(flag, [_layout(document, it) for it in value] if "layout" in name else value)
    return command("bench", *names, *words, *_processes(document, modes))


def _found(document: Record) -> dict[str, list[str]]:
    """Return the tasks and functions by name: which those of a suite are may change with the version."""
    tasks = unique([it["task"] for it in document["training"]])
    functions = unique([it["landscape"] for it in document.get("descents", [])])
    return {"tasks": tasks, "landscapes": functions}


def _differing(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that have a flag and another value than by default."""
    from optreg.bench.run import Options  # noqa: PLC0415 - TensorFlow, only when it is needed

    default = Options()
    for field in fields(Options):
        usual = getattr(default, field.name)
        value = given.get(field.name, usual)
        if field.name in FLAGS and _plain(value) != _plain(usual):
            yield field.name, value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _written(flag: _Flag, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag.word] if value else []
    values = [_number(it) for it in (value if isinstance(value, (list, tuple)) else [value]) if it is not None]
    if flag.separator:
        return [flag.word, flag.separator.join(values)]
    return [word for it in values for word in (flag.word, it)]


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _layout(document: Record, layout: Any) -> str:
    """Return what a layout of this name was given as: the path of a file, whose stem is its name."""
    if isinstance(layout, Mapping):
        return str(layout["name"])
    options = document["options"]
    given = [it for key in ("layouts", "replicated_layouts") for it in options.get(key, []) if isinstance(it, str)]
    return layout if layout in given else next((it for it in given if Path(it).stem == layout), str(layout))


def _processes(document: Record, modes: Sequence[str]) -> list[str]:
    """Return how many processes measured the speed, where there were several."""
    samples = (sample for entry in document.get("speed", []) for sample in entry["samples"])
    count = 1 + max((sample.get("process", 0) for sample in samples), default=0)
    return ["--isolate", str(count)] if "speed" in modes and count > 1 else []
