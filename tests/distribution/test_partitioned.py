"""Variables in parts, as ParameterServerStrategy makes them: gradients, slots and checkpoints of the whole."""

from __future__ import annotations

import sys
from contextlib import contextmanager

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.plugins.transcriptions import FAMILY

import optreg
import optreg.legacy
from optreg.errors import InvalidGradients, InvalidState, UnknownSlot
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

ROWS = 5
VALUES = np.arange(10, dtype=np.float32).reshape(ROWS, 2)


def partitioned(sizes=(3, 2), values=VALUES, name="table"):
    """Return a variable in parts of the given numbers of rows; without a name as TensorFlow leaves it."""
    cuts = np.split(values, np.cumsum(sizes)[:-1])
    parts = [tf.Variable(cut, name=name and f"{name}/part_{number}") for number, cut in enumerate(cuts)]
    return tf.__internal__.distribute.ShardedVariable(parts)


@pytest.fixture(params=["table", None], ids=["named", "unnamed"])
def table(request):
    return partitioned(name=request.param)


def whole_after(gradients, make):
    """Return the values of an unpartitioned table and its slots after steps of tf_keras's legacy optimizer."""
    variable, optimizer = tf.Variable(VALUES), make()
    for gradient in gradients:
        optimizer.apply_gradients([(gradient, variable)])
    return variable.numpy(), {name: optimizer.get_slot(variable, name).numpy() for name in optimizer.get_slot_names()}


DENSE = tf.constant(VALUES - 4.0)
SPARSE = tf.IndexedSlices(tf.constant([[1.0, 2.0], [4.0, 0.5], [2.0, 2.0]]), [4, 0, 4], tf.constant([ROWS, 2]))


@pytest.mark.parametrize("given", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("in_function", [True, False])
def test_a_gradient_of_the_whole_trains_the_parts(table, given, in_function):
    optimizer = Adam(0.5)

    def step():
        optimizer.apply_gradients([(given, table)])

    step = tf.function(step) if in_function else step
    step()
    step()
    expected, slots = whole_after([given] * 2, lambda: tf_keras.optimizers.legacy.Adam(0.5))
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-6)
    for name, value in slots.items():
        np.testing.assert_allclose(optimizer.get_slot(table, name).numpy(), value, rtol=1e-6)
    assert optimizer.iterations.numpy() == 2


def test_the_gradients_of_the_parts_train_them(table):
    optimizer = SGD(1.0)
    first, second = table.variables
    optimizer.apply_gradients([([tf.ones((3, 2)), tf.zeros((2, 2))], table)])
    optimizer.apply_gradients([(tf.ones((3, 2)), first), (tf.ones((2, 2)), second)])
    np.testing.assert_array_equal(table.numpy(), np.concatenate([VALUES[:3] - 2, VALUES[3:] - 1]))


def test_minimize_trains_partitioned_variables_among_others(table):
    bias, optimizer = tf.Variable(1.0), SGD(0.5)
    optimizer.minimize(lambda: tf.reduce_sum(tf.gather(tf.concat(table.variables, 0), [0, 4])) * bias, [table, bias])
    expected = VALUES.copy()
    expected[[0, 4]] -= 0.5
    np.testing.assert_array_equal(table.numpy(), expected)
    assert bias.numpy() == 1.0 - 0.5 * VALUES[[0, 4]].sum()


def test_a_part_without_a_gradient_stays(table):
    optimizer = SGD(1.0)
    with pytest.warns(UserWarning, match="no gradient for the variables"):
        optimizer.apply_gradients([([None, tf.ones((2, 2))], table)])
    np.testing.assert_array_equal(table.numpy(), np.concatenate([VALUES[:3], VALUES[3:] - 1]))


