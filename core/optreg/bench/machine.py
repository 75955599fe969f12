"""The machine a benchmark ran on: without it no number means anything."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

import optreg
from optreg.bench import host
from optreg.bench.host import SystemFiles, usable_cores
from optreg.bench.results.discretion import without_folders
from optreg.bench.results.machine import Machine, Moment
from optreg.errors import OptregError, listing

KINDS = ("CPU", "GPU", "TPU")
_DISTRIBUTIONS = ("optreg", "tensorflow", "keras", "tf_keras", "numpy", "scipy", "scikit-learn")
_SETTINGS = (
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_GPU_ALLOCATOR",
    "TF_USE_LEGACY_KERAS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "MALLOC_ARENA_MAX",
)


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
    """Return what ``Machine`` holds: processor, memory, versions, devices, settings, and what else happens here."""
    files, begin = SystemFiles(), this_moment()
    return asdict(
        Machine(
            processor=files.processor(),
            cores=os.cpu_count(),
            usable_cores=usable_cores(),
            granted_cores=files.granted_cores(usable_cores()),
            caches=files.caches(),
            frequency=files.frequency(),
            virtual=files.virtual(),
            hypervisor=files.hypervisor(),
            smt=files.smt(),
            memory_bytes=files.memory("MemTotal"),
            granted_bytes=files.granted_bytes(),
            huge_pages=files.huge_pages(),
            address_randomization=files.address_randomization(),
            system=platform.platform(),
            kernel=platform.release(),
            timer=host.timer(files.clock_source()),
            python=sys.version.split()[0],
            versions={name: version for name in _DISTRIBUTIONS if (version := _version(name))},
            source=host.source_of(Path(optreg.__file__).parent),
            devices=[device.name for device in visible_devices()],
            absent_devices=[kind.lower() for kind in absent_kinds()],
            accelerators=_accelerators(),
            threads={
                "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
                "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
            },
            settings={name: _setting(os.environ[name]) for name in _SETTINGS if name in os.environ},
            load=begin.load,
            begin=begin,
        )
    )


def this_moment() -> Moment:
    """Return what else happens on the machine now."""
    files = SystemFiles()
    return Moment(
        load=list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        stolen_seconds=files.stolen_seconds(),
        available_bytes=files.memory("MemAvailable"),
        clock=files.clock(),
        throttled=files.throttled(),
        accelerators=host.accelerators() if tf.config.list_physical_devices("GPU") else [],
    )


def available_memory() -> int | None:
    """Return the bytes of main memory that can still be taken, or None where the system does not say."""
    return SystemFiles().memory("MemAvailable")


def _setting(flags: str) -> str:
    return " ".join(without_folders(word) for word in flags.split(" "))


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _accelerators() -> list[dict[str, Any]]:
    physical = tf.config.list_physical_devices()
    return [tf.config.experimental.get_device_details(device) for device in physical if device.device_type != "CPU"]
