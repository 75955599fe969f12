"""Every test process sees two logical CPUs and no start-up chatter; TensorFlow must learn of both before it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["OPTREG_CONFIG"] = ""  # no settings of whoever runs the tests
os.environ["OPTREG_CACHE"] = "off"  # and nothing left in their home

import numpy as np
import tensorflow as tf

from optreg.registry import default_registry

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(autouse=True)
def installation_as_it_is(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the next test look anew at what is installed, once the path and the settings of this one are undone."""
    yield
    if "monkeypatch" in request.fixturenames:
        default_registry().refresh()


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20221)
