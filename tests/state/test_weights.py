from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from optreg.errors import InvalidState, InvalidVariable
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


@pytest.fixture
def variables():
    return [tf.Variable([[1.0, 2.0]], name="kernel"), tf.Variable(3.0, name="bias")]


def train(optimizer, variables, steps=3):
    for step in range(steps):
        optimizer.apply_gradients([(tf.fill(v.shape, 1.0 + step), v) for v in variables])


def values(variables):
    return [variable.numpy() for variable in variables]


def test_build_creates_all_state_before_the_first_step(variables):
    optimizer = Adam(amsgrad=True)
    optimizer.build(variables)
    assert [w.shape for w in optimizer.weights] == [(), (1, 2), (), (1, 2), (), (1, 2), ()]
    assert int(optimizer.iterations) == 0
    before = list(optimizer.weights)
    train(optimizer, variables, 1)
    assert all(now is then for now, then in zip(optimizer.weights, before, strict=True))


def test_build_refuses_what_is_no_variable():
    with pytest.raises(InvalidVariable, match="received 3 of type int"):
        Adam().build([3])


def test_weights_stand_in_the_order_of_keras_29(variables):
    ours, theirs = Adam(amsgrad=True), tf_keras.optimizers.legacy.Adam(amsgrad=True)
    train(ours, variables)
    train(theirs, [tf.Variable(v) for v in ([[1.0, 2.0]], 3.0)])
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
    assert ours.variables() == ours.weights


def test_iterations_start_at_zero_and_count_steps(variables):
    optimizer = SGD()
    assert optimizer.iterations.dtype == tf.int64
    train(optimizer, variables, 3)
    assert int(optimizer.iterations) == 3


def test_iterations_can_be_replaced_before_they_are_used(variables):
    own = tf.Variable(5, dtype=tf.int64)
    optimizer = SGD(1.0, decay=1.0)
    optimizer.iterations = own
    optimizer.apply_gradients([(tf.constant(6.0), variables[1])])
    assert int(own) == 6
    assert float(variables[1]) == 3.0 - 6.0 / (1 + 5)
    with pytest.raises(InvalidState, match="iterations can be replaced only before it is first used"):
        optimizer.iterations = tf.Variable(0, dtype=tf.int64)


@pytest.mark.parametrize("wrong", [3, tf.Variable(1.0), tf.Variable([1, 2])])
def test_iterations_must_be_a_scalar_integer_variable(wrong):
    with pytest.raises(InvalidVariable):
        SGD().iterations = wrong


def test_weights_carried_over_continue_exactly(variables):
    first = Adam(0.1)
    train(first, variables)
    copies = [tf.Variable(v) for v in variables]
    second = Adam(0.1)
    second.build(copies)
    second.set_weights(first.get_weights())
    train(first, variables)
    train(second, copies)
    for one, other in zip(values(variables), values(copies), strict=True):
        np.testing.assert_array_equal(one, other)


def test_set_weights_too_short_is_refused(variables):
    optimizer = Adam()
    optimizer.build(variables)
    with pytest.raises(InvalidState, match=r"set_weights\(\) received 2 arrays for 5 weights"):
        optimizer.set_weights(optimizer.get_weights()[:2])


def test_set_weights_before_there_is_state_says_what_to_do():
    with pytest.raises(
        InvalidState, match=r"received 1 arrays for 0 weights. The optimizer has no state yet: call build"
    ):
        Adam().set_weights([np.zeros(())])


