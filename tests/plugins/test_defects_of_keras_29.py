"""Known defects of Keras 2.9 that are not copied, one test each.

The others of the list are shown where they belong: repeated rows are summed before they are clipped in
``optimizer/test_clipping.py``; a constraint together with a sparse gradient is refused in
``optimizer/test_apply_gradients.py``; Nadam's ``schedule_decay`` survives a configuration, and its momentum does not
depend on the dtype of the first variable, in ``test_classic.py``.
"""

from __future__ import annotations

import copy
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.plugins.transcriptions import FAMILY, Transcription

import optreg.legacy
from optreg.errors import InvalidGradients, InvalidHyperparameter

THEIRS = tf_keras.optimizers.legacy
every_class = pytest.mark.parametrize("kind", FAMILY)
SIXTEEN_BITS = [
    (kind, dtype) for kind in FAMILY for dtype in ("float16", "bfloat16") if dtype in FAMILY[kind].declared.dtypes
]


def moved(optimizer, gradients, *, dtype="float32", iterations=0):
    """How far weights that start at 0 have moved after the gradients, in float64."""
    weight = tf.Variable(tf.zeros(len(gradients[0]), dtype))
    optimizer.iterations.assign(iterations)
    for gradient in gradients:
        optimizer.apply_gradients([(tf.constant(gradient, dtype), weight)])
    return np.float64(weight)


def takes(kind, name):
    return name in FAMILY[kind].declared.ranges


def epsilon_of(kind):
    """An epsilon that float16 holds exactly; it rounds the default of 1e-7 to 1.2e-7."""
    return {"epsilon": 2.0**-10} if takes(kind, "epsilon") else {}


@pytest.mark.parametrize(("kind", "dtype"), SIXTEEN_BITS)
def test_sixteen_bit_weights_move_like_others(kind, dtype):
    """1 - 0.999 is 0 in bfloat16, so that Adam stood still and Nadam became NaN."""
    gradients = [[1.0, -2.0, 0.5]] * 3
    wide = moved(getattr(optreg.legacy, kind)(0.5, **epsilon_of(kind)), gradients)
    narrow = moved(getattr(optreg.legacy, kind)(0.5, **epsilon_of(kind)), gradients, dtype=dtype)
    np.testing.assert_allclose(narrow, wide, rtol=0.05)


def test_keras_29_has_this_defect():
    gradients = [[1.0, -2.0, 0.5]] * 3
    assert not np.any(np.abs(moved(THEIRS.Adam(0.5), gradients, dtype="bfloat16")) > 0.1)
    assert np.all(np.isnan(moved(THEIRS.Nadam(0.5), gradients, dtype="bfloat16")))


@pytest.mark.parametrize("kind", ["Adagrad", "Adadelta", "Ftrl", "Adam", "Nadam", "RMSprop"])
@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_whose_squares_are_beyond_float16_move_weights_as_in_float32(kind, sparse):
    steps = [(300.0, -1000.0), (3.0, 500.0), (-20.0, 1000.0)]

    def end(dtype):
        weight = tf.Variable(tf.zeros((2, 1), dtype))
        optimizer = getattr(optreg.legacy, kind)(0.5)
        for step in steps:
            gradient = tf.constant([[value] for value in step], dtype)
            pair = tf.IndexedSlices(gradient, [0, 1], (2, 1)) if sparse else gradient
            optimizer.apply_gradients([(pair, weight)])
        return np.float64(weight)

    np.testing.assert_allclose(end("float16"), end("float32"), rtol=0.002, atol=1e-7)
    assert np.all(end("float16") != 0.0)


@pytest.mark.parametrize("kind", ["Adagrad", "Adadelta", "Ftrl"])
def test_a_square_beyond_float16_stops_weights_in_keras_29(kind):
    assert moved(getattr(THEIRS, kind)(0.5), [[300.0], [1.0], [-2.0]], dtype="float16") == [0.0]


@pytest.mark.parametrize(("kind", "dtype"), SIXTEEN_BITS)
@pytest.mark.parametrize("steps", [300, 70_000])
def test_the_number_of_steps_is_never_rounded_to_sixteen_bits(kind, dtype, steps):
    """bfloat16 cannot tell 256 from 257, and float16 knows no 70,000."""
    options = {"learning_rate": 0.5, "decay": 0.25 / steps, **epsilon_of(kind)}
    wide = moved(getattr(optreg.legacy, kind)(**options), [[1.0, -2.0]], iterations=steps)
    narrow = moved(getattr(optreg.legacy, kind)(**options), [[1.0, -2.0]], dtype=dtype, iterations=steps)
    np.testing.assert_allclose(narrow, wide, rtol=0.02)


