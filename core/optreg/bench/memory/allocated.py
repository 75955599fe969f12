"""What the state of an optimizer takes of the machine, measured in a fresh process where nothing else allocates.

Three numbers that are never mixed: bytes of the slots (exact), what the process grew by when they were made (with what
the allocator rounds up), and what a step takes besides for as long as it lasts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from optreg.bench.contenders import Contender, contenders
from optreg.bench.memory.declared import compare_state
from optreg.bench.memory.records import MemoryEntry
from optreg.bench.results import SlotBytes, State
from optreg.bench.selection import parse_choice
from optreg.bench.speed.layouts import Layout
from optreg.bench.speed.stand import make_gradients
from optreg.bench.subjects import LegacyContract
from optreg.isolation import run_isolated

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # see proc(5)
_SMALL = 64 * 1024  # bytes; smaller arrays share pages
_SHOWS = 0.9  # of an array's bytes, by which the process has to grow for nothing freed to be left
_MOST_HELD = 1024


def measure_memory(entry: MemoryEntry, layout: Layout, *, timeout: float) -> None:
    """Fill the entry from a process of its own; how that ended becomes its state."""
    argument = {"optimizer": entry.optimizer, "device": entry.device, **dataclasses.asdict(layout)}
    outcome = run_isolated(f"{__name__}:measure", argument, timeout=timeout)
    if outcome.status != "finished":
        entry.state = State("failed", outcome.reason)
        return
    found: Mapping[str, Any] = outcome.value
    entry.slots = [SlotBytes(**slot) for slot in found["slots"]]
    entry.allocated, entry.step_extra = found["allocated"], found["step_extra"]
    entry.declares = found["declares"]
    if entry.allocated is None:
        entry.state = State("skipped", "this system does not tell what a process allocates; the slots are exact")


def measure(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Make variables, then state, then steps, and return what each of them took; runs in the child."""
    layout = Layout(argument["name"], tuple(map(tuple, argument["shapes"])), "", argument["gradient_rows"])
    (contender, *_), _ = contenders(parse_choice(argument["optimizer"]), ())
    if contender.broken:
        contender.make()  # raises what was wrong
    with tf.device(argument["device"]):
        return _measured(contender, layout, str(argument["device"]))


def _measured(contender: Contender, layout: Layout, device: str) -> dict[str, Any]:
    subject = contender.make()
    if not isinstance(subject, LegacyContract):
        raise TypeError(f"{contender.optimizer} is not an optimizer of this registry")
    gradients = make_gradients(layout)
    subject.variables = [tf.Variable(tf.ones(shape)) for shape in layout.shapes]
    _warm_up(contender, layout)
    touches = [tf.zeros(shape) for shape in layout.shapes]
    for variable, zero in zip(subject.variables, touches, strict=True):
        variable.assign_add(zero)  # the first write leaves the initial value and takes memory of its own
    held = _use_up_what_was_freed(layout, device)
    before = _now(device)
    subject.optimizer.build(subject.variables)
    _touch(subject, touches)
    allocated = _difference(_now(device), before)
    held += _use_up_what_was_freed(layout, device)
    extra = _peak_of(lambda: subject.step(gradients), device)
    held.clear()
    hyperparameters = contender.provenance.hyperparameters
    slots = compare_state(subject.state(), subject.variables, card=contender.card, hyperparameters=hyperparameters)
    return {
        "slots": [dataclasses.asdict(slot) for slot in slots],
        "declares": contender.card is not None and contender.card.declared is not None,
        "allocated": allocated,
        "step_extra": extra,
    }


def _use_up_what_was_freed(layout: Layout, device: str) -> list[Any]:
    """Return arrays that take all memory which the process has freed but not given back; new ones must then show."""
    held: list[Any] = []
    if not device.startswith("cpu") or _now(device) is None:
        return held
    largest = max(math.prod(shape) for shape in layout.shapes)
    for count in (largest >> power for power in range(largest.bit_length())):  # ever smaller rests are used up too
        for _ in range(_MOST_HELD):
            before = _now(device)
            held.append(tf.fill([count], 0.5))
            grown = _difference(_now(device), before) or 0
            if grown >= _SHOWS * 4 * count or 4 * count < _SMALL:
                break
        if 4 * count < _SMALL:
            break
    return held


def _touch(subject: LegacyContract, zeros: Sequence[Any]) -> None:
    """Write every slot once: memory of zeros is not taken before."""
    for name in subject.optimizer.get_slot_names():
        for variable, zero in zip(subject.variables, zeros, strict=True):
            slot = subject.optimizer.get_slot(variable, name)
            if slot.shape == zero.shape and slot.dtype == zero.dtype:
                slot.assign_add(zero)


def _warm_up(contender: Contender, layout: Layout) -> None:
    """Make a step on small variables, so that threads, kernels and code are there before anything is counted."""
    small = Layout("small", tuple((8, *shape[1:]) if shape else shape for shape in layout.shapes[:1]))
    subject = contender.make()
    subject.build([tf.ones(shape) for shape in small.shapes])
    subject.step(make_gradients(small))


def _peak_of(step: Any, device: str) -> int | None:
    before = _now(device)
    _reset_peak(device)
    step()
    tf.test.experimental.sync_devices()
    return _difference(_peak(device), before)


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else max(after - before, 0)


def _now(device: str) -> int | None:
    return _status("VmRSS") if device.startswith("cpu") else _accelerator(device)["current"]


def _peak(device: str) -> int | None:
    return _status("VmHWM") if device.startswith("cpu") else _accelerator(device)["peak"]


def _reset_peak(device: str) -> None:
    if device.startswith("cpu"):
        with contextlib.suppress(OSError):
            _RESET.write_text(_RESET_PEAK, encoding="ascii")
    else:
        tf.config.experimental.reset_memory_stats(device.upper())


def _accelerator(device: str) -> Mapping[str, int]:
    found: Mapping[str, int] = tf.config.experimental.get_memory_info(device.upper())
    return found


def _status(field: str) -> int | None:
    try:
        lines: Sequence[str] = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
