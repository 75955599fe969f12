"""The classic optimizers against NumPy, against tf_keras's legacy optimizers and against what Keras 2.9 recorded."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.plugins.transcriptions import RULES, float32_rounded

import optreg
from optreg_classic.adadelta import Adadelta
from optreg_classic.adagrad import Adagrad
from optreg_classic.adam import Adam
from optreg_classic.adamax import Adamax
from optreg_classic.ftrl import Ftrl
from optreg_classic.nadam import Nadam
from optreg_classic.rmsprop import RMSprop
from optreg_classic.sgd import SGD

OURS = {cls.__name__: cls for cls in (SGD, Adam, RMSprop, Adagrad, Adadelta, Adamax, Nadam, Ftrl)}
GOLDEN = Path(__file__).parents[1] / "golden" / "keras29"
NAMES = ("matrix", "bias", "scalar", "table")
SHAPES = {"matrix": (5, 3), "bias": (4,), "scalar": (), "table": (20, 4)}

OPTIONS = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "decay": 0.01}),
    "adam": ("Adam", {"learning_rate": 0.02}),
    "amsgrad": ("Adam", {"learning_rate": 0.02, "amsgrad": True, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-5}),
}


KERNEL_OPTIONS = {
    "rmsprop": ("RMSprop", {"learning_rate": 0.02}),
    "rmsprop centered": ("RMSprop", {"learning_rate": 0.02, "centered": True, "rho": 0.8, "epsilon": 1e-4}),
    "rmsprop momentum": ("RMSprop", {"learning_rate": 0.02, "momentum": 0.5, "decay": 0.01}),
    "rmsprop all": ("RMSprop", {"learning_rate": 0.02, "momentum": 0.5, "centered": True, "epsilon": 1e-3}),
    "adagrad": ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.25}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-4}),
    "adamax": ("Adamax", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95}),
    "nadam": ("Nadam", {"learning_rate": 0.02}),
    "nadam fast schedule": ("Nadam", {"learning_rate": 0.02, "beta_1": 0.8, "schedule_decay": 0.25, "epsilon": 1e-5}),
    "ftrl": ("Ftrl", {"learning_rate": 0.1}),
    "ftrl regularized": (
        "Ftrl",
        {"learning_rate": 0.1, "l1_regularization_strength": 0.02, "l2_regularization_strength": 0.1, "beta": 0.5},
    ),
    "ftrl shrinkage": (
        "Ftrl",
        # 2**-7, because Keras 2.9 rounds the shrinkage to float32 even for float64 weights.
        {"learning_rate": 0.1, "l2_shrinkage_regularization_strength": 0.0078125, "learning_rate_power": -0.4},
    ),
}


def problem(dtype, *, steps, seed=3):
    """Yield initial values, then each step's gradients: dense ones and (rows, indices) with repeats for the table."""
    random = np.random.default_rng(seed)

    def normal(shape):
        value = random.normal(size=shape)
        return (value + 1j * random.normal(size=shape)).astype(dtype) if np.dtype(dtype).kind == "c" else value

    yield {name: normal(shape) for name, shape in SHAPES.items()}
    for step in range(steps):
        dense = {name: normal(SHAPES[name]) * (step != steps // 2) for name in NAMES[:3]}
        yield dense, normal((6, 4)), random.integers(0, 12, size=6)


def trained(optimizer, dtype, *, graph, steps, name="float32"):
    steps_of_problem = problem(name if "complex" in name else "float64", steps=steps)
    variables = {key: tf.Variable(value, dtype=dtype) for key, value in next(steps_of_problem).items()}

    def step(dense, rows, indices):
        slices = tf.IndexedSlices(rows, indices, tf.constant(SHAPES["table"]))
        optimizer.apply_gradients(zip([*dense, slices], variables.values(), strict=True))

    call = tf.function(step) if graph else step
    for dense, rows, indices in steps_of_problem:
        call([tf.cast(dense[key], dtype) for key in NAMES[:3]], tf.cast(rows, dtype), tf.constant(indices))
    return {key: variable.numpy() for key, variable in variables.items()}


def numpy_by_rows(kind, options, *, steps):
    """Train with NumPy in float64, each row of the table on its own: absent rows stay, or only their averages decay."""
    rule = RULES[kind]
    decaying = kind == "Nadam" or (kind == "RMSprop" and not options.get("momentum"))
    steps_of_problem = problem("float64", steps=steps)
    first = next(steps_of_problem)
    values = {name: np.array(first[name]) for name in NAMES[:3]}
    rows = list(np.array(first["table"]))
    states = {name: {} for name in values}
    row_states = [{} for _ in rows]
    for t, (dense, sparse, indices) in enumerate(steps_of_problem, start=1):
        for name, gradient in dense.items():
            values[name] = rule(values[name], gradient, states[name], t, **options)
        for row in range(len(rows)):
            present = indices == row
            if present.any():
                rows[row] = rule(rows[row], sparse[present].sum(axis=0), row_states[row], t, **options)
            elif decaying:
                rule(rows[row], np.zeros_like(rows[row]), row_states[row], t, **options)
    return {**values, "table": np.array(rows)}


def numpy_trained(rule, options, *, steps):
    """Train with NumPy in float64; the table's rows that are absent do not move under SGD with momentum."""
    steps_of_problem = problem("float64", steps=steps)
    values = dict(next(steps_of_problem))
    states = {name: {} for name in NAMES}
    for t, (dense, rows, indices) in enumerate(steps_of_problem, start=1):
        table = np.zeros(SHAPES["table"])
        np.add.at(table, indices, rows)
        for name, gradient in {**dense, "table": table}.items():
            if name == "table" and rule is RULES["SGD"]:
                present = np.unique(indices)
                state = {key: array[present] for key, array in states[name].items()}
                values[name] = values[name].copy()
                values[name][present] = rule(values[name][present], gradient[present], state, t, **options)
                for key, array in state.items():
                    states[name].setdefault(key, np.zeros(SHAPES["table"]))[present] = array
                if not states[name] and options.get("momentum"):
                    raise AssertionError("momentum keeps a velocity")
                continue
            values[name] = rule(values[name], gradient, states[name], t, **options)
    return values


@pytest.mark.parametrize("case", OPTIONS)
@pytest.mark.parametrize("graph", [False, True])
def test_a_hundred_steps_equal_a_numpy_transcription(case, graph):
    kind, options = OPTIONS[case]
    defaults = {"SGD": {"learning_rate": 0.01, "momentum": 0.0}, "Adam": {"beta_1": 0.9, "beta_2": 0.999}}[kind]
    expected = numpy_trained(RULES[kind], float32_rounded({**defaults, **options}), steps=100)
    actual = trained(OURS[kind](**options), tf.float64, graph=graph, steps=100)
    for name in NAMES:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-11, atol=1e-12, err_msg=name)


# Both call the same kernel for every dense gradient, so these are equal to the bit. Adam's sparse path differs on
# purpose (see the docstring of Adam) by the rounding of one addition, and 16-bit weights by their float32 arithmetic.
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("case", OPTIONS)
def test_a_hundred_steps_equal_the_legacy_optimizer_of_tf_keras(case, dtype, graph):
    kind, options = OPTIONS[case]
    if "complex" in dtype and options.get("amsgrad"):
        with pytest.raises(TypeError, match="allowed: bfloat16, float16, float32, float64"):
            trained(OURS[kind](**options), tf.as_dtype(dtype), graph=graph, steps=1, name=dtype)
        return
    ours = trained(OURS[kind](**options), tf.as_dtype(dtype), graph=graph, steps=100, name=dtype)
    legacy = getattr(tf_keras.optimizers.legacy, kind)(**options)
    theirs = trained(legacy, tf.as_dtype(dtype), graph=graph, steps=100, name=dtype)
    eps = float(np.finfo(tf.as_dtype(dtype).as_numpy_dtype).eps)
    for name in NAMES:
        if dtype == "float16":
            np.testing.assert_allclose(ours[name], theirs[name], atol=40 * eps, rtol=10 * eps, err_msg=name)
        elif kind == "SGD" or (name != "table" and "complex" not in dtype):
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
        else:
            np.testing.assert_allclose(ours[name], theirs[name], atol=20 * eps, rtol=20 * eps, err_msg=name)


@pytest.mark.parametrize("case", KERNEL_OPTIONS)
@pytest.mark.parametrize("graph", [False, True])
def test_fifty_steps_equal_a_numpy_transcription_row_by_row(case, graph):
    kind, options = KERNEL_OPTIONS[case]
    averages = {"beta_1": 0.9, "beta_2": 0.999, "schedule_decay": 0.004}
    defaults = {"RMSprop": {"rho": 0.9}, "Nadam": averages}.get(kind, {})
    expected = numpy_by_rows(kind, float32_rounded({**defaults, **options}), steps=50)
    actual = trained(OURS[kind](**options), tf.float64, graph=graph, steps=50)
    for name in NAMES:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-9, atol=1e-11, err_msg=name)


