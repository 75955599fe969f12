"""Everything a run does for replicas: fresh processes for each optimizer, layout, strategy and number of replicas."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optreg.bench.contenders import OURS, Contender
from optreg.bench.machine import Device, visible_devices
from optreg.bench.progress import Clock
from optreg.bench.replicas.measure import LONGEST, Task
from optreg.bench.replicas.records import ReplicaEntry
from optreg.bench.results import History, State
from optreg.bench.speed.layouts import Layout
from optreg.errors import InvalidFilter, listing, suggestion
from optreg.isolation import Outcome, WaitingChild

STRATEGIES = ("mirrored", "multi-worker")
DEFAULT_REPLICAS = (1, 2)

_TARGET = "optreg.bench.replicas.measure:measure"
_SECONDS = 12.0  # one measurement, most of it for loading TensorFlow


@dataclass(frozen=True)
class Formation:
    """Which strategies, and how many replicas of each.

    Args:
        strategies: Of ``mirrored`` (one process) and ``multi-worker`` (a process for each replica: on this machine,
            or those of ``TF_CONFIG``, which then says how many there are).
        replicas: Numbers of replicas.

    Raises:
        InvalidFilter: There is no such strategy, or a number is less than 1.
    """

    strategies: Sequence[str] = STRATEGIES[:1]
    replicas: Sequence[int] = DEFAULT_REPLICAS

    def __post_init__(self) -> None:
        for word in self.strategies:
            if word not in STRATEGIES:
                hint = suggestion(word, STRATEGIES)
                raise InvalidFilter(f"unknown strategy {word!r}; allowed: {listing(STRATEGIES)}.{hint}")
        bad = [number for number in self.replicas if number < 1]
        if bad:
            raise InvalidFilter(f"a number of replicas is at least 1, received {bad[0]}")

    def combinations(self) -> list[tuple[str, int]]:
        """Return each strategy with each number of replicas; those of a cluster are given by it."""
        cluster = len(given_cluster().get("worker", ()))
        return [
            (strategy, number)
            for strategy in dict.fromkeys(self.strategies)
            for number in ((cluster,) if cluster and strategy == "multi-worker" else dict.fromkeys(self.replicas))
        ]


def given_cluster() -> Mapping[str, Sequence[str]]:
    """Return the cluster that ``TF_CONFIG`` describes, or an empty one."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    except (ValueError, AttributeError):
        return {}
    return cluster if isinstance(cluster, Mapping) else {}


@dataclass
class Drill:
    """The replica part of a run; its entries stand in the results from the beginning."""

    clock: Clock
    history: History
    _ahead: list[tuple[ReplicaEntry, Layout]] = field(default_factory=list)

    def plan(
        self,
        contenders: Sequence[Contender],
        layouts: Sequence[Layout],
        formation: Formation,
        devices: Sequence[Device],
    ) -> list[ReplicaEntry]:
        """Lay out the entries and return them; accelerators where there are some, parts of the processor otherwise."""
        kind = devices[-1].kind
        found = [
            (
                ReplicaEntry(it.optimizer, OURS, strategy, number, layout.name, kind.lower(), layout.parameters),
                layout,
            )
            for layout in layouts
            for strategy, number in formation.combinations()
            for it in contenders
            if it.implementation == OURS
        ]
        for entry, layout in found:
            entry.virtual = kind == "CPU" and not (entry.strategy == "multi-worker" and given_cluster())
            entry.state = _refusal(entry, layout, kind) or entry.state
        self._ahead = [
            (entry, layout)
            for entry, layout in found
            if entry.state.name == "finished" and not self.history.adopt(entry)
        ]
        return [entry for entry, _ in found]

    def everything(self) -> None:
        """Measure until the time is over."""
        while self._ahead:
            entry, layout = self._ahead.pop(0)
            if self.clock.left < _SECONDS:
                entry.state = State("skipped", "no time for its processes; raise --budget", _SECONDS)
                continue
            label = f"{entry.optimizer} on {entry.replicas} replicas, {entry.strategy}"
            self.clock.tell(label)
            self.history.announce(label, entry.optimizer, entry.implementation)
            _measure(entry, layout, timeout=min(self.clock.left, LONGEST))
            self.history.keep(entry)

    def seconds_ahead(self) -> float:
        """Forecast the seconds that the entries not yet measured will take."""
        return _SECONDS * len(self._ahead)


def _refusal(entry: ReplicaEntry, layout: Layout, kind: str) -> State | None:
    if layout.gradient_rows:
        return State("skipped", "replicas are measured with dense gradients; this layout has sparse ones")
    present = sum(device.kind == kind for device in visible_devices())
    if kind != "CPU" and entry.strategy == "mirrored" and entry.replicas > present:
        return State("skipped", f"needs {entry.replicas} {kind}s, {present} are there")
    return None


def _measure(entry: ReplicaEntry, layout: Layout, *, timeout: float) -> None:
    """Fill the entry from processes of its own; how they ended becomes its state."""
    clusters = _clusters(entry)
    outcomes = _outcomes(entry, layout, clusters, timeout)
    if outcomes[0].status != "finished" and _is_taken(clusters):
        outcomes = _outcomes(entry, layout, _clusters(entry), timeout)
    if outcomes[0].status != "finished":
        entry.state = State("failed", outcomes[0].reason)
        return
    for name, value in outcomes[0].value.items():
        setattr(entry, name, value)
    entry.bytes_each = [each for outcome in outcomes for each in outcome.value["bytes_each"]]


def _outcomes(
    entry: ReplicaEntry, layout: Layout, clusters: Sequence[Mapping[str, Any]], timeout: float
) -> list[Outcome]:
    """Return how the processes of the entry ended, one for each worker; or the first alone that broke.

    The others would wait for that one, and are ended with it.
    """
    tasks = [
        Task(entry.optimizer, entry.strategy, entry.replicas, entry.device.upper(), layout.shapes, cluster)
        for cluster in clusters
    ]
    arguments = [dataclasses.asdict(task) for task in tasks]
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(tasks)))
        children = [stack.enter_context(WaitingChild(_TARGET)) for _ in tasks]
        runs = [
            pool.submit(child.run, argument, timeout=timeout)
            for child, argument in zip(children, arguments, strict=True)
        ]
        for run in concurrent.futures.as_completed(runs):
            if run.result().status != "finished":
                return [run.result()]  # leaving ends the children, and with them the other runs
    return [run.result() for run in runs]


def _clusters(entry: ReplicaEntry) -> list[dict[str, Any]]:
    """Return the value of ``TF_CONFIG`` for each process to start; an empty one leaves the environment as it is."""
    if entry.strategy != "multi-worker" or given_cluster():
        return [{}]
    workers = [f"localhost:{port}" for port in _free_ports(entry.replicas)]
    return [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(entry.replicas)
    ]


def _is_taken(clusters: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether another program took a port of a worker after it was found free; ours have ended by now."""
    for cluster in filter(None, clusters):
        _, _, port = cluster["cluster"]["worker"][cluster["task"]["index"]].partition(":")
        try:
            socket.create_server(("localhost", int(port))).close()
        except OSError:
            return True
    return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [int(it.getsockname()[1]) for it in sockets]
    for it in sockets:
        it.close()
    return ports
