"""Strategies over the two logical CPUs that every test process has."""

from __future__ import annotations

import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def mirrored():
    # Collectives of several strategies in one process get in each other's way.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())


@pytest.fixture(scope="session")
def central_storage():
    return tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"], "CPU:0")


@pytest.fixture(scope="session")
def one_device():
    return tf.distribute.OneDeviceStrategy("CPU:1")


@pytest.fixture(scope="session")
def default_strategy():
    return tf.distribute.get_strategy()


@pytest.fixture(params=["mirrored", "central_storage", "one_device", "default_strategy"])
def strategy(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["mirrored", "central_storage"])
def two_replicas(request):
    return request.getfixturevalue(request.param)