@pytest.mark.parametrize(
    "wrong", [tf.ones((4, 2)), [tf.ones((3, 2))], "gradient", 1.0], ids=["shape", "too few", "text", "number"]
)
def test_a_gradient_that_fits_neither_whole_nor_parts_is_refused(wrong):
    table, optimizer = partitioned(), SGD(1.0)
    with pytest.raises(InvalidGradients, match=r"partitioned variable 'table' of shape \(5, 2\) must be a tensor"):
        optimizer.apply_gradients([(wrong, table)])
    np.testing.assert_array_equal(table.numpy(), VALUES)


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("row", [-1, 5, 7])
@pytest.mark.parametrize(
    ("in_function", "error", "message"),
    [
        (False, InvalidGradients, r"sparse gradient with row -?\d, and not rows from 0 to 4, for variable 'table'"),
        (True, tf.errors.InvalidArgumentError, None),
    ],
    ids=["eager", "function"],
)
def test_a_row_that_no_part_has_is_an_error(kind, row, in_function, error, message):
    table, optimizer = partitioned(), getattr(optreg.legacy, kind)(0.5)

    def step(indices):
        optimizer.apply_gradients([(tf.IndexedSlices(tf.ones((1, 2)), indices), table)])

    with pytest.raises(error, match=message):
        (tf.function(step) if in_function else step)(tf.constant([row]))
    np.testing.assert_array_equal(table.numpy(), VALUES)
    assert optimizer.iterations.numpy() == 0


@pytest.mark.parametrize(
    ("values", "indices", "message"),
    [
        (np.ones((1, 2), np.float32), [0.0], "indices of dtype float32, and not int32 or int64, for variable 'table'"),
        (np.ones((2, 2), np.float32), [0], "1 indices for 2 rows for variable 'table' of shape .5, 2."),
        (np.ones((1, 3), np.float32), [0], r"gradient of shape \(1, 3\) for variable 'table'"),
    ],
)
def test_a_malformed_sparse_gradient_of_the_whole_is_refused(values, indices, message):
    table = partitioned()
    with pytest.raises(InvalidGradients, match=message):
        SGD(1.0).apply_gradients([(tf.IndexedSlices(values, indices), table)])
    np.testing.assert_array_equal(table.numpy(), VALUES)


def test_a_sparse_gradient_of_the_whole_may_hold_numpy_arrays(table):
    gradient = tf.IndexedSlices(np.ones((3, 2), np.float32), np.array([4, 2, 4]))
    SGD(1.0).apply_gradients([(gradient, table)])
    np.testing.assert_array_equal(table.numpy(), VALUES - np.array([0, 0, 1, 0, 2], np.float32)[:, np.newaxis])


def test_a_gradient_is_needed_for_one_part_at_least(table):
    with pytest.raises(InvalidGradients, match="no gradient for any variable"):
        SGD(1.0).apply_gradients([(None, table)])


def test_global_clipping_sees_the_parts_as_one():
    table, optimizer = partitioned(), SGD(1.0, global_clipnorm=1.0)
    optimizer.apply_gradients([(DENSE, table)])
    np.testing.assert_allclose(table.numpy(), VALUES - DENSE / tf.norm(DENSE), rtol=1e-6)


