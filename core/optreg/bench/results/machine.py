"""What the results hold of the machine; the schema is derived from it. Nothing here knows TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cache:
    """One cache of the processor: its level, what it holds, its bytes, and how many cores share it."""

    level: int | None
    kind: str | None
    bytes: int | None
    cores: int | None


@dataclass(frozen=True)
class Frequency:
    """How the clock of the processor is governed; hertz."""

    governor: str | None = None
    driver: str | None = None
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Timer:
    """The clock that measures.

    ``resolution`` is what the system promises and ``tick`` the smallest step that was seen, both in seconds; ``source``
    is the hardware behind it.
    """

    implementation: str
    resolution: float
    tick: float
    source: str | None = None


@dataclass(frozen=True)
class Source:
    """The checkout that optreg ran from: its commit, and whether files that it tracks were changed since."""

    commit: str
    changed: bool | None = None


@dataclass(frozen=True)
class Accelerator:
    """What the driver says of a GPU; hertz, degrees Celsius, and the driver's mask of reasons to slow down."""

    name: str | None = None
    driver: str | None = None
    clock: float | None = None
    most: float | None = None
    celsius: float | None = None
    throttled: str | None = None


@dataclass(frozen=True)
class Moment:
    """What else happened on the machine at one end of the run.

    Args:
        load: Average of the last 1, 5 and 15 minutes.
        stolen_seconds: Processor seconds that the hypervisor has kept since the machine started.
        available_bytes: Main memory that could still be taken.
        clock: Hertz of each core in use.
        throttled: How often cores in use were slowed down for heat since the machine started.
        accelerators: The GPUs, where the driver's ``nvidia-smi`` answers; empty where TensorFlow sees none.
    """

    load: list[float] | None = None
    stolen_seconds: float | None = None
    available_bytes: int | None = None
    clock: list[int] | None = None
    throttled: int | None = None
    accelerators: list[Accelerator] | None = None


@dataclass(frozen=True)
class Machine:
    """The machine that a run was measured on; null is what could not be read, or is not there.

    Nothing names the host, the user or a folder of theirs.

    Args:
        processor: Its model.
        cores: Processors that the system has.
        usable_cores: Processors that this process may run on.
        granted_cores: Processors' worth of time that its control groups let it have; ``usable_cores`` without a quota.
        caches: Those of the first usable core.
        frequency: How its clock is governed.
        virtual: Whether it is a virtual machine.
        hypervisor: Who made the virtual machine.
        smt: Whether cores share their units with a sibling.
        memory_bytes: Main memory.
        granted_bytes: Main memory that the control groups let it have; ``memory_bytes`` without a limit.
        huge_pages: When memory comes in huge pages: ``always``, ``madvise`` or ``never``.
        address_randomization: 0 for none, up to 2.
        system: Operating system, kernel and C library.
        kernel: Release of the kernel.
        timer: The clock that measures.
        python: Version.
        versions: Of the distributions that were measured or measured with.
        source: The checkout that optreg ran from; null where it was installed.
        devices: Those that TensorFlow sees, such as ``cpu:0``.
        absent_devices: Kinds that it does not see.
        accelerators: What TensorFlow says of the accelerators.
        threads: Threads that TensorFlow was told to use; 0 lets it choose.
        settings: Variables of the environment that change speed, where set.
        load: As ``begin.load``.
        stolen_seconds: What the hypervisor kept between begin and end.
        begin: Before the first measurement.
        end: After the last; null where the run did not come to its end.
        sweep: Who made the training runs, where several workers did; hosts are numbered.
    """

    processor: str
    cores: int | None
    usable_cores: int
    granted_cores: float | None
    caches: list[Cache] | None
    frequency: Frequency | None
    virtual: bool | None
    hypervisor: str | None
    smt: bool | None
    memory_bytes: int | None
    granted_bytes: int | None
    huge_pages: str | None
    address_randomization: int | None
    system: str
    kernel: str
    timer: Timer
    python: str
    versions: dict[str, str]
    source: Source | None
    devices: list[str]
    absent_devices: list[str]
    accelerators: list[dict[str, Any]]
    threads: dict[str, int]
    settings: dict[str, str]
    begin: Moment
    load: list[float] | None = None
    stolen_seconds: float | None = None
    end: Moment | None = None
    sweep: dict[str, Any] | None = None


def end_of(machine: dict[str, Any], end: dict[str, Any] | None) -> dict[str, Any]:
    """Return the machine with what happened at the end of the run, and what the hypervisor kept in between."""
    before, after = ((moment or {}).get("stolen_seconds") for moment in (machine.get("begin"), end))
    kept = None if before is None or after is None else after - before
    return {**machine, "end": end, "stolen_seconds": kept}
