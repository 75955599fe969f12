"""State taken to another process, by an export and by a pickle; one process serves all tests here."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tests.state.training import Training, assert_same, model, stepped

from optreg_classic.adam import Adam

ELSEWHERE = """
import pickle, sys
hidden = ("optreg", "optreg_classic", "keras", "tf_keras")
sys.modules.update(dict.fromkeys(hidden))
import numpy as np, tensorflow as tf
folder = sys.argv[1]
loaded = tf.saved_model.load(folder + "/export")
for number in (3, 4):
    reached = loaded.step(tf.constant(number))
np.savez(folder + "/export.npz", *reached)
for name in hidden:
    del sys.modules[name]
with open(folder + "/training.pickle", "rb") as file:
    weights, optimizer = pickle.load(file)
optimizer.apply_gradients((tf.fill(w.shape, 1.0 + n), w) for n, w in enumerate(weights))
np.savez(folder + "/pickle.npz", *weights)
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Return what the original reaches and what the other process reached, by way."""
    folder = tmp_path_factory.mktemp("elsewhere")
    training = Training(Adam(0.05), model())
    stepped(training, [1, 2])
    tf.saved_model.save(training, str(folder / "export"))
    weights, optimizer = [tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])], Adam(0.1)
    step(optimizer, weights)
    (folder / "training.pickle").write_bytes(pickle.dumps((weights, optimizer)))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", ELSEWHERE, str(folder)]
    subprocess.run(command, check=True, timeout=120, env=environment, cwd=folder, capture_output=True)
    step(optimizer, weights)
    here = {"export": stepped(training, [3, 4]), "pickle": [weight.numpy() for weight in weights]}
    return {way: (expected, list(np.load(folder / f"{way}.npz").values())) for way, expected in here.items()}


def step(optimizer, weights):
    optimizer.apply_gradients((tf.fill(w.shape, 1.0 + n), w) for n, w in enumerate(weights))


def test_an_export_goes_on_where_neither_optreg_nor_a_keras_is_installed(elsewhere):
    assert_same(*elsewhere["export"])


def test_a_pickle_goes_on_in_a_fresh_process(elsewhere):
    assert_same(*elsewhere["pickle"])
