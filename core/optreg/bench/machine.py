"""The machine a benchmark ran on: without it no number means anything."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from optreg.errors import OptregError, listing

KINDS = ("CPU", "GPU", "TPU")
_DISTRIBUTIONS = ("optreg", "tensorflow", "keras", "tf_keras", "numpy", "scipy", "scikit-learn")
_SETTINGS = ("TF_XLA_FLAGS", "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS", "CUDA_VISIBLE_DEVICES")


class UnknownDevice(OptregError, LookupError):
    """TensorFlow sees no such device."""


@dataclass(frozen=True)
class Device:
    """A device that TensorFlow sees, such as ``cpu:0``."""

    kind: str
    index: int

    @property
    def name(self) -> str:
        """Short name, as given to ``--device`` and to ``tf.device``."""
        return f"{self.kind.lower()}:{self.index}"


def visible_devices() -> tuple[Device, ...]:
    """Return all logical devices, accelerators last."""
    found = [device.name.rsplit("device:", 1)[-1].split(":") for device in tf.config.list_logical_devices()]
    devices = [Device(kind, int(index)) for kind, index in found if kind in KINDS]
    return tuple(sorted(devices, key=lambda device: (KINDS.index(device.kind), device.index)))


def absent_kinds() -> tuple[str, ...]:
    """Return the kinds of device that TensorFlow does not see here."""
    present = {device.kind for device in visible_devices()}
    return tuple(kind for kind in KINDS if kind not in present)


def select_devices(names: Sequence[str]) -> tuple[Device, ...]:
    """Return the devices named ``cpu``, ``gpu:1`` and so on; a kind without a number means all of that kind.

    Without names: the first of each kind. The second of eight equal accelerators tells nothing new.

    Raises:
        UnknownDevice: One of them is not there.
    """
    visible = visible_devices()
    chosen = []
    for name in names:
        matching = [device for device in visible if name.lower() in (device.name, device.kind.lower())]
        if not matching:
            raise UnknownDevice(f"TensorFlow sees no device {name!r}; devices: {listing(it.name for it in visible)}")
        chosen.extend(matching)
    return tuple(dict.fromkeys(chosen)) or tuple(device for device in visible if device.index == 0)


def describe_machine() -> dict[str, Any]:
    """Return processor, memory, load, versions, devices and the settings that change speed."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_bytes": _memory("MemTotal"),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": {name: version for name in _DISTRIBUTIONS if (version := _version(name))},
        "devices": [device.name for device in visible_devices()],
        "absent_devices": [kind.lower() for kind in absent_kinds()],
        "accelerators": _accelerators(),
        "threads": {
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
        },
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def usable_cores() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int | None:
    """Return the bytes of main memory that can still be taken, or None where the system does not say."""
    return _memory("MemAvailable")


def stolen_seconds() -> float | None:
    """Return the processor seconds that a hypervisor has kept from this machine since it started, where known."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _memory(field: str) -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = (int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
    return next(sizes, None)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _accelerators() -> list[dict[str, Any]]:
    physical = tf.config.list_physical_devices()
    return [tf.config.experimental.get_device_details(device) for device in physical if device.device_type != "CPU"]
