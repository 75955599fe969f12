"""tf.train.Checkpoint, to and from tf_keras's legacy optimizers, at every moment of an optimizer's life."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.state.training import (
    KERAS2_CASES,
    SHAPES,
    assert_near,
    assert_same,
    blank,
    model,
    ours,
    pairs,
    theirs,
    traced_step,
    train,
    values,
    variables,
)

import optreg
from optreg.errors import InvalidHyperparameter
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

KINDS = {"ours": ours, "theirs": theirs}


def checkpoint(optimizer, module):
    return tf.train.Checkpoint(optimizer=optimizer, model=module)


def saved(make, folder, steps=3):
    """Train, write a checkpoint and return its path with the values that the next three steps reach."""
    module = model()
    optimizer = make()
    train(optimizer, module, 0, steps)
    path = checkpoint(optimizer, module).write(str(folder / "ckpt"))
    return path, train(optimizer, module, steps)


@pytest.mark.parametrize("moment", ["before variables", "before slots", "built", "stepped"])
@pytest.mark.parametrize(("writer", "reader"), [("ours", "theirs"), ("theirs", "ours")])
@pytest.mark.parametrize(("name", "options"), KERAS2_CASES)
def test_a_checkpoint_is_continued_whoever_wrote_it(name, options, writer, reader, moment, tmp_path):
    path, expected = saved(lambda: KINDS[writer](name, options), tmp_path)
    optimizer = KINDS[reader](name, options)
    module = tf.Module() if moment == "before variables" else blank()
    if moment == "built":
        optimizer._create_all_weights(variables(module))
    if moment == "stepped":
        train(optimizer, module, 20, 2)
    status = checkpoint(optimizer, module).read(path)
    if moment == "before variables":
        for variable_name, shape in SHAPES.items():
            setattr(module, variable_name, tf.Variable(tf.zeros(shape), name=variable_name))
    received = train(optimizer, module, 3)
    status.assert_consumed()
    assert_near(received, expected)


@pytest.mark.parametrize("traced_before", [False, True])
@pytest.mark.parametrize("name", optreg.list_optimizers(distribution="optreg"))
def test_a_step_traced_before_or_after_the_restore_continues(name, traced_before, tmp_path):
    path, expected = saved(lambda: ours(name), tmp_path)
    optimizer, module = ours(name), blank()
    step = traced_step(optimizer, module)
    if traced_before:
        step(20)
    status = checkpoint(optimizer, module).read(path)
    for number in range(3, 6):
        step(number)
    status.assert_consumed()
    assert_near(values(module), expected)


def test_a_checkpoint_is_written_and_read_inside_a_function(tmp_path):
    module, optimizer = model(), Adam(0.05)
    train(optimizer, module, 0)
    objects = checkpoint(optimizer, module)
    path = str(tmp_path / "inside")

    @tf.function
    def write():
        return objects.write(path)

    write()
    expected = train(optimizer, module, 3)
    again, resumed = blank(), Adam(0.05)
    checkpoint(resumed, again).read(path).assert_existing_objects_matched()
    assert_same(train(resumed, again, 3), expected)


def test_the_manager_keeps_the_newest_and_finds_the_latest(tmp_path):
    module, optimizer = model(), Adam(0.05)
    manager = tf.train.CheckpointManager(checkpoint(optimizer, module), str(tmp_path), max_to_keep=2)
    seen = []
    for number in range(4):
        train(optimizer, module, number, 1)
        manager.save(checkpoint_number=number)
        seen.append(values(module))
    assert [path.rpartition("-")[2] for path in manager.checkpoints] == ["2", "3"]
    again, resumed = blank(), Adam(0.05)
    status = checkpoint(resumed, again).restore(tf.train.latest_checkpoint(str(tmp_path)))
    assert_same(values(again), seen[-1])
    assert_same(train(resumed, again, 4), train(optimizer, module, 4))
    status.assert_consumed()


def test_an_asynchronous_checkpoint_holds_the_values_of_the_moment_it_was_asked_for(tmp_path):
    module, optimizer = model(), Adam(0.05)
    objects = checkpoint(optimizer, module)
    options = tf.train.CheckpointOptions(experimental_enable_async_checkpoint=True)
    train(optimizer, module, 0)
    first = objects.save(str(tmp_path / "async"), options)
    expected = train(optimizer, module, 3)
    second = objects.save(str(tmp_path / "async"), options)
    after = train(optimizer, module, 6)
    objects.sync()
    for path, step, reached in ((first, 3, expected), (second, 6, after)):
        again, resumed = blank(), Adam(0.05)
        checkpoint(resumed, again).restore(path).expect_partial()
        assert int(resumed.iterations) == step
        assert_same(train(resumed, again, step), reached)


def test_slots_of_a_lost_variable_are_reported(tmp_path):
    path, _ = saved(lambda: Adam(0.05), tmp_path)
    module, optimizer = blank(), Adam(0.05)
    del module.table
    status = checkpoint(optimizer, module).read(path)
    optimizer.build(variables(module))
    status.assert_existing_objects_matched()
    with pytest.raises(AssertionError, match="table"):
        status.assert_consumed()
    status.expect_partial()
    reference, module_of_reference = Adam(0.05), model()
    train(reference, module_of_reference, 0)
    np.testing.assert_array_equal(
        optimizer.get_slot(module.bias, "v"), reference.get_slot(module_of_reference.bias, "v")
    )


def test_a_variable_that_was_added_is_reported_and_starts_fresh(tmp_path):
    module, optimizer = model(names=("matrix", "bias")), Adam(0.05)
    optimizer.apply_gradients(pairs(module, 0))
    path = checkpoint(optimizer, module).write(str(tmp_path / "ckpt"))
    grown, resumed = blank(), Adam(0.05)
    resumed.build(variables(grown))
    status = checkpoint(resumed, grown).read(path)
    status.assert_nontrivial_match()
    with pytest.raises(AssertionError, match="table"):
        status.assert_existing_objects_matched()
    assert np.count_nonzero(resumed.get_slot(grown.table, "m")) == 0
    np.testing.assert_array_equal(resumed.get_slot(grown.bias, "m"), optimizer.get_slot(module.bias, "m"))


def test_hyperparameters_of_another_optimizer_are_reported(tmp_path):
    path, _ = saved(lambda: ours("rmsprop"), tmp_path)
    optimizer, module = ours("adam"), blank()
    status = checkpoint(optimizer, module).read(path)
    optimizer.build(variables(module))
    for complete in (status.assert_consumed, status.assert_existing_objects_matched):
        with pytest.raises(AssertionError, match="beta_1"):
            complete()
    assert int(optimizer.iterations) == 3
    np.testing.assert_array_equal(optimizer.get_config()["beta_1"], 0.9)


def test_a_variable_given_as_hyperparameter_is_saved_and_restored(tmp_path):
    path, expected = saved(lambda: SGD(tf.Variable(0.05), momentum=0.9), tmp_path)
    rate = tf.Variable(1.0)
    optimizer, module = SGD(rate, momentum=0.9), blank()
    checkpoint(optimizer, module).read(path).expect_partial()
    assert_same(train(optimizer, module, 3), expected)
    assert float(rate) == np.float32(0.05)


def test_a_number_that_a_schedule_replaced_is_in_no_checkpoint(tmp_path):
    schedule = tf_keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5)
    module, optimizer = model(), SGD(0.05)
    train(optimizer, module, 0, 1)
    optimizer.learning_rate = schedule
    path = checkpoint(optimizer, module).write(str(tmp_path / "ckpt"))
    assert not [name for name, _ in tf.train.list_variables(path) if "learning_rate" in name]
    resumed, other = SGD(schedule), blank()
    status = checkpoint(resumed, other).read(path)
    resumed.build(variables(other))
    status.assert_consumed()


def test_momentum_in_a_checkpoint_is_used_by_an_optimizer_built_without_it(tmp_path):
    path, expected = saved(lambda: SGD(0.05, momentum=0.9), tmp_path)
    optimizer, module = SGD(0.05), blank()
    train(optimizer, module, 0, 1)
    checkpoint(optimizer, module).read(path).assert_consumed()
    assert_same(train(optimizer, module, 3), expected)


def test_momentum_in_a_checkpoint_is_refused_once_a_step_without_it_is_traced(tmp_path):
    path, _ = saved(lambda: SGD(0.05, momentum=0.9), tmp_path)
    optimizer, module = SGD(0.05), blank()
    traced_step(optimizer, module)(0)
    with pytest.raises(InvalidHyperparameter, match="momentum cannot be switched on once a tf.function has traced"):
        checkpoint(optimizer, module).read(path)


def test_weights_have_their_order_whether_a_checkpoint_came_before_or_after_the_slots(tmp_path):
    def parts():
        return {"a": tf.Variable([1.0]), "b": tf.Variable([2.0])}, optreg.get_optimizer("adam", amsgrad=True)

    variables, optimizer = parts()
    for _ in range(2):
        optimizer.apply_gradients([(variable * 0.5, variable) for variable in variables.values()])
    path = tf.train.Checkpoint(optimizer=optimizer, **variables).save(str(tmp_path / "ckpt"))

    restored_variables, restored = parts()
    tf.train.Checkpoint(optimizer=restored, **restored_variables).restore(path)
    restored.build(list(restored_variables.values()))
    assert restored.get_slot_names() == ["m", "v", "vhat"]
    for restored_value, recorded in zip(restored.get_weights(), optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(restored_value, recorded)


def written_by_keras_2(kind, folder, gradient=(1.0, 3.0)):
    """Write a checkpoint of weights and slots of 16 bits; return its path and the slots."""
    weight = tf.Variable([1.0, 2.0], dtype=tf.float16)
    optimizer = getattr(tf_keras.optimizers.legacy, kind)(0.125)
    optimizer.apply_gradients([(tf.constant(gradient, tf.float16), weight)])
    slots = {name: optimizer.get_slot(weight, name).numpy() for name in optimizer.get_slot_names()}
    assert {slot.dtype for slot in slots.values()} == {np.dtype("float16")}
    return tf.train.Checkpoint(optimizer=optimizer, weight=weight).write(str(folder / f"of {gradient}")), slots


NARROW_SLOTS = pytest.mark.parametrize("kind", ["Adagrad", "Adadelta", "Ftrl", "Adam"])


@pytest.mark.parametrize("moment", ["before variables", "before slots", "built"])
@NARROW_SLOTS
def test_slots_that_keras_2_kept_in_sixteen_bits_are_continued_in_float32(kind, moment, tmp_path):
    older, _ = written_by_keras_2(kind, tmp_path, (2.0, 5.0))
    path, slots = written_by_keras_2(kind, tmp_path)
    optimizer = optreg.get_optimizer(kind.lower(), learning_rate=0.125)
    reader = tf.train.Checkpoint(optimizer=optimizer)
    reader.read(older).expect_partial()
    if moment != "before variables":
        reader.weight = tf.Variable([0.0, 0.0], dtype=tf.float16)
    if moment == "built":
        optimizer.build([reader.weight])
    status = reader.read(path)
    if moment == "before variables":
        reader.weight = tf.Variable([0.0, 0.0], dtype=tf.float16)
        optimizer.build([reader.weight])
    status.assert_existing_objects_matched()
    for name, value in slots.items():
        slot = optimizer.get_slot(reader.weight, name)
        assert slot.dtype == tf.float32
        np.testing.assert_array_equal(slot, value)
    before = reader.weight.numpy()
    optimizer.apply_gradients([(tf.constant([300.0, 1e3], tf.float16), reader.weight)])
    status.assert_consumed()
    assert np.isfinite(reader.weight.numpy()).all()
    assert kind == "Adadelta" or (reader.weight.numpy() != before).all()


@NARROW_SLOTS
def test_slots_that_keras_2_kept_in_sixteen_bits_are_continued_in_a_session(kind, tmp_path):
    path, slots = written_by_keras_2(kind, tmp_path)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weight = tf.Variable([0.0, 0.0], dtype=tf.float16)
        optimizer = optreg.get_optimizer(kind.lower(), learning_rate=0.125)
        step = optimizer.apply_gradients([(tf.constant([300.0, 1e3], tf.float16), weight)])
        status = tf.train.Checkpoint(optimizer=optimizer, weight=weight).read(path)
        status.assert_consumed().run_restore_ops(session)
        for name, value in slots.items():
            np.testing.assert_array_equal(session.run(optimizer.get_slot(weight, name).value()), value)
        session.run(step)
        assert np.isfinite(session.run(weight.value())).all()


@NARROW_SLOTS
def test_weights_of_sixteen_bits_from_a_list_go_into_float32_slots(kind):
    weight = tf.Variable([1.0, 2.0], dtype=tf.float16)
    optimizer = optreg.get_optimizer(kind.lower())
    optimizer.build([weight])
    given = [np.ones(slot.shape, "float16") * 3 for slot in optimizer.weights[1:]]
    optimizer.set_weights([5, *given])
    assert [slot.dtype for slot in optimizer.weights[1:]] == [tf.float32] * len(given)
    assert all((value == 3.0).all() for value in optimizer.get_weights()[1:])
