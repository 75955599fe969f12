"""state_dict and load_state_dict: keyed by the names of variables, strict by default."""

from __future__ import annotations

import copy
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.state.training import (
    CASES,
    KERAS2_CASES,
    SHAPES,
    assert_near,
    assert_same,
    blank,
    model,
    ours,
    theirs,
    train,
    variables,
)

import optreg
from optreg.errors import InvalidHyperparameter, InvalidState, WrongContext
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


def trained(name="adam", options=(), steps=3):
    module, optimizer = model(), ours(name, options)
    train(optimizer, module, 0, steps)
    return module, optimizer


def copied_model(module):
    other = blank()
    for variable, source in zip(variables(other), variables(module), strict=True):
        variable.assign(source)
    return other


def snapshot(optimizer):
    return [*optimizer.get_weights(), float(optimizer.learning_rate), optimizer.get_config()]


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_training_continues_from_the_dictionary(name, options, built):
    module, optimizer = trained(name, options)
    optimizer.learning_rate = 0.02
    state = optimizer.state_dict()
    other, resumed = copied_model(module), ours(name, options)
    if built:
        train(resumed, blank(), 7)
        resumed.build(variables(other))
    assert not resumed.load_state_dict(state, variables(other))
    assert_same([resumed.iterations.numpy()], [3])
    assert_same(train(resumed, other, 3), train(optimizer, module, 3))


@pytest.mark.parametrize(("name", "options"), KERAS2_CASES)
def test_the_dictionary_holds_what_keras_2_holds(name, options):
    _, optimizer = trained(name, options)
    module, reference = model(), theirs(name, options)
    train(reference, module, 0, 3)
    state = optimizer.state_dict()
    assert list(state) == ["iterations", "hyperparameters", "slots", "weights"]
    assert state["iterations"] == 3
    slots = {
        (v.name.partition(":")[0], slot): reference.get_slot(v, slot).numpy()
        for v in variables(module)
        for slot in reference.get_slot_names()
    }
    held = {(v, slot): array for v, own in state["slots"].items() for slot, array in own.items()}
    assert held.keys() == slots.keys()
    assert_near([held[key] for key in slots], list(slots.values()))
    for hyperparameter, value in reference._hyper.items():
        ours_name = {"decay": "schedule_decay"}.get(hyperparameter, hyperparameter)
        received = state["hyperparameters"].get(hyperparameter, state["hyperparameters"].get(ours_name))
        assert received == np.float32(value), hyperparameter


@pytest.mark.parametrize(("name", "options"), KERAS2_CASES)
def test_weights_are_exchanged_with_keras_2_in_its_order(name, options):
    module, optimizer = trained(name, options)
    reference_module, reference = model(), theirs(name, options)
    reference._create_all_weights(variables(reference_module))
    train(reference, reference_module, 0)
    assert_near(optimizer.get_weights(), reference.get_weights())
    for source, module_of_source, make in ((optimizer, module, theirs), (reference, reference_module, ours)):
        target, other = make(name, options), copied_model(module_of_source)
        target._create_all_weights(variables(other))
        target.set_weights(source.get_weights())
        assert_near(train(target, other, 3), train(source, module_of_source, 3))


def test_the_arrays_are_copies_that_can_be_kept_in_a_file(tmp_path):
    module, optimizer = trained()
    state = optimizer.state_dict()
    kept = copy.deepcopy(state)
    train(optimizer, module, 3)
    state["slots"]["bias"]["m"][:] = 7.0
    assert not np.any(optimizer.get_slot(module.bias, "m") == 7.0)
    np.save(tmp_path / "state.npy", kept, allow_pickle=True)
    again = np.load(tmp_path / "state.npy", allow_pickle=True).item()
    optimizer.load_state_dict(again)
    np.testing.assert_array_equal(optimizer.get_slot(module.bias, "m"), kept["slots"]["bias"]["m"])