def test_set_weights_of_the_wrong_shape_changes_nothing(variables):
    optimizer = Adam()
    optimizer.build(variables)
    before = optimizer.get_weights()
    wrong = [np.ones_like(value) for value in before[:-1]] + [np.ones((7,))]
    with pytest.raises(
        InvalidState, match=r"array of shape \(7,\) at position 4 for weight 'Adam/bias/v.* of shape \(\); nothing"
    ):
        optimizer.set_weights(wrong)
    for one, other in zip(optimizer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            [7, [[1.0, 2.0]], ["a", "b"]],
            r"the value at position 2 must be a number or an array of numbers, received <U1",
        ),
        (
            [7, [[1.0], [2.0, 3.0]], 0.0],
            r"at position 1 must be a number or an array of numbers, received \[\[1.0\], \[",
        ),
        ([-1, [[1.0, 2.0]], 0.0], "SGD: iterations must be at least 0, received -1"),
        (
            [1.7, [[1.0, 2.0]], 0.0],
            r"a float64 array of shape \(\) at position 0 for weight 'SGD/iter:0', which holds int64",
        ),
        ([np.nan, [[1.0, 2.0]], 0.0], "a float64 array of shape .. at position 0 for weight 'SGD/iter:0'"),
        ([np.inf, [[1.0, 2.0]], 0.0], "a float64 array of shape .. at position 0 for weight 'SGD/iter:0'"),
        ([7, [[1j, 2.0]], 0.0], "a complex128 array of shape .1, 2. at position 1 for weight .* which holds float32"),
        (
            None,
            r"set_weights\(\) takes a list of arrays, as get_weights\(\) returns it; received None of type NoneType",
        ),
        ("text", "takes a list of arrays"),
        ({"iterations": 7}, "takes a list of arrays"),
    ],
)
def test_set_weights_changes_all_or_nothing(variables, wrong, message):
    optimizer = SGD(0.5, momentum=0.5)
    train(optimizer, variables)
    before = optimizer.get_weights()
    with pytest.raises(InvalidState, match=message):
        optimizer.set_weights(wrong)
    for one, other in zip(optimizer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("base", [SGD, tf_keras.optimizers.legacy.SGD], ids=["ours", "theirs"])
def test_weights_that_a_class_adds_are_got_and_set(variables, base):
    """As Lookahead does, which shows the weights of the optimizer it wraps behind its own."""

    class Averaged(base):
        def __init__(self):
            super().__init__(0.5, momentum=0.5)
            self._inner = tf_keras.optimizers.legacy.SGD(0.5, momentum=0.5)

        @property
        def weights(self):
            return self._weights + self._inner.weights

    optimizer = Averaged()
    train(optimizer, variables, 2)
    train(optimizer._inner, variables, 3)
    got = optimizer.get_weights()
    assert [value.shape for value in got] == [(), (1, 2), ()] * 2
    assert (got[0], got[3]) == (2, 3)
    optimizer.set_weights([value + 1 for value in got])
    for now, then in zip(optimizer._inner.get_weights(), got[3:], strict=True):
        np.testing.assert_array_equal(now, then + 1)


def test_two_instances_share_nothing(variables):
    first, second = Adam(), Adam()
    train(first, variables)
    assert second.weights == []
    first.learning_rate = 0.5
    np.testing.assert_allclose(float(second.learning_rate), 0.001)


@pytest.mark.parametrize("restore", ["before the variables are used", "after the first step"])
def test_a_checkpoint_in_the_middle_continues_exactly(variables, tmp_path, restore):
    optimizer = Adam(0.1, amsgrad=True)
    train(optimizer, variables)
    path = tf.train.Checkpoint(optimizer=optimizer, variables=variables).write(str(tmp_path / "ckpt"))
    train(optimizer, variables)

    again = [tf.Variable([[0.0, 0.0]]), tf.Variable(0.0)]
    resumed = Adam(0.1, amsgrad=True)
    if restore == "after the first step":
        train(resumed, again, 1)
    status = tf.train.Checkpoint(optimizer=resumed, variables=again).read(path)
    train(resumed, again)
    status.assert_consumed()
    assert int(resumed.iterations) == 6
    for one, other in zip(values(variables), values(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_restores_hyperparameters(variables, tmp_path):
    optimizer = SGD(0.5, momentum=0.25)
    train(optimizer, variables)
    path = tf.train.Checkpoint(optimizer=optimizer, variables=variables).write(str(tmp_path / "ckpt"))
    resumed = SGD(0.125, momentum=0.5)
    resumed.build(variables)
    tf.train.Checkpoint(optimizer=resumed, variables=variables).read(path)
    assert (float(resumed.learning_rate), float(resumed.momentum)) == (0.5, 0.25)
    assert resumed.get_config()["learning_rate"] == 0.5


@pytest.mark.parametrize("direction", ["theirs read by ours", "ours read by theirs"])
def test_checkpoints_are_exchanged_with_keras_2(variables, tmp_path, direction):
    kinds = [tf_keras.optimizers.legacy.Adam, Adam]
    writer, reader = kinds if direction == "theirs read by ours" else reversed(kinds)
    source, target = writer(0.1), reader(0.1)
    train(source, variables)
    path = tf.train.Checkpoint(optimizer=source, variables=variables).write(str(tmp_path / "ckpt"))
    again = [tf.Variable([[0.0, 0.0]]), tf.Variable(0.0)]
    status = tf.train.Checkpoint(optimizer=target, variables=again).read(path)
    train(source, variables)
    train(target, again)
    status.assert_consumed()
    for one, other in zip(values(variables), values(again), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_slots_kept_in_float32_for_bfloat16_weights_are_restored(tmp_path):
    weight = tf.Variable([1.0, 2.0], dtype=tf.bfloat16)
    optimizer = Adam(0.1)
    optimizer.apply_gradients([(tf.constant([1.0, 3.0], tf.bfloat16), weight)])
    path = tf.train.Checkpoint(optimizer=optimizer, weight=weight).write(str(tmp_path / "ckpt"))
    again = tf.Variable([0.0, 0.0], dtype=tf.bfloat16)
    resumed = Adam(0.1)
    tf.train.Checkpoint(optimizer=resumed, weight=again).read(path).assert_existing_objects_matched()
    slot = resumed.get_slot(again, "v")
    assert slot.dtype == tf.float32
    np.testing.assert_array_equal(slot, optimizer.get_slot(weight, "v"))


def test_a_replaced_hyperparameter_leaves_the_checkpoint(variables, tmp_path):
    optimizer = SGD(0.5)
    train(optimizer, variables)
    optimizer.learning_rate = lambda: 0.25
    path = tf.train.Checkpoint(optimizer=optimizer).write(str(tmp_path / "ckpt"))
    saved = {name.split("/")[1] for name, _ in tf.train.list_variables(path) if name.startswith("optimizer/")}
    assert saved == {"iter", "decay", "momentum"}


def test_a_slot_of_its_own_dtype_and_shape_is_restored_before_it_exists(tmp_path):
    class Wide(SGD):
        def _create_slots(self, var_list):
            for var in var_list:
                self.add_slot(var, "rows", "ones", shape=(3,), dtype=tf.float64)

    weight, again = tf.Variable([1.0]), tf.Variable([0.0])
    optimizer, resumed = Wide(), Wide()
    optimizer.build([weight])
    optimizer.get_slot(weight, "rows").assign([1.0, 2.0, 1e-300])
    path = tf.train.Checkpoint(optimizer=optimizer, weight=weight).write(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(optimizer=resumed, weight=again).read(path)
    slot = resumed.get_slot(again, "rows")
    assert slot.dtype == tf.float64
    np.testing.assert_array_equal(slot, [1.0, 2.0, 1e-300])


def test_a_checkpoint_is_restored_into_slots_that_a_graph_creates_later(variables, tmp_path):
    optimizer = Adam(0.1)
    train(optimizer, variables[1:])
    path = tf.train.Checkpoint(optimizer=optimizer, bias=variables[1]).write(str(tmp_path / "ckpt"))
    expected = [float(variables[1]), *(float(optimizer.get_slot(variables[1], name)) for name in ("m", "v"))]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        bias = tf.Variable(0.0)
        resumed = Adam(0.1)
        status = tf.train.Checkpoint(optimizer=resumed, bias=bias).read(path)
        resumed.build([bias])
        status.initialize_or_restore(session)
        restored = session.run([bias, resumed.get_slot(bias, "m"), resumed.get_slot(bias, "v")])
        assert session.run(resumed.iterations) == 3
    np.testing.assert_array_equal(restored, np.float32(expected))


def test_weights_stand_in_the_order_of_their_creation_also_where_a_slot_came_first(variables):
    names = []
    for optimizer in (SGD(0.5, momentum=0.5), tf_keras.optimizers.legacy.SGD(0.5, momentum=0.5)):
        optimizer.add_slot(variables[0], "average")
        train(optimizer, variables)
        names.append([weight.name for weight in optimizer.weights])
    assert names[0] == names[1]
    assert names[0].index("SGD/iter:0") == 1


def test_weights_are_set_back_to_zeros_of_any_kind(variables):
    optimizer, theirs = SGD(0.5, momentum=0.5), tf_keras.optimizers.legacy.SGD(0.5, momentum=0.5)
    for each in (optimizer, theirs):
        train(each, variables)
        each.set_weights([np.zeros(weight.shape) for weight in each.weights])
    for one, other in zip(optimizer.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(optimizer.iterations) == 0
