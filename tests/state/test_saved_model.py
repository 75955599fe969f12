"""An exported training: loaded where optreg is installed and where it is not, it goes on as the original does."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.state.training import (
    CASES,
    SHAPES,
    Training,
    assert_near,
    assert_same,
    blank,
    model,
    ours,
    stepped,
    values,
    variables,
)

from optreg.errors import InvalidState
from optreg.optimizer import exported_state_dict
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


@pytest.fixture
def exported(tmp_path):
    training = Training(Adam(0.05), model())
    stepped(training, [1, 2])
    tf.saved_model.save(training, str(tmp_path))
    return training, str(tmp_path)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_loaded_training_goes_on_as_the_original(name, options, tmp_path):
    training = Training(ours(name, options), model())
    stepped(training, [1, 2])
    tf.saved_model.save(training, str(tmp_path))
    expected = stepped(training, [3, 4])
    loaded = tf.saved_model.load(str(tmp_path))
    fresh, copy = ours(name, options), blank()
    fresh.load_state_dict(exported_state_dict(loaded.optimizer), variables(copy))
    for variable, value in zip(variables(copy), variables(loaded.model), strict=True):
        variable.assign(value)
    assert_same(stepped(loaded, [3, 4]), expected)
    assert int(loaded.optimizer.iter) == 4
    assert_near(stepped(Training(fresh, copy), [3, 4]), expected)


def test_an_export_traces_a_step_that_has_not_run_yet(tmp_path):
    training = Training(Adam(0.05), model())
    tf.saved_model.save(training, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    assert_same(stepped(loaded, [1, 2]), stepped(training, [1, 2]))


def test_the_loaded_state_is_that_of_the_optimizer(exported):
    training, path = exported
    loaded = tf.saved_model.load(path)
    state, expected = exported_state_dict(loaded.optimizer), training.optimizer.state_dict()
    assert list(state) == list(expected)
    assert list(state["slots"]) == list(SHAPES)
    assert state["slots"]["bias"].keys() == {"m", "v"}
    np.testing.assert_array_equal(state["slots"]["table"]["v"], training.optimizer.get_slot(training.model.table, "v"))
    assert state["hyperparameters"] == expected["hyperparameters"]
    assert (state["iterations"], loaded.optimizer.learning_rate.numpy()) == (2, np.float32(0.05))


def test_the_export_of_an_optimizer_without_state_has_none(tmp_path):
    tf.saved_model.save(Training(SGD(0.5), tf.Module()).optimizer, str(tmp_path))
    state = exported_state_dict(tf.saved_model.load(str(tmp_path)))
    assert (state["iterations"], state["slots"], state["weights"]) == (0, {}, {})


def test_loaded_hyperparameters_reach_the_loaded_step(exported):
    training, path = exported
    loaded = tf.saved_model.load(path)
    for optimizer in (training.optimizer, loaded.optimizer):
        optimizer.learning_rate.assign(0.5)
    assert_same(stepped(loaded, [3]), stepped(training, [3]))


def test_what_was_loaded_can_be_exported_again(exported, tmp_path):
    training, path = exported
    again = str(tmp_path / "again")
    tf.saved_model.save(tf.saved_model.load(path), again)
    assert_same(stepped(tf.saved_model.load(again), [3]), stepped(training, [3]))


def test_loaded_variables_of_one_name_need_names(tmp_path):
    optimizer, module = Adam(), tf.Module()
    module.w, module.optimizer = [tf.Variable(1.0), tf.Variable(2.0)], optimizer
    optimizer.apply_gradients([(tf.constant(3.0), module.w[0]), (tf.constant(5.0), module.w[1])])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    with pytest.raises(InvalidState, match="several variables are called 'Variable'"):
        exported_state_dict(loaded.optimizer)
    state = exported_state_dict(loaded.optimizer, {"one": loaded.w[0], "two": loaded.w[1]})
    np.testing.assert_allclose([state["slots"]["one"]["m"], state["slots"]["two"]["m"]], [0.3, 0.5], rtol=1e-6)


def test_state_is_read_from_exports_of_optreg_only(exported):
    with pytest.raises(InvalidState, match="which holds no state exported by optreg"):
        exported_state_dict(tf.saved_model.load(exported[1]).model)


def test_an_export_leaves_checkpoints_and_slots_as_they_were(exported, tmp_path):
    training, path = exported
    optimizer = training.optimizer
    assert optimizer.get_slot_names() == ["m", "v"]
    written = tf.train.Checkpoint(optimizer=optimizer, model=training.model).write(str(tmp_path / "ckpt"))
    again = blank()
    reader = tf_keras.optimizers.legacy.Adam(0.05)
    tf.train.Checkpoint(optimizer=reader, model=again).read(written).assert_existing_objects_matched()
    assert int(reader.iterations) == 2
    np.testing.assert_array_equal(reader.get_slot(again.bias, "v"), optimizer.get_slot(training.model.bias, "v"))
    tf.saved_model.save(training, path)
    assert_same(stepped(tf.saved_model.load(path), [3]), stepped(training, [3]))


def test_an_export_under_a_strategy_goes_on(tmp_path):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        module, optimizer = model(), SGD(0.1, momentum=0.5)
        optimizer.build(variables(module))
        for variable in variables(module):
            optimizer.get_slot(variable, "momentum").assign(tf.ones_like(variable))
    module.optimizer = optimizer
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    single, fresh = blank(), SGD(0.1, momentum=0.5)
    fresh.load_state_dict(exported_state_dict(loaded.optimizer), variables(single))
    before = values(single)
    fresh.apply_gradients((tf.zeros_like(variable), variable) for variable in variables(single))
    for one, other in zip(values(single), before, strict=True):
        np.testing.assert_allclose(one, other + 0.5, rtol=1e-6)
