"""A module that reaches for what TensorFlow keeps to itself, and computes while it is imported."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.framework import ops  # noqa: F401 - the mistake that is to be found

from .sound import Sound

SCALE = tf.constant(1.0)


class ImportsPrivateModules(Sound):
    caught_by = "check_only_public_modules_are_imported"


class ComputesWhenImported(Sound):
    caught_by = "check_importing_it_leaves_the_devices_free"