@pytest.mark.parametrize("given", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("step", ["clip_by_norm", "clip_by_block_rms", "adaptive_clip", "normalize", None])
def test_each_gradient_is_measured_over_all_its_parts(table, given, step):
    argument = {"clipping": 0.5} if step == "adaptive_clip" else {"limit": 0.5}
    transformers = [step if step == "normalize" else (step, argument)] if step else None
    options = {"gradient_transformers": transformers} if step else {"clipnorm": 0.5}
    whole = tf.Variable(VALUES)
    for variable in (table, whole):
        SGD(1.0, **options).apply_gradients([(given, variable)])
    np.testing.assert_allclose(table.numpy(), whole.numpy(), rtol=1e-6)


@pytest.mark.parametrize("gradient", [DENSE, tf.zeros_like(DENSE)], ids=["some", "none"])
def test_a_norm_of_zero_leaves_the_parts_alone(table, gradient):
    SGD(1.0, clipnorm=0.0).apply_gradients([(gradient, table)])
    np.testing.assert_array_equal(table.numpy(), VALUES)


def test_centralize_takes_the_mean_over_all_parts(table):
    SGD(1.0, gradient_transformers=["centralize"]).apply_gradients([(DENSE, table)])
    gradient = DENSE.numpy()
    np.testing.assert_allclose(table.numpy(), VALUES - (gradient - gradient.mean(axis=0)), rtol=1e-6)


def test_state_that_is_refused_leaves_no_slot_of_the_whole_behind(table):
    optimizer = Adam()
    with pytest.raises(InvalidState, match="nothing was changed"):
        optimizer.load_state_dict({"iterations": 1, "slots": {"table": {"m": VALUES}}}, {"table": table})
    optimizer.apply_gradients([(DENSE, table)])
    _, slots = whole_after([DENSE], tf_keras.optimizers.legacy.Adam)
    for name, expected in slots.items():
        np.testing.assert_allclose(optimizer.get_slot(table, name).numpy(), expected, rtol=1e-6)


def test_the_slot_of_the_whole_is_partitioned_as_the_variable_and_always_the_same_object(table):
    optimizer = Adam()
    optimizer.build([table])
    slot = optimizer.get_slot(table, "m")
    assert slot is optimizer.get_slot(table, "m")
    assert [part is optimizer.get_slot(whole, "m") for part, whole in zip(slot, table, strict=True)] == [True, True]
    assert slot.shape == table.shape
    assert len(optimizer.weights) == 5


def test_slots_are_added_to_the_whole_with_values_of_the_whole():
    table, optimizer = partitioned(), Adam()
    np.testing.assert_array_equal(optimizer.add_slot(table, "copy", tf.constant(VALUES)).numpy(), VALUES)
    np.testing.assert_array_equal(optimizer.add_slot(table, "ones", "ones").numpy(), np.ones((ROWS, 2)))
    row_sums = optimizer.add_slot(table, "rows", tf.constant(VALUES[:, 0]), shape=(ROWS,))
    np.testing.assert_array_equal(row_sums.numpy(), VALUES[:, 0])
    assert optimizer.add_slot(table, "ones").shape == (ROWS, 2)


@pytest.mark.parametrize("start", [0.5, tf.constant(0.5)], ids=["number", "tensor"])
def test_each_part_has_a_scalar_slot_where_it_starts_from_a_scalar(start):
    slots = SGD().add_slot(partitioned(), "share", initializer=start)
    assert [float(slot) for slot in slots] == [0.5, 0.5]
    assert [slot.shape for slot in slots] == [(), ()]


@pytest.mark.parametrize("kind", [np.asarray, tf.constant, tf.Variable])
def test_a_value_of_the_whole_is_cut_as_the_variable(kind):
    table = partitioned()
    start = np.arange(np.prod(table.shape), dtype="float32").reshape(table.shape)
    slot = SGD().add_slot(table, "start", initializer=kind(start))
    np.testing.assert_array_equal(tf.convert_to_tensor(slot), start)


def test_a_slot_that_is_not_there_is_named_with_the_whole(table):
    optimizer = Adam()
    with pytest.raises(UnknownSlot, match=r"no slots for variable '(table|Variable)' yet"):
        optimizer.get_slot(table, "m")
    optimizer.build([table])
    with pytest.raises(UnknownSlot, match="no slot 'momentum' for variable"):
        optimizer.get_slot(table, "momentum")


@contextmanager
def endless_recursion():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        with pytest.raises(RecursionError):
            yield
    finally:
        sys.setrecursionlimit(limit)


def test_tf_keras_recurses_for_ever_where_the_partitioned_variable_has_no_name():
    table, legacy = partitioned(name=None), tf_keras.optimizers.legacy.Adam()
    legacy._create_all_weights(table.variables)
    with endless_recursion():
        legacy.get_slot(table, "m")
    ours = Adam()
    ours.build([table])
    assert ours.get_slot(table, "m").shape == (ROWS, 2)


def trained(table, steps=2):
    optimizer = Adam(0.5, amsgrad=True)
    for _ in range(steps):
        optimizer.apply_gradients([(DENSE, table)])
    return optimizer


def new_table(sizes):
    start = np.zeros_like(VALUES)
    return tf.Variable(start) if sizes is None else partitioned(sizes, start)


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize(
    ("saved", "restored"),
    [((3, 2), (3, 2)), ((3, 2), (2, 2, 1)), ((2, 2, 1), (3, 2)), ((3, 2), None), (None, (3, 2))],
)
def test_a_checkpoint_goes_to_another_number_of_parts_and_training_continues(tmp_path, saved, restored, built):
    table = new_table(saved)
    table.assign(VALUES)
    optimizer = trained(table)
    path = tf.train.Checkpoint(table=table, optimizer=optimizer).save(tmp_path / "saved")
    optimizer.apply_gradients([(DENSE, table)])

    other, again = new_table(restored), Adam(0.25, amsgrad=True)
    if built:
        again.build([other])
    status = tf.train.Checkpoint(table=other, optimizer=again).restore(path)
    if built:
        status.assert_consumed()
    again.apply_gradients([(DENSE, other)])
    status.assert_consumed()
    np.testing.assert_allclose(other.numpy(), table.numpy(), rtol=1e-6)
    for name in ("m", "v", "vhat"):
        np.testing.assert_allclose(
            again.get_slot(other, name).numpy(), optimizer.get_slot(table, name).numpy(), rtol=1e-6
        )
    assert again.iterations.numpy() == 3
    assert again.learning_rate.numpy() == 0.5


def legacy_steps(optimizer, table, steps=2):
    """Train with tf_keras, which takes the parts one by one and no gradient of the whole."""
    parts = getattr(table, "variables", [table])
    gradients = tf.split(DENSE, [part.shape[0] for part in parts])
    for _ in range(steps):
        optimizer.apply_gradients(zip(gradients, parts, strict=True))


@pytest.mark.parametrize("sizes", [(3, 2), (2, 2, 1), None])
def test_parts_saved_by_tf_keras_are_read_into_any_number_of_parts(tmp_path, sizes):
    table, theirs = partitioned(), tf_keras.optimizers.legacy.Adam(0.5)
    legacy_steps(theirs, table)
    path = tf.train.Checkpoint(table=table, optimizer=theirs).save(tmp_path / "theirs")
    legacy_steps(theirs, table, steps=1)

    other, ours = new_table(sizes), Adam(0.25)
    status = tf.train.Checkpoint(table=other, optimizer=ours).restore(path)
    ours.apply_gradients([(DENSE, other)])
    status.assert_consumed()
    np.testing.assert_allclose(other.numpy(), table.numpy(), rtol=1e-6)
    for name in ("m", "v"):
        np.testing.assert_allclose(ours.get_slot(other, name).numpy(), theirs.get_slot(table, name).numpy(), rtol=1e-6)
    assert (int(ours.iterations), float(ours.learning_rate)) == (3, 0.5)


@pytest.mark.parametrize("sizes", [(3, 2), (2, 2, 1), None])
def test_tf_keras_reads_our_parts_into_slots_that_exist(tmp_path, sizes):
    table, ours = partitioned(), Adam(0.5)
    ours.apply_gradients([(DENSE, table)])
    path = tf.train.Checkpoint(table=table, optimizer=ours).save(tmp_path / "ours")
    ours.apply_gradients([(DENSE, table)])

    other, theirs = new_table(sizes), tf_keras.optimizers.legacy.Adam(0.25)
    theirs._create_all_weights(getattr(other, "variables", [other]))
    status = tf.train.Checkpoint(table=other, optimizer=theirs).restore(path)
    if sizes:
        with pytest.raises(AssertionError, match="1 unmatched objects.*ShardedVariable"):
            status.assert_consumed()
    legacy_steps(theirs, other, steps=1)
    np.testing.assert_allclose(other.numpy(), table.numpy(), rtol=1e-6)
    for name in ("m", "v"):
        np.testing.assert_allclose(theirs.get_slot(other, name).numpy(), ours.get_slot(table, name).numpy(), rtol=1e-6)
    assert (int(theirs.iterations), float(theirs.learning_rate)) == (2, 0.5)


def test_tf_keras_loses_the_slots_of_parts_that_it_creates_after_the_restore_and_ours_does_not(tmp_path):
    table, trainer = partitioned(), tf_keras.optimizers.legacy.Adam(0.5)
    legacy_steps(trainer, table)
    path = tf.train.Checkpoint(table=table, optimizer=trainer).save(tmp_path / "theirs")

    other, theirs = new_table((3, 2)), tf_keras.optimizers.legacy.Adam(0.5)
    tf.train.Checkpoint(table=other, optimizer=theirs).restore(path).assert_existing_objects_matched()
    theirs._create_all_weights(other.variables)
    assert not theirs.get_slot(other, "m").numpy().any()
    again, ours = new_table((3, 2)), Adam(0.5)
    tf.train.Checkpoint(table=again, optimizer=ours).restore(path).assert_existing_objects_matched()
    ours.build([again])
    np.testing.assert_array_equal(ours.get_slot(again, "m").numpy(), trainer.get_slot(table, "m").numpy())


def test_tf_keras_can_neither_train_nor_save_nor_read_parts_without_a_name(tmp_path):
    unnamed, theirs = partitioned(name=None), tf_keras.optimizers.legacy.Adam()
    with endless_recursion():
        legacy_steps(theirs, unnamed)
    with endless_recursion():
        tf.train.Checkpoint(table=unnamed, optimizer=theirs).save(tmp_path / "theirs")
    table, ours = partitioned(name=None), Adam()
    ours.apply_gradients([(DENSE, table)])
    path = tf.train.Checkpoint(table=table, optimizer=ours).save(tmp_path / "ours")
    with endless_recursion():
        tf.train.Checkpoint(table=unnamed, optimizer=theirs).restore(path)


def test_slots_are_restored_when_the_variable_joins_the_checkpoint_later(tmp_path):
    table = partitioned()
    optimizer = trained(table)
    path = tf.train.Checkpoint(table=table, optimizer=optimizer).save(tmp_path / "saved")

    later, again = partitioned((2, 2, 1)), Adam(0.5, amsgrad=True)
    checkpoint = tf.train.Checkpoint(optimizer=again)
    checkpoint.restore(path)
    checkpoint.table = later
    again.build([later])
    np.testing.assert_array_equal(again.get_slot(later, "v").numpy(), optimizer.get_slot(table, "v").numpy())
    np.testing.assert_array_equal(later.numpy(), table.numpy())


class Position:
    """A place in a checkpoint, as TensorFlow hands it out while restoring."""

    restore_uid = 1

    def __init__(self):
        self.restored = []

    def restore(self, slot):
        self.restored.append(slot)


def test_a_value_read_in_a_graph_waits_until_the_slots_of_all_parts_exist():
    table, optimizer, position = partitioned(), Adam(), Position()
    with tf.Graph().as_default():
        assert optimizer._create_or_restore_slot_variable(position, "v", table) is None
    optimizer.build([table.variables[0]])
    assert position.restored == []
    optimizer.build([table])
    [restored] = position.restored
    assert restored is optimizer.get_slot(table, "v")


class Scale(optreg.Optimizer):
    """Keeps one number for each variable."""

    def __init__(self, name="Scale", **kwargs):
        super().__init__(name, **kwargs)

    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "scale", "ones", shape=())

    def _resource_apply_dense(self, grad, var, apply_state=None):
        scale = self.get_slot(var, "scale")
        return var.assign_sub(grad * scale.assign(scale / 2))


def test_scalar_slots_of_parts_are_saved_and_restored(tmp_path):
    table, optimizer = partitioned(), Scale()
    other_table = partitioned(values=-VALUES)
    optimizer.apply_gradients([(DENSE, table)])
    optimizer.apply_gradients([(DENSE, table), (DENSE, other_table)])
    path = tf.train.Checkpoint(table=table, other=other_table, optimizer=optimizer).save(tmp_path / "saved")

    again, again_other, restored = partitioned(), partitioned(), Scale()
    status = tf.train.Checkpoint(table=again, other=again_other, optimizer=restored).restore(path)
    restored.build([again, again_other])
    status.assert_consumed()
    assert [restored.get_slot(part, "scale").numpy() for part in (*again, *again_other)] == [0.25, 0.25, 0.5, 0.5]


def test_scalar_slots_of_parts_cannot_be_joined():
    table, optimizer = partitioned(), Scale()
    optimizer.build([table])
    with pytest.raises(UnknownSlot, match=r"each part of variable 'table' has a scalar slot 'scale' of its own"):
        optimizer.get_slot(table, "scale")
