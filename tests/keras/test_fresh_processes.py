"""What only a process of its own shows: loading a model after ``import optreg`` alone, and which Keras is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tf_keras

import optreg.keras


def run(script, *arguments, **environment):
    """Run a script in a process of its own and return what it printed last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CONTINUE = """
import json, sys
import optreg
early = sorted({"keras", "tf_keras", "tensorflow"} & set(sys.modules))
import numpy as np
if sys.argv[1] == "keras":
    import keras
else:
    import tf_keras as keras
model = keras.models.load_model(sys.argv[2])
data = np.load(sys.argv[3])
losses = model.fit(data["x"], data["y"], batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]
named = keras.optimizers.get("optreg>adam")
print(json.dumps({
    "early": early,
    "losses": losses,
    "step": int(model.optimizer.iterations.numpy()),
    "kerases": sorted({"keras", "tf_keras"} & set(sys.modules)),
    "named": type(named.wrapped).__name__,
}))
"""


@pytest.mark.parametrize(
    ("library", "environment"), [(keras, {}), (tf_keras, {"TF_USE_LEGACY_KERAS": "1"})], ids=["keras", "tf_keras"]
)
def test_a_process_that_imported_only_optreg_loads_a_model_and_continues_exactly(
    problem, tmp_path, library, environment
):
    name = library.__name__
    model = problem.compiled(library, optreg.keras.wrap("adam", learning_rate=0.02, library=name))
    problem.fit(model, epochs=2)
    model.save(tmp_path / "m.keras")
    undisturbed = problem.fit(model, epochs=2)
    np.savez(tmp_path / "data.npz", x=problem.x, y=problem.y)
    found = run(CONTINUE, name, tmp_path / "m.keras", tmp_path / "data.npz", **environment)
    assert found["early"] == []
    assert found["kerases"] == [name]
    assert found["named"] == "Adam"
    assert found["step"] == 16
    assert found["losses"] == undisturbed