def wrong_states():
    def changed(change):
        def state_of(state):
            state = copy.deepcopy(state)
            change(state)
            return state

        return state_of

    table = "slots['table']['m']"
    return [
        (changed(lambda s: s["slots"]["table"].pop("m")), f"missing: {table}; unexpected: none; misshapen: none"),
        (
            changed(lambda s: s["slots"].pop("bias")),
            r"missing: slots['bias']['m'], slots['bias']['v']; unexpected: none",
        ),
        (changed(lambda s: s.pop("iterations")), "missing: iterations; unexpected: none"),
        (changed(lambda s: s["hyperparameters"].pop("beta_1")), "missing: hyperparameters['beta_1']; unexpected: none"),
        (
            changed(lambda s: s["slots"].update(other={"m": np.zeros(2)})),
            "missing: none; unexpected: slots['other']['m']; misshapen: none",
        ),
        (
            changed(lambda s: s["hyperparameters"].update(rho=0.5)),
            "missing: none; unexpected: hyperparameters['rho']",
        ),
        (changed(lambda s: s["weights"].update(cache=0.5)), "missing: none; unexpected: weights['cache']"),
        (
            changed(lambda s: s["slots"]["table"].update(m=np.ones((2, 6), "float32"))),
            f"unexpected: none; misshapen: {table} of shape (2, 6) and dtype float32 for (6, 2) and float32",
        ),
        (
            changed(lambda s: s["slots"]["table"].update(m=np.ones((6, 2), "complex64"))),
            f"misshapen: {table} of shape (6, 2) and dtype complex64",
        ),
        (changed(lambda s: s.update(iterations=np.array([3]))), "misshapen: iterations of shape (1,)"),
        (changed(lambda s: s.update(iterations=0.5)), "misshapen: iterations of shape () and dtype float64"),
        (changed(lambda s: s.update(iterations=-1)), "iterations must be at least 0, received -1"),
        (changed(lambda s: s["slots"]["table"].update(m="text")), f"{table} must be a number or an array of numbers"),
        (changed(lambda s: s.update(slots=[1])), "slots must be a dictionary, received [1] of type list"),
        (changed(lambda s: s.update(extra={})), "received the keys extra, hyperparameters, iterations, slots, weights"),
        (lambda s: [s], "expected the dictionary that state_dict() returns"),
    ]


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize(("wrong", "message"), wrong_states(), ids=range(len(wrong_states())))
def test_state_that_does_not_fit_is_refused_whole(wrong, message, built):
    module, optimizer = trained()
    state = wrong(optimizer.state_dict())
    other, resumed = copied_model(module), Adam(0.05)
    if built:
        train(resumed, other, 8, 1)
    before, slots = snapshot(resumed), resumed.get_slot_names()
    with pytest.raises(InvalidState) as error:
        resumed.load_state_dict(state, variables(other))
    assert message in str(error.value)
    if not built:
        assert all(weight is resumed.iterations for weight in resumed.weights)
        assert int(resumed.iterations) == 0
        before = [resumed.iterations.numpy(), *before]
    for one, two in zip(snapshot(resumed), before, strict=True):
        np.testing.assert_array_equal(one, two)
    assert resumed.get_slot_names() == slots


def test_a_hyperparameter_out_of_range_is_refused_whole():
    module, optimizer = trained()
    state = optimizer.state_dict()
    state["hyperparameters"]["beta_1"] = 1.5
    before = snapshot(optimizer)
    state["slots"]["bias"]["m"] = np.zeros(2)
    fresh = Adam(0.05)
    for refusing in (optimizer, fresh):
        with pytest.raises(InvalidHyperparameter, match=r"beta_1 must be in \[0, 1\), received 1.5"):
            refusing.load_state_dict(state, variables(module))
    assert [weight.shape for weight in fresh.weights] == [()]
    for one, two in zip(snapshot(optimizer), before, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("make", "other", "slot_name", "slots"),
    [(Adam, Adam, "v", 2), (SGD, lambda rate: SGD(rate, momentum=0.9), "momentum", 0)],
)
def test_a_refused_state_leaves_training_as_it_would_have_been(make, other, slot_name, slots):
    module, optimizer, writer = model(), make(0.05), other(0.05)
    train(writer, model(), 0)
    state = writer.state_dict()  # of variables that are gone with their module
    del state["slots"]["table"][slot_name]
    with pytest.raises(InvalidState, match="nothing was changed"):
        optimizer.load_state_dict(state, variables(module))
    undisturbed = model()
    assert_same(train(optimizer, module, 0), train(make(0.05), undisturbed, 0))
    assert [w.shape for w in optimizer.weights] == [(), *[SHAPES[n] for n in SHAPES] * slots]