@pytest.mark.parametrize(("kind", "dtype"), SIXTEEN_BITS)
@pytest.mark.parametrize("library", [tf_keras, keras], ids=["tf_keras", "keras"])
def test_a_schedule_is_asked_for_the_exact_step(kind, dtype, library):
    """257 is 256 in bfloat16 and 2049 is 2048 in float16: the rate changes one step later than it was told to."""
    last = {"bfloat16": 256, "float16": 2048}[dtype]

    def schedule():
        return library.optimizers.schedules.PiecewiseConstantDecay([last], [0.5, 0.25])

    for steps, rate in ((last, 0.5), (last + 1, 0.25)):
        ours, plain = (getattr(optreg.legacy, kind)(given, **epsilon_of(kind)) for given in (schedule(), rate))
        followed, expected = (moved(optimizer, [[1.0]], dtype=dtype, iterations=steps) for optimizer in (ours, plain))
        np.testing.assert_array_equal(followed, expected)
        assert followed != 0.0


def test_keras_29_rounds_the_step_that_a_schedule_is_asked_for():
    schedule = tf_keras.optimizers.schedules.PiecewiseConstantDecay([256], [0.5, 0.25])
    for dtype, expected in (("float32", -0.25), ("bfloat16", -0.5)):
        assert moved(THEIRS.SGD(schedule), [[1.0]], dtype=dtype, iterations=257) == expected


def test_keras_29_rounds_the_number_of_steps():
    options = {"learning_rate": 0.5, "decay": 0.25 / 70_000}
    wide = moved(THEIRS.SGD(**options), [[1.0]], iterations=70_000)
    narrow = moved(THEIRS.SGD(**options), [[1.0]], dtype="float16", iterations=70_000)
    assert not np.allclose(narrow, wide, rtol=0.02)


@pytest.mark.parametrize("kind", [kind for kind in FAMILY if takes(kind, "epsilon")])
def test_epsilon_zero_means_zero(kind):
    options = {"epsilon": 0.0} | ({"initial_accumulator_value": 0.0} if kind == "Adagrad" else {})
    ours = getattr(optreg.legacy, kind)(0.5, **options)
    assert ours.get_config()["epsilon"] == 0.0
    assert getattr(THEIRS, kind)(epsilon=0.0).get_config()["epsilon"] == 1e-7
    assert getattr(optreg.legacy, kind)(epsilon=None).get_config()["epsilon"] == 1e-7
    tiny = [[1e-9, -1e-8], [1e-9, 1e-8]]  # next to which 1e-7 is large
    rule = Transcription(ours, {"w": np.zeros(2)})
    for gradient in tiny:
        rule.apply({"w": np.array(gradient)})
    np.testing.assert_allclose(moved(ours, tiny), rule.value("w"), rtol=1e-3)


@pytest.mark.parametrize("kind", [kind for kind in FAMILY if takes(kind, "epsilon")])
def test_the_documentation_says_what_epsilon_zero_means(kind):
    differences = inspect.getdoc(getattr(optreg.legacy, kind)).partition("Differences:")[2].partition("Arguments:")[0]
    assert "epsilon=0.0" in differences


@every_class
def test_a_decay_assigned_later_acts_or_is_refused(kind):
    """Keras 2.9 showed the assigned value and kept to that of the constructor."""
    built, assigned = (getattr(optreg.legacy, kind)(0.5, **options) for options in ({"decay": 0.5}, {}))
    gradients = [[1.0, -2.0]] * 4
    if takes(kind, "schedule_decay"):  # which Keras 2.9 saved under the name of the other
        with pytest.raises(InvalidHyperparameter, match=f"{kind}: decay is fixed when the optimizer is built"):
            assigned.decay = 0.5
        assert np.any(moved(getattr(optreg.legacy, kind)(0.5), gradients) != moved(built, gradients))
        return
    assigned.decay = 0.5
    np.testing.assert_allclose(moved(assigned, gradients), moved(built, gradients), rtol=1e-6)
    assert np.any(moved(getattr(optreg.legacy, kind)(0.5), gradients) != moved(built, gradients))
    legacy = THEIRS.SGD(0.5)
    legacy.decay = 0.5
    np.testing.assert_array_equal(moved(legacy, gradients), [-2.0, 4.0])


