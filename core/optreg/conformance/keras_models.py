"""Small models of either Keras, with the loss written out so that a loop of one's own can be held against ``fit``."""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optreg.conformance.definition import Skipped
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import value_of
from optreg.keras import wrap

_SEED = 20150327
_EXAMPLES, _FEATURES, _BATCH = 16, 4, 8
_ROWS, _WIDTH, _IDS = 6, 3, 2


def library(name: str) -> Any:
    """Return ``keras`` or ``tf_keras``.

    Raises:
        Skipped: It is not installed, or Keras 3 runs on another backend.
    """
    try:
        found = importlib.import_module(name)
    except ImportError as error:
        raise Skipped(f"{name} cannot be imported ({error}): pip install {name.replace('_', '-')}") from error
    if name == "keras" and found.backend.backend() != "tensorflow":
        raise Skipped(f"Keras runs on {found.backend.backend()}: set KERAS_BACKEND=tensorflow")
    return found


class LinearModel:
    """One dense layer that fits a line, compiled with the subject.

    Args:
        keras: The library.
        subject: The optimizer under test.
        jit_compile: As in ``compile``.
        **overrides: Hyperparameters of the optimizer.
    """

    def __init__(self, keras: Any, subject: Subject, *, jit_compile: bool = False, **overrides: Any) -> None:
        if "float32" not in subject.dtypes:
            raise Skipped("models of Keras have float32 weights, which the card does not declare")
        self.keras = keras
        self.x, self.y = self.data(np.random.default_rng(_SEED))
        self.model = self.built()
        self.optimizer: Any = wrap(subject.brisk(**overrides), library=keras.__name__)
        self.model.compile(optimizer=self.optimizer, loss="mse", jit_compile=jit_compile)
        self.start = self.weights

    steps = _EXAMPLES // _BATCH
    """Steps in an epoch."""

    def data(self, random: Any) -> tuple[Any, Any]:
        """Return inputs and targets of one epoch."""
        x = random.normal(size=(_EXAMPLES, _FEATURES)).astype("float32")
        return x, x @ np.arange(1.0, 1.0 + _FEATURES, dtype="float32")[:, None] + 0.5

    def built(self) -> Any:
        """Return the model with fixed weights."""
        layers = self.keras.layers
        model = self.keras.Sequential([layers.Input((_FEATURES,)), layers.Dense(1)])
        model.set_weights([np.linspace(-1.0, 1.0, _FEATURES, dtype="float32")[:, None], np.ones(1, "float32")])
        return model

    def predict(self, variables: Sequence[Any], x: Any) -> Any:
        """Return what the model predicts with these variables."""
        kernel, bias = variables
        return tf.matmul(x, kernel) + bias

    def fit(self, epochs: int) -> None:
        """Train on the same batches in the same order in each epoch."""
        self.model.fit(self.x, self.y, batch_size=_BATCH, epochs=epochs, shuffle=False, verbose=0)

    @property
    def weights(self) -> list[Any]:
        """The weights of the model."""
        return [np.asarray(weight, np.float64) for weight in self.model.get_weights()]


class EmbeddingModel(LinearModel):
    """A table of embeddings, averaged over the ids of an example; some ids repeat."""

    def data(self, random: Any) -> tuple[Any, Any]:
        """Return ids and targets of one epoch; the last row of the table is never used."""
        ids = random.integers(0, _ROWS - 1, size=(_EXAMPLES, _IDS)).astype("int32")
        return ids, random.normal(size=(_EXAMPLES, _WIDTH)).astype("float32")

    def built(self) -> Any:
        """Return the model with fixed weights."""
        layers = self.keras.layers
        table, average = layers.Embedding(_ROWS, _WIDTH), layers.GlobalAveragePooling1D()
        model = self.keras.Sequential([layers.Input((_IDS,), dtype="int32"), table, average])
        model.set_weights([np.linspace(-1.0, 1.0, _ROWS * _WIDTH, dtype="float32").reshape(_ROWS, _WIDTH)])
        return model

    def predict(self, variables: Sequence[Any], x: Any) -> Any:
        """Return the average of the rows."""
        return tf.reduce_mean(tf.gather(variables[0], x), axis=1)


def by_hand(model: LinearModel, optimizer: Any, epochs: int, rates: Sequence[float] = ()) -> list[Any]:
    """Return the weights that a custom loop reaches from the start of a model.

    Args:
        model: Its data and start are used; it is not trained.
        optimizer: A fresh one.
        epochs: How often to go over the data.
        rates: Learning rate for each epoch, where it changes.
    """
    variables = [tf.Variable(value, dtype=tf.float32) for value in model.start]
    for epoch in range(epochs):
        if rates:
            optimizer.learning_rate = rates[epoch]
        for place in range(0, _EXAMPLES, _BATCH):
            x, y = model.x[place : place + _BATCH], model.y[place : place + _BATCH]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model.predict(variables, x) - y) ** 2)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return [value_of(variable) for variable in variables]


@contextlib.contextmanager
def saved(model: LinearModel) -> Iterator[str]:
    """Save a model in a folder that exists as long as the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.keras"))
        model.model.save(path)
        yield path


def load(like: LinearModel, path: str) -> LinearModel:
    """Return a model read from a file, with the data of the one that was saved."""
    loaded: LinearModel = object.__new__(type(like))
    vars(loaded).update(vars(like))
    loaded.model = like.keras.models.load_model(path)
    loaded.optimizer = loaded.model.optimizer
    return loaded