def test_what_fits_is_loaded_where_strictness_is_switched_off():
    module, optimizer = trained()
    state = optimizer.state_dict()
    state["slots"]["gone"] = {"m": np.zeros(3)}
    del state["slots"]["table"]["v"]
    state["slots"]["bias"]["m"] = np.zeros(5)
    other, resumed = copied_model(module), Adam(0.5)
    report = resumed.load_state_dict(state, variables(other), strict=False)
    assert report.missing == ("slots['table']['v']",)
    assert report.unexpected == ("slots['gone']['m']",)
    assert report.misshapen == ("slots['bias']['m'] of shape (5,) and dtype float64 for (2,) and float32",)
    assert report
    np.testing.assert_array_equal(resumed.get_slot(other.table, "m"), optimizer.get_slot(module.table, "m"))
    assert (
        np.count_nonzero(resumed.get_slot(other.table, "v")) == np.count_nonzero(resumed.get_slot(other.bias, "m")) == 0
    )
    assert (int(resumed.iterations), float(resumed.learning_rate)) == (3, np.float32(0.05))


def test_a_grown_model_is_named_in_the_error():
    module, optimizer = trained()
    other = copied_model(module)
    more = tf.Variable([1.0], name="more")
    with pytest.raises(
        InvalidState, match=r"missing: slots\['more'\]\['m'\], slots\['more'\]\['v'\]; unexpected: none"
    ):
        Adam(0.05).load_state_dict(optimizer.state_dict(), [*variables(other), more])


def test_variables_of_one_name_need_a_mapping():
    weights, optimizer = [tf.Variable(1.0), tf.Variable(2.0)], Adam(0.1)
    optimizer.apply_gradients([(tf.constant(3.0), weights[0]), (tf.constant(5.0), weights[1])])
    with pytest.raises(
        InvalidState, match=r"several variables are called 'Variable'.*pass var_list=\{name: variable\}"
    ):
        optimizer.state_dict()
    state = optimizer.state_dict({"first": weights[0], "second": weights[1]})
    again, resumed = [tf.Variable(1.0), tf.Variable(2.0)], Adam(0.1)
    with pytest.raises(InvalidState, match="several variables are called 'Variable'"):
        resumed.load_state_dict(state, again)
    resumed.load_state_dict(state, {"second": again[1], "first": again[0]})
    np.testing.assert_allclose([float(resumed.get_slot(w, "m")) for w in again], [0.3, 0.5], rtol=1e-6)


def test_variables_left_out_of_the_mapping_go_by_their_own_names():
    module, optimizer = trained()
    assert set(optimizer.state_dict({"b": module.bias})["slots"]) == {"b", "matrix", "table"}
    state = optimizer.state_dict()
    with pytest.raises(InvalidState, match=r"unexpected: slots\['bias'\]\['m'\], slots\['bias'\]\['v'\]"):
        optimizer.load_state_dict(state, {"b": module.bias})


def test_a_variable_that_is_gone_leaves_its_name_free():
    optimizer = Adam(0.1)
    for value in (1.0, 2.0):
        weight = tf.Variable(value, name="w")
        optimizer.apply_gradients([(tf.constant(value), weight)])
    np.testing.assert_allclose(optimizer.state_dict()["slots"]["w"]["m"], 0.2, rtol=1e-6)