@pytest.mark.parametrize("kind", [kind for kind in FAMILY if takes(kind, "momentum")])
def test_a_momentum_assigned_later_acts(kind):
    built, assigned = (getattr(optreg.legacy, kind)(0.5, **options) for options in ({"momentum": 0.5}, {}))
    assigned.momentum = 0.5
    gradients = [[1.0, -2.0]] * 3
    np.testing.assert_allclose(moved(assigned, gradients), moved(built, gradients), rtol=1e-6)
    with pytest.raises(InvalidHyperparameter, match="momentum must be in"):
        assigned.momentum = 2.0


@every_class
def test_a_schedule_is_followed_and_decay_divides_it(kind):
    """Keras 2.9's Nadam refused the one and took the other for its ``schedule_decay``."""
    schedule = tf_keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    optimizer = getattr(optreg.legacy, kind)(schedule, decay=0.5)
    by_hand = getattr(optreg.legacy, kind)(0.5)
    weights = [tf.Variable([0.0, 0.0]) for _ in range(2)]
    for rate in (0.5, 0.5 / 1.5, 0.25 / 2.0, 0.25 / 2.5):
        by_hand.learning_rate = rate
        for trained, weight in zip((optimizer, by_hand), weights, strict=True):
            trained.apply_gradients([(tf.constant([1.0, -2.0]), weight)])
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)


@every_class
def test_a_configuration_is_not_modified_and_lr_may_be_a_schedule(kind):
    """Keras 2.9 took ``lr`` out of the dictionary it was given, and compared a schedule with 0."""
    cls = getattr(optreg.legacy, kind)
    config = {"name": "mine", "lr": 0.25}
    before = copy.deepcopy(config)
    assert cls.from_config(config).get_config()["learning_rate"] == 0.25
    assert config == before
    getattr(THEIRS, kind).from_config(config)
    assert config != before
    schedule = tf_keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    with pytest.warns(UserWarning, match="lr is deprecated"):
        assert cls(lr=schedule).learning_rate is schedule
    with pytest.raises(TypeError, match="'<' not supported"):
        THEIRS.SGD(lr=schedule)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_centered_steps_stay_finite_where_rounding_makes_the_variance_negative(sparse, momentum, rho):
    gradient = tf.constant(np.random.default_rng(1).uniform(1.5, 3.5, (500, 1)), tf.float32)

    def finite(optimizer):
        weight = tf.Variable(tf.zeros((500, 1)))
        step = tf.IndexedSlices(gradient, tf.range(500), tf.constant([500, 1])) if sparse else gradient

        @tf.function
        def train():
            for _ in tf.range(150):
                optimizer.apply_gradients([(step, weight)])

        train()
        return np.all(np.isfinite(weight))

    options = {"rho": rho, "momentum": momentum, "centered": True}
    assert finite(optreg.legacy.RMSprop(0.1, **options))
    if rho == 0.5:  # at 0.9 it depends on how the kernel rounds
        assert not finite(THEIRS.RMSprop(0.1, **options))


@pytest.mark.parametrize("kind", [kind for kind in FAMILY if takes(kind, "epsilon")])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("sparse", [False, True])
def test_epsilon_is_added_on_every_way(kind, dtype, sparse):
    """One of Adam's ways in Keras 2.9 subtracted it."""
    optimizer = getattr(optreg.legacy, kind)(0.5, epsilon=0.25)
    weight = tf.Variable(tf.zeros((3, 1), dtype))
    gradients = np.array([[1.0], [0.5], [-2.0]])
    rule = Transcription(optimizer, {"w": np.zeros((3, 1))})
    given = tf.constant(gradients, dtype)
    for _ in range(2):
        rule.apply({"w": gradients})
        step = tf.IndexedSlices(given, tf.range(3), tf.constant([3, 1])) if sparse else given
        optimizer.apply_gradients([(step, weight)])
    np.testing.assert_allclose(np.float64(weight), rule.value("w"), rtol=1e-5 if dtype == "float32" else 5e-3)


@every_class
def test_every_class_takes_gradients_that_are_summed_already(kind):
    """Keras 2.9 marked all of them but Ftrl as taking the keyword."""
    assert getattr(optreg.legacy, kind)._HAS_AGGREGATE_GRAD
    weights = [tf.Variable([0.0, 0.0]) for _ in range(2)]
    for aggregate, weight in zip((True, False), weights, strict=True):
        getattr(optreg.legacy, kind)(0.5).apply_gradients(
            [(tf.constant([1.0, -2.0]), weight)], experimental_aggregate_gradients=aggregate
        )
    np.testing.assert_array_equal(*weights)
    assert not THEIRS.Ftrl._HAS_AGGREGATE_GRAD


