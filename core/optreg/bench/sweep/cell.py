"""The piece of a sweep that one worker does: a training run, or the search for one learning rate.

A worker is another process, perhaps on another machine: what goes there and what comes back are JSON types.
"""

from __future__ import annotations

import faulthandler
import functools
import importlib.metadata
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from optreg.bench.contenders import OURS, Contender, contenders, libraries_named
from optreg.bench.peers import PeerUnavailable
from optreg.bench.progress import Turn
from optreg.bench.quality.rates import Rates
from optreg.bench.quality.records import Search
from optreg.bench.quality.schedules import Schedule
from optreg.bench.quality.searching import search
from optreg.bench.quality.training import train
from optreg.bench.quality.tunable import tunable
from optreg.bench.results import State, TrainingRun
from optreg.bench.results.records import Setting, json_ready
from optreg.bench.results.thawing import thaw
from optreg.bench.selection import parse_choice
from optreg.bench.subjects import Subject
from optreg.bench.tasks.catalogue import select_tasks
from optreg.bench.tasks.task import Task
from optreg.errors import UnusableOptimizer

THREADS = 1
"""Threads of TensorFlow and of NumPy in each worker, everywhere: with others, sums are added in another order."""

_HEARTBEAT = 5.0  # seconds between two signs of life
_LOOK = 1.0  # seconds between two looks at the parent


@dataclass(frozen=True)
class Cell:
    """One piece of work.

    Args:
        optimizer: The choice as it was typed, with hyperparameters.
        implementation: ``optreg`` or a peer.
        task: Name of the task.
        steps: How long it is trained.
        seed: Of the training run; of no meaning for a search.
        device: Such as ``cpu:0``.
        rates: The search to make; None for a training run.
        rate: The learning rate that a search has found, for a run with it.
        schedule: What the runs do with their learning rate.
        seconds: What the work may take, from ``asked`` on.
        asked: When it was asked for, in seconds since the epoch.
        patience: Seconds without a sign of life after which the worker ends itself.
    """

    optimizer: str
    implementation: str
    task: str
    steps: int
    seed: int = 0
    device: str = "cpu:0"
    rates: Rates | None = None
    rate: float | None = None
    schedule: Schedule = Schedule()  # noqa: RUF009 - it is frozen
    seconds: float = 0.0
    asked: float = 0.0
    patience: float = 120.0

    @property
    def label(self) -> str:
        """What is done, in a few words."""
        doing = "tuning" if self.rates else "training"
        return f"{doing} {self.optimizer} ({self.implementation}) on {self.task}, seed {self.seed + 1}"


def work(data: Mapping[str, Any]) -> dict[str, Any]:
    """Do the work of a cell, in a worker, and return its record and the worker's host.

    Whatever the optimizer or the task raises becomes the state of the record. A worker in which nothing moves any more
    ends itself.
    """
    _settle()
    cell = thaw(Cell, data)
    faulthandler.dump_traceback_later(cell.patience, exit=True)
    try:
        record = _search(cell) if cell.rates else _train(cell)
    finally:
        faulthandler.cancel_dump_traceback_later()
    versions = {name: importlib.metadata.version(name) for name in ("optreg", "tensorflow", "numpy")}
    return {"record": json_ready(asdict(record)), "host": socket.gethostname(), "versions": versions}


@functools.cache
def _settle() -> None:
    """Prepare the worker for all its cells: its threads, a stdout that is not ours to write to, and its end."""
    import tensorflow as tf  # noqa: PLC0415 - the cell itself needs none until it is worked on
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - of the extras bench and ray

    sys.stdout.flush()
    os.dup2(2, 1)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    threadpool_limits(THREADS)  # NumPy's own, in which optima are found


def _leave_with(parent: int) -> None:
    """End this process when its parent is gone: a sweep that is killed leaves no worker behind."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


def _train(cell: Cell) -> TrainingRun:
    setting: Setting = "default" if cell.rate is None else "tuned"
    what = (cell.optimizer, cell.implementation, cell.task, cell.device)
    run = TrainingRun(*what, cell.seed, setting, cell.rate, cell.steps, cell.schedule)
    try:
        task = _task(cell)
        make = _tuned(cell)(cell.rate) if cell.rate is not None else _contender(cell).make
        problem = task.make(cell.seed, task.steps)
    except Exception as error:  # what this host cannot make is a row, as what it cannot run
        run.state = State.failed(error)
    else:
        train(make, task, problem, run, _turn(cell))
    return run


def _search(cell: Cell) -> Search:
    plan = cell.rates or Rates()
    record = Search(cell.optimizer, cell.task, plan.trials, cell.device, cell.schedule)
    try:
        search(_tuned(cell), _task(cell), record, plan=plan, turn=_turn(cell))
    except Exception as error:  # as above
        record.state = State.failed(error)
    return record


def _tuned(cell: Cell) -> Callable[[float], Callable[[], Subject]]:
    make = tunable(cell.optimizer)
    if isinstance(make, State):
        raise UnusableOptimizer(make.reason)
    return make


def _task(cell: Cell) -> Task:
    return replace(select_tasks([cell.task])[cell.task].task, name=cell.task, steps=cell.steps)


def _contender(cell: Cell) -> Contender:
    libraries = libraries_named([] if cell.implementation == OURS else [cell.implementation])
    found, notes = contenders(parse_choice(cell.optimizer), libraries)
    wanted = [it for it in found if it.implementation == cell.implementation]
    if not wanted:
        raise PeerUnavailable("; ".join(notes))
    return wanted[0]


def _turn(cell: Cell) -> Turn:
    """Return what the cell may take from now on; it may have waited for its worker to start."""
    late = max(time.time() - cell.asked, 0.0)
    return Turn(time.perf_counter() + max(cell.seconds - late, 0.0), _Heart(cell.patience).beat)


class _Heart:
    """The signs of life of a worker."""

    def __init__(self, patience: float) -> None:
        self._patience, self._last = patience, time.monotonic()

    def beat(self) -> None:
        """Give the next sign as long as the patience lasts; not more often than is needed."""
        if time.monotonic() - self._last > _HEARTBEAT:
            self._last = time.monotonic()
            faulthandler.dump_traceback_later(self._patience, exit=True)