# The tables of RMSprop without momentum and of Adamax are updated by the same operations in another order. Keras 2.9
# computes Nadam's momentum from 0.96 rounded to float32, also for float64 weights.
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        (case, dtype)
        for case, (kind, _) in KERNEL_OPTIONS.items()
        for dtype in ("float16", "float32", "float64", "complex64", "complex128")
        if dtype in OURS[kind].card.dtypes
    ],
)
def test_fifty_steps_equal_the_legacy_optimizer_of_tf_keras(case, dtype, graph):
    kind, options = KERNEL_OPTIONS[case]
    ours = trained(OURS[kind](**options), tf.as_dtype(dtype), graph=graph, steps=50, name=dtype)
    legacy = getattr(tf_keras.optimizers.legacy, kind)(**options)
    theirs = trained(legacy, tf.as_dtype(dtype), graph=graph, steps=50, name=dtype)
    coarse = kind == "Nadam" and dtype in {"float64", "complex128"}
    eps = float(np.finfo("float32" if coarse else dtype).eps)
    for name in NAMES:
        np.testing.assert_allclose(ours[name], theirs[name], atol=30 * eps, rtol=30 * eps, err_msg=name)


def test_centered_rmsprop_stays_finite_where_rounding_makes_the_variance_negative():
    weight = tf.Variable(tf.zeros(1000))
    optimizer = RMSprop(0.1, rho=0.5, centered=True)
    for _ in range(30):
        optimizer.apply_gradients([(tf.fill((1000,), 3.3333), weight)])
    assert np.all(np.isfinite(weight))


