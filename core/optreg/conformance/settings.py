"""Settings of the process that an optimizer must leave alone, and that one which does not must not spoil for others."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from optreg.conformance.lazy_tensorflow import tf


def present_settings() -> dict[str, Any]:
    """Return the settings by name."""
    settings = {
        "eager mode": tf.executing_eagerly(),
        "tf.config.functions_run_eagerly()": tf.config.functions_run_eagerly(),
        "tf.config.optimizer.get_jit()": tf.config.optimizer.get_jit(),
        "tf.config.get_soft_device_placement()": tf.config.get_soft_device_placement(),
        "the default graph": tf.compat.v1.get_default_graph() if not tf.executing_eagerly() else None,
        "warnings.filters": list(warnings.filters),
        "numpy.geterr()": np.geterr(),
        "os.environ": dict(os.environ),
    }
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        settings["keras.config.floatx()"] = keras.config.floatx()
        settings["keras.config.dtype_policy()"] = keras.config.dtype_policy().name
    return settings


@contextlib.contextmanager
def kept_settings() -> Iterator[None]:
    """Take back, at the end of the block, what it changed: an optimizer that changes a setting fails one check."""
    before = present_settings()
    try:
        yield
    finally:
        _restore(before)


def _restore(settings: dict[str, Any]) -> None:
    changed = {name for name, value in present_settings().items() if value != settings.get(name)}
    if "tf.config.functions_run_eagerly()" in changed:
        tf.config.run_functions_eagerly(settings["tf.config.functions_run_eagerly()"])
    if "tf.config.optimizer.get_jit()" in changed:
        tf.config.optimizer.set_jit(settings["tf.config.optimizer.get_jit()"])
    if "tf.config.get_soft_device_placement()" in changed:
        tf.config.set_soft_device_placement(settings["tf.config.get_soft_device_placement()"])
    if "numpy.geterr()" in changed:
        np.seterr(**settings["numpy.geterr()"])
    if "os.environ" in changed:
        os.environ.clear()
        os.environ.update(settings["os.environ"])
    if changed & {"keras.config.floatx()", "keras.config.dtype_policy()"} and "keras.config.floatx()" in settings:
        sys.modules["keras"].config.set_floatx(settings["keras.config.floatx()"])
        sys.modules["keras"].config.set_dtype_policy(settings["keras.config.dtype_policy()"])