def test_a_constraint_with_a_sparse_gradient_is_refused_before_any_variable_moves():
    def other_after(optimizer, error):
        other, table = tf.Variable([1.0]), tf.Variable(tf.ones((3, 1)), constraint=tf.abs)
        gradient = tf.IndexedSlices(tf.ones((1, 1)), tf.constant([1]), tf.constant([3, 1]))
        with pytest.raises(error, match="constraint"):
            optimizer.apply_gradients([(tf.constant([0.25]), other), (gradient, table)])
        return float(other[0])

    assert other_after(optreg.legacy.SGD(1.0), InvalidGradients) == 1.0
    assert other_after(THEIRS.SGD(1.0), RuntimeError) == 0.75


def test_rmsprop_lets_the_averages_of_absent_rows_decay_without_momentum_only():
    """As in Keras 2.9, whose docstring says that they stay."""
    assert "will not update variable slices or their accumulators" in " ".join(THEIRS.RMSprop.__doc__.split())
    for namespace in (optreg.legacy, THEIRS):
        for momentum, expected in ((0.0, 0.25), (0.5, 0.5)):
            optimizer, table = namespace.RMSprop(0.1, rho=0.5, momentum=momentum), tf.Variable(tf.zeros((2, 1)))
            for rows in ([0, 1], [1]):
                gradient = tf.IndexedSlices(tf.ones((len(rows), 1)), tf.constant(rows), tf.constant([2, 1]))
                optimizer.apply_gradients([(gradient, table)])
            assert float(optimizer.get_slot(table, "rms")[0, 0]) == expected


def test_a_sparse_bfloat16_gradient_works_with_momentum():
    """TensorFlow has no such kernel; Keras 2.9 failed in the middle of the step."""
    table, wide = tf.Variable(tf.zeros((4, 2), tf.bfloat16)), tf.Variable(tf.zeros((4, 2)))
    for variable in (table, wide):
        optimizer = optreg.legacy.RMSprop(0.5, momentum=0.5, rho=0.999)
        for _ in range(3):
            rows = tf.constant([[1.0, -2.0], [0.5, 4.0]], variable.dtype)
            optimizer.apply_gradients([(tf.IndexedSlices(rows, tf.constant([2, 0]), tf.constant([4, 2])), variable)])
    np.testing.assert_allclose(np.float64(table), np.float64(wide), rtol=0.02)
    assert np.all(wide.numpy()[[1, 3]] == 0.0)
    assert np.all(wide.numpy()[[0, 2]] != 0.0)


@pytest.mark.parametrize("kind", [kind for kind in FAMILY if FAMILY[kind].declared.sparse != "none"])
def test_rows_without_elements_are_updated_without_an_error(kind):
    """Two of TensorFlow's sparse kernels refuse them."""
    optimizer, table = getattr(optreg.legacy, kind)(), tf.Variable(tf.zeros((3, 0)))
    gradient = tf.IndexedSlices(tf.zeros((2, 0)), tf.constant([2, 0]), tf.constant([3, 0]))
    optimizer.apply_gradients([(gradient, table)])
    assert int(optimizer.iterations) == 1


ROWS = {
    "1: 16-bit coefficients": "in bfloat16 `1 - beta_2` is 0",
    "2: 16-bit steps": "steps past 256 are lost",
    "3": "`epsilon=0.0` means 1e-7",
    "4: schedule_decay": "Nadam saves `schedule_decay` as `decay`",
    "4: momentum": "its momentum moves on for one dtype only",
    "5: momentum": "SGD and RMSprop ignore a momentum assigned later",
    "5: decay": "`decay` is fixed at construction",
    "6: from_config": "`from_config` takes `lr` out of the dictionary",
    "6: lr": "a schedule given as `lr=` fails",
    "7": "a sparse gradient with repeated rows is clipped row by row",
    "8: RMSprop": "RMSprop's docstring says",
    "8: constraint": "a constraint and a sparse gradient fail",
    "9": "centered RMSprop makes NaN",
    "10": "the unfused Adam (`NonFusedAdam`) subtracts epsilon",
    "11": "Ftrl alone lacks the mark `_HAS_AGGREGATE_GRAD`",
}
"""Each known defect, by its number in the list that these tests follow, and words of its row in the documentation."""


@pytest.mark.parametrize("words", ROWS.values(), ids=ROWS)
def test_the_documentation_has_a_row_for_each_defect(words):
    page = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()
    table = page.partition("## Differences from Keras 2.9")[2].partition("\n## ")[0]
    assert sum(words in line for line in table.splitlines() if line.startswith("|")) == 1
