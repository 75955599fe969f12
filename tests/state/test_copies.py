"""Copies and pickles: the copy trains as the original does, and its slots belong to the right variables."""

from __future__ import annotations

import copy
import pickle

import cloudpickle
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.state.training import CASES, assert_same, blank, model, ours, train, variables

import optreg
from optreg.errors import InvalidState, WrongContext
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


def pickled(value):
    return pickle.loads(pickle.dumps(value))


WAYS = pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])


def trained(name="adam", options=(), steps=3):
    module, optimizer = model(), ours(name, options)
    train(optimizer, module, 0, steps)
    return module, optimizer


def named(*values, name="w"):
    return [tf.Variable(value, name=name) for value in values]


def step(optimizer, *variables):
    optimizer.apply_gradients((tf.fill(variable.shape, 1.0 + n), variable) for n, variable in enumerate(variables))


@WAYS
@pytest.mark.parametrize("order", ["variables first", "optimizer first"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_optimizer_and_variables_copied_together_go_on_alike(name, options, order, copied):
    module, optimizer = trained(name, options)
    both = {"model": module, "optimizer": optimizer}
    both = copied(both if order == "variables first" else dict(reversed(both.items())))
    expected, untouched = train(optimizer, module, 3), optimizer.get_weights()
    assert_same(train(both["optimizer"], both["model"], 3), expected)
    assert_same(both["optimizer"].get_weights(), untouched)
    train(both["optimizer"], both["model"], 6)
    assert_same(optimizer.get_weights(), untouched)


@WAYS
@pytest.mark.parametrize(("name", "options"), CASES)
def test_an_optimizer_copied_alone_waits_for_variables_of_its_names(name, options, copied):
    module, optimizer = trained(name, options)
    alone = copied(optimizer)
    assert_same(alone.get_weights(), optimizer.get_weights())
    assert alone.get_slot_names() == optimizer.get_slot_names()
    other = blank()
    for variable, source in zip(variables(other), variables(module), strict=True):
        variable.assign(source)
    expected = train(optimizer, module, 3)
    assert_same(train(alone, other, 3), expected)
    assert_same(alone.get_weights(), optimizer.get_weights())


def test_state_waits_on_where_a_dictionary_is_refused():
    module, optimizer = trained()
    alone, other = pickled(optimizer), blank()
    for variable, source in zip(variables(other), variables(module), strict=True):
        variable.assign(source)
    with pytest.raises(InvalidState, match="nothing was changed"):
        alone.load_state_dict({"iterations": 3}, variables(other))
    assert_same(train(alone, other, 3), train(optimizer, module, 3))


@WAYS
def test_slots_are_found_before_the_first_step(copied):
    module, optimizer = trained()
    together = copied([module, optimizer])
    np.testing.assert_array_equal(together[1].get_slot(together[0].bias, "m"), optimizer.get_slot(module.bias, "m"))
    assert together[1].get_slot(together[0].bias, "m") is not optimizer.get_slot(module.bias, "m")
    alone = copied(optimizer)
    np.testing.assert_array_equal(alone.get_slot(module.bias, "m"), optimizer.get_slot(module.bias, "m"))


@WAYS
def test_variables_of_one_name_that_are_copied_along_keep_their_own_slots(copied):
    weights, optimizer = named(1.0, 2.0, 3.0), Adam(0.1)
    step(optimizer, *weights)
    again, resumed = copied((weights, optimizer))
    for old, new in zip(reversed(weights), reversed(again), strict=True):
        np.testing.assert_array_equal(resumed.get_slot(new, "m"), optimizer.get_slot(old, "m"))
    step(optimizer, *weights)
    step(resumed, *again)
    assert_same([w.numpy() for w in again], [w.numpy() for w in weights])


def test_a_deep_copy_alone_serves_the_variables_of_the_original():
    weights, optimizer = named(1.0, 2.0), Adam(0.1)
    step(optimizer, *weights)
    alone = copy.deepcopy(optimizer)
    for weight in reversed(weights):
        np.testing.assert_array_equal(alone.get_slot(weight, "m"), optimizer.get_slot(weight, "m"))


def test_variables_of_one_name_that_come_alone_are_refused():
    weights, optimizer = named(1.0, 2.0), Adam(0.1)
    step(optimizer, *weights)
    alone = pickled(optimizer)
    again = named(1.0, 2.0)
    with pytest.raises(
        InvalidState, match=r"State is kept for: 'w' \(\) float32, 'w' \(\) float32. Variables that came"
    ):
        step(alone, *again)
    with pytest.raises(InvalidState, match="cannot be matched"):
        alone.get_slot(again[0], "m")
    with pytest.raises(InvalidState, match="cannot be matched"):
        tf.train.Checkpoint(optimizer=alone, weights=again).write("unused")
    assert [float(w) for w in again] == [1.0, 2.0]
    alone.build(again)
    assert [float(alone.get_slot(w, "m")) for w in again] == [float(optimizer.get_slot(w, "m")) for w in weights]


@WAYS
@pytest.mark.parametrize("other", [{"name": "v"}, {"value": [1.0, 2.0]}, {"dtype": tf.float64}])
def test_state_waiting_for_other_variables_is_an_error_and_stays(other, copied):
    weight, optimizer = tf.Variable(1.0, name="w"), Adam(0.1)
    step(optimizer, weight)
    alone = copied(optimizer)
    stranger = tf.Variable(other.get("value", 1.0), name=other.get("name", "w"), dtype=other.get("dtype", tf.float32))
    with pytest.raises(InvalidState, match="cannot be matched with the ones that came"):
        alone.apply_gradients([(tf.ones_like(stranger), stranger)])
    assert float(tf.reduce_sum(stranger)) == len(np.atleast_1d(other.get("value", 1.0))) * 1.0 + ("value" in other)
    again = tf.Variable(weight, name="w")
    step(alone, again)
    step(optimizer, weight)
    assert float(again) == float(weight)


def test_build_takes_renamed_variables_in_their_order_but_no_contradiction():
    optimizer, weights = Adam(0.1), [*named(1.0, name="a"), *named(2.0, name="b")]
    step(optimizer, *weights)
    renamed = [*named(1.0, name="a_1"), *named(2.0, name="b_1")]
    alone = pickled(optimizer)
    alone.build(renamed)
    assert [float(alone.get_slot(w, "m")) for w in renamed] == [float(optimizer.get_slot(w, "m")) for w in weights]
    shifted = [*named(2.0, name="b"), *named(3.0, name="c")]
    with pytest.raises(InvalidState, match="'a' .* 'b' .*came: 'b' .* 'c'"):
        pickled(optimizer).build(shifted)
    with pytest.raises(InvalidState, match="came: 'c'"):
        pickled(optimizer).build(named(3.0, name="c"))


def test_state_of_renamed_variables_goes_by_a_mapping_into_a_fresh_optimizer():
    weight, optimizer = tf.Variable(1.0, name="old"), Adam(0.1)
    step(optimizer, weight)
    again, fresh = tf.Variable(weight, name="new"), Adam(0.1)
    fresh.load_state_dict(pickled(optimizer).state_dict(), {"old": again})
    step(optimizer, weight)
    step(fresh, again)
    assert float(again) == float(weight)


def test_new_variables_are_welcome_once_no_state_waits():
    weight, optimizer = tf.Variable(1.0, name="w"), Adam(0.1)
    step(optimizer, weight)
    again, resumed = pickled([weight, optimizer])
    step(resumed, again, tf.Variable(1.0, name="more"))
    assert len(resumed.weights) == 5


@WAYS
def test_slots_of_a_copied_variable_go_to_no_other_of_its_name(copied):
    weights, optimizer = named(1.0, 2.0), Adam(0.1)
    step(optimizer, *weights)
    again, resumed = copied((weights, optimizer))
    stranger = tf.Variable(1.0, name="w")
    step(resumed, stranger)
    np.testing.assert_allclose(resumed.get_slot(stranger, "m"), 0.1, rtol=1e-6)
    assert [float(resumed.get_slot(w, "m")) for w in again] == [float(optimizer.get_slot(w, "m")) for w in weights]


def test_a_copy_shares_nothing_with_the_original():
    module, optimizer = trained()
    both = copy.deepcopy([module, optimizer])
    optimizer.learning_rate = 0.5
    assert float(both[1].learning_rate) == np.float32(0.05)
    assert both[1].get_config() == {**optimizer.get_config(), "learning_rate": 0.05}
    train(optimizer, module, 3)
    assert int(both[1].iterations) == 3
    assert not {id(w) for w in both[1].weights} & {id(w) for w in optimizer.weights}


@WAYS
def test_a_copy_of_a_fresh_optimizer_is_fresh(copied):
    fresh = copied(Adam(0.05, amsgrad=True, clipnorm=0.5))
    module, expected = model(), model()
    assert fresh.weights == []
    assert_same(train(fresh, module, 0), train(Adam(0.05, amsgrad=True, clipnorm=0.5), expected, 0))


@WAYS
def test_a_copy_of_a_copy_that_still_waits_keeps_the_state(copied):
    module, optimizer = trained()
    twice = copied(copied(optimizer))
    np.testing.assert_array_equal(twice.get_slot(module.bias, "m"), optimizer.get_slot(module.bias, "m"))


@WAYS
def test_a_copy_is_checkpointed_whole(copied, tmp_path):
    module, optimizer = trained()
    again, resumed = copied([module, optimizer])
    path = tf.train.Checkpoint(optimizer=resumed, model=again).write(str(tmp_path / "ckpt"))
    other, reader = blank(), tf_keras.optimizers.legacy.Adam(0.05)
    tf.train.Checkpoint(optimizer=reader, model=other).read(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(reader.get_slot(other.table, "v"), optimizer.get_slot(module.table, "v"))
    assert int(reader.iterations) == 3


@WAYS
def test_a_checkpoint_is_restored_into_a_copy(copied, tmp_path):
    module, optimizer = trained()
    path = tf.train.Checkpoint(optimizer=optimizer, model=module).write(str(tmp_path / "ckpt"))
    expected = train(optimizer, module, 3)
    again, resumed = copied([module, optimizer])
    tf.train.Checkpoint(optimizer=resumed, model=again).read(path).assert_consumed()
    assert_same(train(resumed, again, 3), expected)


@WAYS
def test_options_functions_and_plugins_come_along(copied):
    optimizer = SGD(0.1, gradient_transformers=[doubled], gradient_aggregator=squared, plugins=[Halving()])
    weight = tf.Variable(1.0, name="w")
    step(optimizer, weight)
    again, resumed = copied((weight, optimizer))
    assert resumed.gradient_transformers == [doubled]
    assert resumed.gradient_aggregator is squared
    step(resumed, again)
    step(optimizer, weight)
    assert float(again) == float(weight) == np.float32(np.float32(1.0) - np.float32(0.1)) - np.float32(0.1)


def doubled(pairs):
    return [(2.0 * gradient, variable) for gradient, variable in pairs]


def squared(pairs):
    return [(gradient * gradient, variable) for gradient, variable in pairs]


class Halving:
    @optreg.hookimpl
    def transform_gradients(self, optimizer, grads_and_vars):
        return [(0.5 * gradient, variable) for gradient, variable in grads_and_vars]


def test_a_schedule_and_a_shared_variable_come_along():
    rate = tf.Variable(0.5)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    again, shared, scheduled = copy.deepcopy((rate, SGD(rate), SGD(schedule)))
    again.assign(0.25)
    assert float(shared.learning_rate) == 0.25
    assert scheduled.get_config()["learning_rate"]["config"] == schedule.get_config()


def test_a_lambda_cannot_be_pickled_and_the_error_names_its_hyperparameter():
    optimizer = SGD(learning_rate=lambda: 0.5)
    with pytest.raises(InvalidState, match="SGD cannot be pickled: its learning_rate is <function .*use cloudpickle"):
        pickle.dumps(optimizer)
    with pytest.raises(InvalidState, match="its transformer is <function .*lambda"):
        pickle.dumps(SGD(gradient_transformers=[lambda pairs: pairs, doubled]))
    with pytest.raises(InvalidState, match="its plugin is <.*Local"):
        pickle.dumps(SGD(plugins=[type("Local", (Halving,), {})()]))
    weight, again = tf.Variable(1.0), tf.Variable(1.0)
    step(optimizer, weight)
    for taken in (copy.deepcopy(optimizer), cloudpickle.loads(cloudpickle.dumps(optimizer))):
        again.assign(1.0)
        step(taken, again)
        assert float(again) == 0.5


def test_a_class_of_main_is_pickled_by_cloudpickle():
    class Own(SGD):
        pass

    weight, optimizer = tf.Variable(1.0, name="w"), Own(0.5, momentum=0.5)
    step(optimizer, weight)
    again, resumed = cloudpickle.loads(cloudpickle.dumps((weight, optimizer)))
    step(optimizer, weight)
    step(resumed, again)
    assert float(again) == float(weight) == 1.0 - 0.5 - 0.75


@pytest.mark.parametrize("call", [copy.deepcopy, pickle.dumps])
def test_copies_are_refused_in_a_function_and_in_a_graph(call):
    _module, optimizer = trained()

    @tf.function
    def inside():
        with pytest.raises(WrongContext, match="can be copied and pickled in eager mode only"):
            call(optimizer)

    inside()
    with tf.Graph().as_default(), pytest.raises(WrongContext, match="eager mode only"):
        call(optimizer)


def test_unpickling_is_refused_in_a_function():
    taken = pickle.dumps(Adam())

    @tf.function
    def inside():
        with pytest.raises(WrongContext, match="unpickled in eager mode only"):
            pickle.loads(taken)

    inside()


@pytest.mark.parametrize("call", [copy.deepcopy, pickle.dumps])
def test_copies_are_refused_under_a_strategy(call):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        optimizer = Adam()
        optimizer.build([tf.Variable(1.0)])
    with pytest.raises(WrongContext, match=r"lives under MirroredStrategy.*carry state_dict\(\) over"):
        call(optimizer)


def test_a_pickle_is_continued_under_a_strategy():
    module, optimizer = trained()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        mirrored, resumed = blank(), pickled(optimizer)
        resumed.build(variables(mirrored))
    for variable, source in zip(variables(mirrored), variables(module), strict=True):
        for slot_name in ("m", "v"):
            slot = resumed.get_slot(variable, slot_name)
            assert isinstance(slot, tf.distribute.DistributedValues)
            np.testing.assert_array_equal(slot.numpy(), optimizer.get_slot(source, slot_name))
    assert_same(resumed.get_weights(), optimizer.get_weights())


def test_the_slots_of_a_pickle_move_to_the_device_of_its_variable():
    (weight,), optimizer = named([1.0, 2.0]), Adam()
    step(optimizer, weight)
    resumed = pickled(optimizer)
    with tf.device("CPU:1"):
        (elsewhere,) = named([1.0, 2.0])
    step(resumed, elsewhere)
    assert [slot.device for slot in resumed.weights[1:]] == [elsewhere.device] * 2
    step(optimizer, weight)
    assert_same(resumed.get_weights(), optimizer.get_weights())


def test_a_pickle_holds_no_variables_of_the_model():
    (weight,), optimizer = named(np.arange(1000, dtype=np.float32)), Adam()
    step(optimizer, weight)
    assert optimizer.get_slot(weight, "m").numpy().tobytes() in pickle.dumps(optimizer)
    assert weight.numpy().tobytes() not in pickle.dumps(optimizer)


def test_a_copy_that_would_lose_a_waiting_checkpoint_is_refused(tmp_path):
    module, optimizer = trained()
    path = tf.train.Checkpoint(optimizer=optimizer).write(str(tmp_path / "ckpt"))
    resumed = Adam()
    tf.train.Checkpoint(optimizer=resumed).read(path).expect_partial()
    with pytest.raises(InvalidState, match=r"waits for a checkpoint to be restored.*call build\(var_list\) first"):
        pickle.dumps(resumed)
    resumed.build(variables(module))
    assert int(pickled(resumed).iterations) == 3


def test_a_shallow_copy_is_refused():
    with pytest.raises(WrongContext, match="shallow copy of Adam would share the slots"):
        copy.copy(Adam())


def test_copies_of_a_traced_optimizer_can_be_traced_and_changed():
    weight, optimizer = tf.Variable(1.0, name="w"), SGD(0.5)
    tf.function(lambda: step(optimizer, weight))()
    again, resumed = copy.deepcopy((weight, optimizer))
    resumed.momentum = 0.5
    traced = tf.function(lambda: step(resumed, again))
    traced()
    traced()
    assert float(again) == 1.0 - 0.5 - 0.5 - 0.75


def test_a_keras_model_copied_beside_its_optimizer_is_built_in_order():
    network = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    optimizer = Adam(0.05)
    step(optimizer, *network.trainable_variables)
    both = copy.deepcopy({"network": network, "optimizer": optimizer})
    both["optimizer"].build(both["network"].trainable_variables)
    step(optimizer, *network.trainable_variables)
    step(both["optimizer"], *both["network"].trainable_variables)
    assert_same(both["network"].get_weights(), network.get_weights())
