"""Data and models that the tests of both Kerases train."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tests.fake_site import site

import optreg

__all__ = ["site"]


class RoughSum(optreg.Optimizer):
    """Steps along the sum of all gradients, which it keeps in bfloat16."""

    def __init__(self, name="RoughSum", **kwargs):
        super().__init__(name, **kwargs)

    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "sum", dtype=tf.bfloat16)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        total = self.get_slot(var, "sum")
        total.assign_add(tf.cast(grad, tf.bfloat16))
        return var.assign_sub(0.01 * tf.cast(total, var.dtype))


class Problem(NamedTuple):
    """A linear problem of 64 rows, small enough for a model to train in milliseconds."""

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]

    def model(self, keras):
        """A model of the given Keras whose initial weights are always the same."""
        model = keras.Sequential(
            [keras.layers.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)]
        )
        return self.reset(model)

    def compiled(self, keras, optimizer, **options):
        """A model ready to train; eagerly if no options say otherwise, because tracing takes longer than training."""
        model = self.model(keras)
        model.compile(optimizer=optimizer, loss="mse", **(options or {"run_eagerly": True}))
        return model

    def reset(self, model):
        random = np.random.default_rng(7)
        model.set_weights([random.normal(size=weight.shape, scale=0.3) for weight in model.get_weights()])
        return model

    def fit(self, model, epochs=3, **options):
        """Train in four batches an epoch and return the loss of each epoch."""
        history = model.fit(self.x, self.y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, **options)
        return history.history["loss"]

    def fit_interrupted(self, keras, model, folder, epochs):
        """Train with a backup in the folder, until an interrupt at the beginning of the third epoch."""

        class Interrupted(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.fit(model, epochs=epochs, callbacks=[keras.callbacks.BackupAndRestore(folder), Interrupted()])

    def curve(self, keras, optimizer, **options):
        return self.fit(self.compiled(keras, optimizer, **options))


@pytest.fixture
def problem():
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 4)).astype("float32")
    return Problem(x, x @ np.array([[1], [2], [-1], [0.5]], "float32"))


@pytest.fixture(autouse=True)
def _kerases_as_they_were():
    """Leave the dtype policies and the random state of both libraries as every other test expects them."""
    import keras

    yield
    keras.config.set_dtype_policy("float32")