@pytest.mark.parametrize("case", OPTIONS)
def test_sixteen_bit_weights_follow_float32_ones(case):
    kind, options = OPTIONS[case]
    steps = 20
    wide = trained(OURS[kind](**options), tf.float32, graph=True, steps=steps)
    # Each write rounds a weight below 4 by at most half a unit in its last place: 2**-7 in bfloat16, 2**-10 in float16.
    for dtype, tolerance in (("bfloat16", steps * 2**-7), ("float16", steps * 2**-10)):
        narrow = trained(OURS[kind](**options), tf.as_dtype(dtype), graph=True, steps=steps)
        for name in NAMES:
            np.testing.assert_allclose(narrow[name].astype(np.float32), wide[name], atol=tolerance, err_msg=name)


def test_bfloat16_weights_move_where_those_of_keras_29_do_not():
    def moved(optimizer):
        weight = tf.Variable(tf.zeros(3, tf.bfloat16))
        optimizer.apply_gradients([(tf.constant([1.0, -2.0, 0.5], tf.bfloat16), weight)])
        return weight.numpy().astype(np.float32)

    np.testing.assert_allclose(moved(Adam(0.5)), [-0.5, 0.5, -0.5], rtol=1e-2)
    assert not np.any(np.abs(moved(tf_keras.optimizers.legacy.Adam(0.5))) > 0.1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_learning_rate_of_sixteen_bit_weights_decays_past_256_steps(dtype):
    # bfloat16 cannot tell 256 from 257 and float16 knows no 70,000.
    weight = tf.Variable(0.0, dtype=dtype)
    optimizer = SGD(1.0, decay=0.001)
    optimizer.build([weight])
    for steps in (300, 70_000):
        optimizer.iterations.assign(steps)
        weight.assign(0.0)
        optimizer.apply_gradients([(tf.constant(1.0, dtype), weight)])
        np.testing.assert_allclose(-float(weight), 1 / (1 + 0.001 * steps), rtol=5e-3)


def golden_cases():
    return [json.loads(line) for line in (GOLDEN / "cases.jsonl").read_text().splitlines()]


def golden_schedule(name):
    schedules = keras.optimizers.schedules
    return {
        "exponential": lambda: schedules.ExponentialDecay(0.05, 7, 0.6),
        "piecewise": lambda: schedules.PiecewiseConstantDecay([5, 12], [0.05, 0.02, 0.005]),
        "polynomial": lambda: schedules.PolynomialDecay(0.05, 15, 0.001, power=2.0),
    }[name]()


def clipping_before_summing(clipping):
    """Return transformers that clip as Keras 2.9 did: repeated rows of a sparse gradient one by one."""

    def each(clip_one):
        def transform(pairs):
            return [
                (
                    tf.IndexedSlices(clip_one(g.values), g.indices, g.dense_shape)
                    if isinstance(g, tf.IndexedSlices)
                    else clip_one(g),
                    v,
                )
                for g, v in pairs
            ]

        return transform

    def together(pairs):
        clipped, _ = tf.clip_by_global_norm([g for g, _ in pairs], clipping["global_clipnorm"])
        return [(g, v) for g, (_, v) in zip(clipped, pairs, strict=True)]

    if "clipvalue" in clipping:
        return [each(lambda g: tf.clip_by_value(g, -clipping["clipvalue"], clipping["clipvalue"]))]
    if "clipnorm" in clipping:
        return [each(lambda g: tf.clip_by_norm(g, clipping["clipnorm"]))]
    return [together]


def golden_optimizer(case, *, clip_as_recorded=True):
    arguments = dict(case["arguments"])
    if isinstance(arguments.get("learning_rate"), str):
        arguments["learning_rate"] = golden_schedule(arguments["learning_rate"])
    if clip_as_recorded:
        clipping = {name: arguments.pop(name) for name in list(arguments) if "clip" in name}
        if clipping:
            arguments["gradient_transformers"] = clipping_before_summing(clipping)
    return OURS[case["optimizer"]](**arguments)


def replay(case, recorded, optimizer, variables, *, graph, steps, check):
    def step(dense, rows, indices):
        slices = tf.IndexedSlices(rows, indices, tf.constant(SHAPES["table"]))
        optimizer.apply_gradients(zip([*dense, slices], variables.values(), strict=True))

    dtype = variables["table"].dtype
    dense = [tf.TensorSpec(SHAPES[name], dtype) for name in NAMES[:3]]
    # The number of rows changes from step to step; one trace takes any.
    signature = (dense, tf.TensorSpec((None, 4), dtype), tf.TensorSpec((None,), recorded["grad/1/table/indices"].dtype))
    call = tf.function(step, input_signature=signature) if graph else step
    for t in steps:
        dense = [tf.constant(recorded[f"grad/{t}/{name}"]) for name in NAMES[:3]]
        rows, indices = recorded[f"grad/{t}/table/values"], recorded[f"grad/{t}/table/indices"]
        call(dense, tf.constant(rows), tf.constant(indices))
        for name in check:
            np.testing.assert_allclose(
                variables[name], recorded[f"value/{t}/{name}"], rtol=2e-6, atol=2e-6, err_msg=f"{name} after step {t}"
            )


def first_steps(recorded, count):
    first = 0 if "value/0/matrix" in recorded else 1
    return range(first, first + count)


def assert_final_state_recorded(case, recorded, optimizer, variables):
    """Weights of the optimizer and slots after the last step are those that Keras 2.9 recorded."""
    assert optimizer.get_slot_names() == case["slot_names"]
    assert len(optimizer.weights) == case["weights"]
    for position, weight in enumerate(optimizer.get_weights()):
        np.testing.assert_allclose(weight, recorded[f"weights/{position}"], rtol=2e-6, atol=2e-6)
    for name in NAMES:
        for slot_name in case["slot_names"]:
            slot = optimizer.get_slot(variables[name], slot_name)
            np.testing.assert_allclose(slot, recorded[f"slot/{name}/{slot_name}"], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["case"])
def test_every_step_recorded_from_keras_29_is_reproduced(case, graph):
    recorded = np.load(GOLDEN / f"{case['case']}.npz")
    variables = {name: tf.Variable(recorded[f"init/{name}"]) for name in NAMES}
    optimizer = golden_optimizer(case)
    steps = first_steps(recorded, case["steps"])
    replay(case, recorded, optimizer, variables, graph=graph, steps=steps, check=NAMES)

    assert_final_state_recorded(case, recorded, optimizer, variables)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("case", [c for c in golden_cases() if c["checkpoint_after_step"]], ids=lambda c: c["case"])
def test_checkpoints_written_by_tensorflow_29_are_continued(case, graph):
    recorded = np.load(GOLDEN / f"{case['case']}.npz")
    variables = {name: tf.Variable(tf.zeros_like(recorded[f"init/{name}"])) for name in NAMES}
    optimizer = golden_optimizer(case)
    status = tf.train.Checkpoint(optimizer=optimizer, **variables).read(
        str(GOLDEN / "checkpoints" / case["case"] / "ckpt")
    )
    steps = first_steps(recorded, case["steps"])[case["checkpoint_after_step"] :]
    replay(case, recorded, optimizer, variables, graph=graph, steps=steps, check=NAMES)
    status.assert_consumed()
    assert_final_state_recorded(case, recorded, optimizer, variables)


@pytest.mark.parametrize("case", [c for c in golden_cases() if "clip" in str(c["arguments"])], ids=lambda c: c["case"])
def test_clipping_alone_differs_from_the_recording_and_only_where_rows_repeat(case):
    """Keras 2.9 clipped repeated rows one by one; where each variable is clipped alone, dense ones must be equal."""
    recorded = np.load(GOLDEN / f"{case['case']}.npz")
    variables = {name: tf.Variable(recorded[f"init/{name}"]) for name in NAMES}
    check = () if "global_clipnorm" in case["arguments"] else NAMES[:3]
    steps = first_steps(recorded, case["steps"])
    replay(
        case, recorded, golden_optimizer(case, clip_as_recorded=False), variables, graph=True, steps=steps, check=check
    )
    assert not np.allclose(variables["table"], recorded[f"value/{steps[-1]}/table"], atol=1e-4)


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["case"])
def test_configurations_are_those_of_keras_29(case):
    optimizer = golden_optimizer(case, clip_as_recorded=False)
    config = optimizer.get_config()
    recorded_config = dict(case["config"])
    if "schedule_decay" in config:
        # Keras 2.9 saved it under the name of the other decay and lost it on the way back.
        recorded_config |= {"schedule_decay": recorded_config["decay"], "decay": 0.0}
    assert set(config) == set(recorded_config)
    for name, value in recorded_config.items():
        if isinstance(value, dict):
            recorded, ours = value["config"], config[name]["config"]
            assert config[name]["class_name"] == value["class_name"]
            assert {key: ours[key] for key in recorded if key != "name"} == {
                k: v for k, v in recorded.items() if k != "name"
            }
        elif isinstance(value, float):
            assert config[name] == pytest.approx(value, rel=1e-7)
        else:
            assert config[name] == value
    rebuilt = OURS[case["optimizer"]].from_config(json.loads(json.dumps(case["config"]))).get_config()
    assert rebuilt["name"] == config["name"]
    assert rebuilt["decay"] == config["decay"]