def test_state_is_kept_when_all_variables_are_gone():
    def trained_alone():
        return trained()[1]

    optimizer, (module, reference) = trained_alone(), trained()
    for state in (optimizer.state_dict(), copy.deepcopy(optimizer).state_dict()):
        assert_same([state["slots"]["bias"]["m"]], [reference.get_slot(module.bias, "m").numpy()])
        other, resumed = copied_model(module), Adam(0.05)
        resumed.load_state_dict(state, variables(other))
        assert_same(resumed.get_weights(), reference.get_weights())


def test_an_optimizer_without_variables_says_what_it_needs():
    _, optimizer = trained()
    with pytest.raises(InvalidState, match="knows no variables yet to load slots for: pass them as var_list"):
        Adam().load_state_dict(optimizer.state_dict())
    state = SGD(0.5).state_dict()
    assert (state["iterations"], state["slots"]) == (0, {})
    assert state["hyperparameters"] == {"learning_rate": 0.5, "decay": 0.0, "momentum": 0.0}
    fresh = SGD(0.1)
    fresh.load_state_dict({**state, "iterations": 4})
    assert (int(fresh.iterations), float(fresh.learning_rate)) == (4, 0.5)


def test_reading_the_state_creates_none():
    optimizer = SGD(0.5)
    optimizer.state_dict()
    assert optimizer.weights == []


def test_a_schedule_is_configuration_and_not_state():
    schedule = tf_keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    module, optimizer = model(), SGD(schedule)
    train(optimizer, module, 0)
    state = optimizer.state_dict()
    assert set(state["hyperparameters"]) == {"decay", "momentum"}
    with pytest.raises(InvalidState, match=r"missing: hyperparameters\['learning_rate'\]; unexpected: none"):
        SGD(0.1).load_state_dict(state)


@pytest.mark.parametrize("how", [list, lambda variables: {v.path: v for v in variables}])
def test_variables_of_keras_3_are_taken_as_they_are(how):
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    optimizer, resumed = Adam(0.1), Adam(0.1)
    optimizer.apply_gradients((tf.ones(v.shape), v) for v in layer.trainable_variables)
    resumed.load_state_dict(optimizer.state_dict(how(layer.trainable_variables)), how(layer.trainable_variables))
    np.testing.assert_allclose(resumed.get_slot(layer.kernel, "m"), 0.1, rtol=1e-6)


def test_a_momentum_that_is_no_number_is_misshapen():
    state = SGD(0.5).state_dict()
    state["hyperparameters"]["momentum"] = np.array([0.5, 0.5])
    with pytest.raises(InvalidState, match=r"misshapen: hyperparameters\['momentum'\] of shape \(2,\)"):
        SGD(0.5).load_state_dict(state)


def test_momentum_in_the_state_is_used_by_an_optimizer_built_without_it():
    module, optimizer = trained("sgd", {"momentum": 0.9})
    other, resumed = copied_model(module), SGD(0.05)
    resumed.load_state_dict(optimizer.state_dict(), variables(other))
    assert_same(train(resumed, other, 3), train(optimizer, module, 3))


def test_state_is_taken_into_a_strategy_and_out_again():
    module, optimizer = trained()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        mirrored, resumed = copied_model(module), Adam(0.5)
    resumed.load_state_dict(optimizer.state_dict(), variables(mirrored))
    for variable, source in zip(variables(mirrored), variables(module), strict=True):
        for copy_of_slot in resumed.get_slot(variable, "v").values:
            np.testing.assert_array_equal(copy_of_slot, optimizer.get_slot(source, "v"))
    state = resumed.state_dict()
    again, single = copied_model(module), Adam(0.5)
    single.load_state_dict(state, variables(again))
    assert_same(train(single, again, 3), train(optimizer, module, 3))


