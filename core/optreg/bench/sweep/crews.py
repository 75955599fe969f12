"""Who does the work of a sweep: processes on this machine, or the workers of a Ray cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from optreg.bench.host import usable_cores
from optreg.bench.sweep.cell import work
from optreg.bench.tasks.sources import Need
from optreg.errors import InvalidFilter, OptregError, listing, suggestion

EXECUTORS = ("pool", "ray")

_ANSWERS = 5.0  # seconds within which a cluster takes a connection


class NoCluster(OptregError, ConnectionError):
    """The Ray cluster cannot be reached or started."""


@dataclass(frozen=True)
class Staff:
    """How many workers a sweep has, and where.

    Args:
        executor: ``pool`` for processes of this machine, ``ray`` for a cluster.
        count: Number of workers; 0 for as many as there are processors. One in a pool is this process itself.
        address: Of a Ray cluster that runs already; empty for the one of ``RAY_ADDRESS``, or for one on this machine
            that is started for the sweep and ended with it.
        patience: Seconds without a sign of life after which a worker has hung.

    Raises:
        InvalidFilter: There is no such executor, the count is negative, or a pool is given an address.
    """

    executor: str = "pool"
    count: int = 1
    address: str = ""
    patience: float = 120.0

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            hint = suggestion(self.executor, EXECUTORS)
            raise InvalidFilter(f"unknown executor {self.executor!r}; allowed: {listing(EXECUTORS)}.{hint}")
        if self.count < 0:
            raise InvalidFilter(f"the number of workers is at least 0 (all processors), received {self.count}")
        if self.address and self.executor != "ray":
            raise InvalidFilter(f"the address {self.address!r} is one of a Ray cluster; it needs the executor ray")

    @property
    def several(self) -> bool:
        """Whether the work leaves this process."""
        return self.executor == "ray" or self.count != 1

    @property
    def expected(self) -> int:
        """How many workers there will be, as far as that is known before they are."""
        return self.count or usable_cores()


class Crew(Protocol):
    """Workers that are there; ``size`` tells how many work at a time."""

    size: int

    def submit(self, data: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Have a cell worked on."""

    def death(self, error: BaseException) -> str:
        """Return how the worker ended, where that is what the error says, and otherwise an empty string."""


@contextlib.contextmanager
def crew_of(staff: Staff) -> Iterator[Crew]:
    """Start the workers, and end them when the block is left.

    Raises:
        MissingExtra: The library that runs them is not installed.
        NoCluster: The Ray cluster does not answer.
    """
    with _ray_cluster(staff) if staff.executor == "ray" else _pool(staff) as crew:
        yield crew


class _Pool:
    """Processes of this machine, each of which lives for many cells; one that dies is replaced."""

    def __init__(self, pool: Any, size: int) -> None:
        self._pool, self.size = pool, size

    def submit(self, data: Mapping[str, Any]) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = self._pool.submit(work, None, dict(data))
        return future

    def death(self, error: BaseException) -> str:
        import pebble  # noqa: PLC0415 - of the extra

        if not isinstance(error, pebble.ProcessExpired):
            return ""
        code = error.exitcode
        return f"it ended its worker {'with signal' if code < 0 else 'with exit code'} {abs(code)}"


@contextlib.contextmanager
def _pool(staff: Staff) -> Iterator[_Pool]:
    Need("pebble", module="pebble").require()
    import pebble  # noqa: PLC0415

    size = staff.count or usable_cores()
    # A fork would have the locks of TensorFlow's threads, and not the threads.
    pool = pebble.ProcessPool(max_workers=size, context=multiprocessing.get_context("spawn"))
    try:
        yield _Pool(pool, size)
    finally:
        pool.stop()
        pool.join()


class _RayCluster:
    """The workers of a Ray cluster, one processor each."""

    def __init__(self, ray: Any, size: int) -> None:
        self._ray, self.size = ray, size
        self._work = ray.remote(num_cpus=1, max_retries=0)(work)

    def submit(self, data: Mapping[str, Any]) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = self._work.remote(dict(data)).future()
        return future

    def death(self, error: BaseException) -> str:
        kinds = self._ray.exceptions
        if isinstance(error, kinds.OutOfMemoryError):
            return "its worker was out of memory"
        return "it ended its worker" if isinstance(error, (kinds.WorkerCrashedError, kinds.NodeDiedError)) else ""


@contextlib.contextmanager
def _ray_cluster(staff: Staff) -> Iterator[_RayCluster]:
    Need("ray", extra="ray", module="ray").require()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a benchmark tells nobody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray  # noqa: PLC0415 - of the extra

    address = staff.address or os.environ.get("RAY_ADDRESS", "")
    ours = not ray.is_initialized()
    if ours:
        where = {"address": address} if address else _own_cluster(staff.count)
        _require_answer(address)
        try:
            ray.init(**where, log_to_driver=False, logging_level="ERROR", configure_logging=True)
        except Exception as error:  # Ray raises ConnectionError, ValueError, TimeoutError and more of its own
            told = str(error).strip().splitlines()
            reason = told[0] if told else type(error).__name__
            raise NoCluster(f"no Ray cluster at {address or 'this machine'}: {reason:.300}") from error
    try:
        yield _RayCluster(ray, staff.count or max(int(ray.cluster_resources().get("CPU", 1)), 1))
    finally:
        if ours:
            ray.shutdown()


def _require_answer(address: str) -> None:
    """Do nothing where something answers at ``host:port``; Ray itself would try for minutes, and then end the process.

    Raises:
        NoCluster: Nothing answers there.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWERS).close()
    except OSError as error:
        raise NoCluster(f"no Ray cluster at {address}: {error}; ray status shows where one is") from error


def _own_cluster(count: int) -> dict[str, Any]:
    """Return how to start a cluster on this machine, whose workers import from where this process does."""
    path = os.pathsep.join(it for it in sys.path if it)
    return {
        "address": "local",
        "num_cpus": count or usable_cores(),
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
        "runtime_env": {"env_vars": {"PYTHONPATH": path}},
    }
