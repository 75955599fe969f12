"""What holds for the adapter of either Keras."""

from __future__ import annotations

import keras
import pytest
import tf_keras
from tests.keras.conftest import RoughSum

import optreg.keras


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_bfloat16_slots_are_saved(problem, tmp_path, library):
    model = problem.compiled(library, optreg.keras.wrap(RoughSum(), library=library.__name__))
    problem.fit(model)
    model.save(tmp_path / "m.keras")
    objects = {"RoughSum": RoughSum}
    loaded = library.models.load_model(tmp_path / "m.keras", custom_objects=objects)
    assert problem.fit(loaded) == pytest.approx(problem.fit(model), rel=1e-6)
    slot = loaded.optimizer.get_slot(loaded.trainable_variables[0], "sum")
    assert slot.dtype == "bfloat16"