def test_state_is_read_and_written_in_a_session():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weight, optimizer = tf.Variable(1.0, name="w"), Adam(0.1)
        operation = optimizer.apply_gradients([(tf.constant(3.0), weight)])
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(operation)
        state = optimizer.state_dict()
        np.testing.assert_allclose(state["slots"]["w"]["m"], 0.3, rtol=1e-6)
        session.run(operation)
        optimizer.load_state_dict(state)
        np.testing.assert_allclose(session.run(optimizer.get_slot(weight, "m")), 0.3, rtol=1e-6)
        assert session.run(optimizer.iterations) == 1


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64, tf.complex64])
def test_state_of_every_dtype_is_kept(dtype):
    weight, optimizer = tf.Variable(tf.cast([1.0, 2.0], dtype), name="w"), Adam(0.1)
    optimizer.apply_gradients([(tf.cast([1.0, 3.0], dtype), weight)])
    state = optimizer.state_dict()
    again, resumed = tf.Variable(weight, name="w"), Adam(0.1)
    resumed.load_state_dict(state, [again])
    np.testing.assert_array_equal(resumed.get_slot(again, "v"), optimizer.get_slot(weight, "v"))


def test_slots_of_16_bits_of_the_optimizer_itself_are_kept():
    weight, optimizer = tf.Variable(tf.cast([1.0, 2.0], tf.bfloat16), name="w"), SGD(0.1, momentum=0.5)
    optimizer.apply_gradients([(tf.cast([1.0, 3.0], tf.bfloat16), weight)])
    again, resumed = tf.Variable(weight, name="w"), SGD(0.1, momentum=0.5)
    resumed.load_state_dict(optimizer.state_dict(), [again])
    assert np.all(resumed.get_slot(again, "momentum").numpy() == optimizer.get_slot(weight, "momentum").numpy())


@pytest.mark.parametrize("method", ["state_dict", "load_state_dict"])
def test_state_has_no_value_in_a_function(method):
    _module, optimizer = trained()
    arguments = [] if method == "state_dict" else [optimizer.state_dict()]

    @tf.function
    def inside():
        with pytest.raises(WrongContext, match=rf"{method}\(\) was called inside a tf.function"):
            getattr(optimizer, method)(*arguments)

    inside()


def test_every_optimizer_of_the_registry_is_covered():
    assert {case.values[0] for case in CASES} >= {"sgd", "adam", "nadam"} <= set(optreg.list_optimizers())


def partitioned(*sizes):
    """Return a variable of six numbers in parts, as ParameterServerStrategy creates it."""
    ends = np.cumsum([0, *sizes])
    values = np.arange(6.0, dtype="float32")
    parts = [tf.Variable(values[a:b], name=f"w/part_{n}") for n, (a, b) in enumerate(itertools.pairwise(ends))]
    return tf.__internal__.distribute.ShardedVariable(parts, name="w")


def test_a_partitioned_variable_is_one_array_however_it_is_cut():
    whole, optimizer = tf.Variable(np.arange(6.0, dtype="float32"), name="w"), Adam(0.1)
    optimizer.apply_gradients([(tf.constant(np.arange(1.0, 7.0, dtype="float32")), whole)])
    state = optimizer.state_dict()
    expected = state["slots"]["w"]["m"]
    for sizes in ((2, 4), (3, 2, 1)):
        cut, resumed = partitioned(*sizes), Adam(0.1)
        resumed.load_state_dict(state, [cut])
        parts = [slot.numpy() for slot in resumed.get_slot(cut, "m").variables]
        assert [len(part) for part in parts] == list(sizes)
        np.testing.assert_array_equal(np.concatenate(parts), expected)
        state = resumed.state_dict()
    cut, resumed = partitioned(1, 5), Adam(0.1)
    resumed.load_state_dict(state, {"w": cut})
    np.testing.assert_array_equal(resumed.state_dict({"v": cut})["slots"]["v"]["m"], expected)
    again, resumed = tf.Variable(tf.zeros(6), name="w"), Adam(0.1)
    resumed.load_state_dict(state, [again])
    np.testing.assert_array_equal(resumed.get_slot(again, "m"), expected)
