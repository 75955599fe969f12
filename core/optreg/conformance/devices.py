"""Logical devices: several devices on one processor, so that replicas can be tested on any machine."""

from __future__ import annotations

import contextlib

from optreg.conformance.lazy_tensorflow import tf

REPLICAS = 2


def use_two_logical_devices() -> bool:
    """Divide the CPU into two logical devices, which the distribution checks need; return whether there are two.

    TensorFlow allows it only before it has initialised its devices, so call this first of all.
    It holds for the process.
    """
    processors = tf.config.list_physical_devices("CPU")
    configured = tf.config.get_logical_device_configuration(processors[0])
    if configured is None or len(configured) < REPLICAS:
        # Refused where the devices are in use already; what there is now stays.
        with contextlib.suppress(RuntimeError):
            tf.config.set_logical_device_configuration(
                processors[0], [tf.config.LogicalDeviceConfiguration() for _ in range(REPLICAS)]
            )
    return has_two_logical_devices()


def has_two_logical_devices() -> bool:
    """Return whether a strategy can have two replicas on the CPU. Initialises the devices."""
    return len(tf.config.list_logical_devices("CPU")) >= REPLICAS