def test_a_schedule_decay_survives_a_configuration_where_keras_29_lost_it():
    optimizer = Nadam(schedule_decay=0.1, decay=0.01)
    rebuilt = Nadam.from_config(json.loads(json.dumps(optimizer.get_config())))
    assert float(rebuilt.schedule_decay) == pytest.approx(0.1)
    assert rebuilt.get_config() == optimizer.get_config()
    legacy = tf_keras.optimizers.legacy.Nadam
    assert float(legacy.from_config(legacy(schedule_decay=0.1).get_config()).decay) == pytest.approx(0.004)
    read = Nadam.from_config(legacy(schedule_decay=0.1).get_config())
    assert float(read.schedule_decay) == pytest.approx(0.1)
    assert read.get_config()["decay"] == 0.0


def test_variables_of_several_dtypes_share_one_momentum_schedule():
    """Keras 2.9 moved the momentum product on where it met the dtype of the first variable."""
    optimizer = Nadam(0.1)
    values = [tf.Variable(tf.ones(3, dtype)) for dtype in ("float64", "float32", "bfloat16")]
    for _ in range(3):
        optimizer.apply_gradients([(tf.ones_like(value), value) for value in values])
    momentum = [0.9 * (1 - 0.5 * 0.96 ** (0.004 * step)) for step in (1, 2, 3)]
    np.testing.assert_allclose(optimizer.weights[1], np.prod(momentum), rtol=1e-7)
    np.testing.assert_allclose(values[1], values[0], rtol=1e-6)


@pytest.mark.parametrize("name", optreg.list_optimizers(distribution="optreg"))
def test_the_examples_in_the_docstrings_print_what_they_say(name):
    module = sys.modules[type(optreg.get_optimizer(name)).__module__]
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


SPARSE_WORDING = {
    "lazy": r"only the rows present move, weights and \w+",
    "decaying": r"(without \w+ )?the averages decay on every row,? and only the rows present move",
    "exact": r"same result as dense ones; every row moves as its averages decay",
}
"""What the docstring says for each mode of a card."""


@pytest.mark.parametrize("kind", OURS)
def test_the_docstring_says_of_sparse_gradients_what_the_card_says(kind):
    card, documentation = OURS[kind].card, inspect.getdoc(OURS[kind])
    said = " ".join(re.search(r"^Sparse gradients: (.+?)\.\n\n", documentation, re.DOTALL | re.MULTILINE)[1].split())
    clauses = said.split("; with it ")
    for clause, mode in zip(clauses, [card.sparse, *card.sparse_with.values()], strict=True):
        assert re.fullmatch(SPARSE_WORDING[mode], clause)
    assert all(f"without {name} " in clauses[0] for name in card.sparse_with)
