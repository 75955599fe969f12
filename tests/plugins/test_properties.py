"""Properties of every optimizer of the legacy namespace, for random shapes, index patterns and hyperparameters.

What is drawn comes from the cards: hyperparameters from the declared ranges, what a sparse gradient does from the
declared mode. All numbers drawn are short binary fractions, which float32 variables hold exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from tests.plugins.transcriptions import FAMILY, Transcription

import optreg.legacy
from optreg.cards import Interval
from optreg.errors import HyperparameterTypeError, InvalidHyperparameter

# Failures are not explained line by line, which would take minutes with TensorFlow in every line.
PHASES = (Phase.explicit, Phase.generate, Phase.shrink)
quick = settings(derandomize=True, deadline=None, max_examples=15, database=None, phases=PHASES)
every_class = pytest.mark.parametrize("kind", FAMILY)

fractions = st.integers(-64, 64).map(lambda number: number / 16)

# Shapes and patterns that random draws may miss; each is also tried for certain, with default hyperparameters.
SHAPES = [(), (0,), (3,), (2, 0, 3), (2, 1, 3, 2), (1, 2, 1, 2, 1, 2)]
TABLES = [(4,), (3, 0), (3, 2), (2, 2, 1, 2)]
PATTERNS = ["none", "all", "descending", "one many times", "some twice"]

shapes = st.sampled_from(SHAPES) | st.lists(st.integers(0, 3), max_size=6).map(tuple)
tables = st.sampled_from(TABLES) | st.tuples(st.integers(1, 5), st.integers(0, 3))


def within(declared: str) -> Any:
    """Numbers of a declared range that are short binary fractions, its closed bounds among them."""
    if declared == "bool":
        return st.booleans()
    interval = Interval.parse(declared)
    return st.integers(-4 * 64, 4 * 64).map(lambda number: number / 64).filter(interval.__contains__)


def hyperparameters(kind: str) -> Any:
    """Any of the hyperparameters of a class, the others left at their defaults."""
    ranges = FAMILY[kind].declared.ranges
    return st.fixed_dictionaries({}, optional={name: within(declared) for name, declared in ranges.items()})


def arrays(shape: tuple[int, ...]) -> Any:
    size = math.prod(shape)
    return st.lists(fractions, min_size=size, max_size=size).map(lambda values: np.reshape(values, shape))


@st.composite
def dense_steps(draw: Any) -> tuple[Any, list[Any]]:
    """A starting value and three gradients of one shape."""
    shape = draw(shapes)
    return draw(arrays(shape)), [draw(arrays(shape)) for _ in range(3)]


@st.composite
def sparse_steps(draw: Any) -> tuple[Any, list[Any]]:
    """A starting table and three gradients as (rows, indices)."""
    shape = draw(tables)
    steps = []
    for _ in range(3):
        indices = draw(index_patterns(shape[0]))
        steps.append((draw(arrays((len(indices), *shape[1:]))), np.array(indices, np.int64)))
    return draw(arrays(shape)), steps


def index_patterns(rows: int) -> Any:
    """One of the named patterns, or any mixture."""
    fixed = st.sampled_from([pattern(name, rows) for name in PATTERNS])
    return fixed | st.lists(st.integers(0, rows - 1), max_size=6)


def pattern(name: str, rows: int) -> list[int]:
    every = list(range(rows))
    twice = every[: rows // 2] * 2
    return dict(zip(PATTERNS, ([], every, every[::-1], [rows - 1] * 4, twice), strict=True))[name]


def gradient_of(step: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(step, tuple):
        return tf.IndexedSlices(tf.constant(step[0]), tf.constant(step[1]), tf.constant(shape, tf.int64))
    return tf.constant(step, tf.float64)


def expected(optimizer: Any, start: Any, steps: list[Any]) -> Any:
    """What NumPy makes of the steps, or None if float64 cannot answer to nine digits."""
    values = []
    with np.errstate(all="ignore"):
        for precision in (np.float64, np.longdouble):
            rule = Transcription(optimizer, {"w": precision(start)})
            for step in steps:
                rule.apply({"w": (precision(step[0]), step[1]) if isinstance(step, tuple) else precision(step)})
            values.append(np.float64(rule.value("w")))
    precise = np.all(np.isfinite(values[0])) and np.allclose(*values, rtol=1e-9, atol=1e-9)
    return values[0] if precise else None


@every_class
@quick
@given(data=st.data(), problem=dense_steps())
def test_dense_steps_follow_the_rule(kind, data, problem):
    assert_a_drawn_rule_is_followed(kind, data, *problem)


def assert_a_drawn_rule_is_followed(kind: str, data: Any, start: Any, steps: list[Any]) -> None:
    optimizer = getattr(optreg.legacy, kind)(**data.draw(hyperparameters(kind)))
    wanted = expected(optimizer, start, steps)
    assume(wanted is not None)
    assert_steps_lead_to(wanted, optimizer, start, steps)


def assert_steps_lead_to(wanted: Any, optimizer: Any, start: Any, steps: list[Any]) -> None:
    weight = tf.Variable(start, dtype=tf.float64)
    for step in steps:
        optimizer.apply_gradients([(gradient_of(step, start.shape), weight)])
    np.testing.assert_allclose(weight, wanted, rtol=1e-7, atol=1e-7)
    assert int(optimizer.iterations) == len(steps)


@every_class
@quick
@given(data=st.data(), problem=sparse_steps())
def test_sparse_steps_follow_the_rule_on_the_rows_that_the_card_declares(kind, data, problem):
    assert_a_drawn_rule_is_followed(kind, data, *problem)


def random_array(random: Any, shape: tuple[int, ...]) -> Any:
    return np.array(random.integers(-64, 64, shape) / 16)


@every_class
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dense_steps_of_every_sort_of_shape_follow_the_rule(kind, shape):
    random = np.random.default_rng(7)
    start, *steps = (random_array(random, shape) for _ in range(3))
    optimizer = getattr(optreg.legacy, kind)()
    assert_steps_lead_to(expected(optimizer, start, steps), optimizer, start, steps)


@every_class
@pytest.mark.parametrize("shape", TABLES, ids=str)
def test_sparse_steps_of_every_pattern_follow_the_rule(kind, shape):
    random = np.random.default_rng(8)
    start, steps = random_array(random, shape), []
    for name in PATTERNS:
        indices = np.array(pattern(name, shape[0]), np.int64)
        steps.append((random_array(random, (len(indices), *shape[1:])), indices))
    optimizer = getattr(optreg.legacy, kind)()
    assert_steps_lead_to(expected(optimizer, start, steps), optimizer, start, steps)


def state(optimizer: Any, table: Any) -> dict[str, Any]:
    slots = {name: optimizer.get_slot(table, name).numpy() for name in optimizer.get_slot_names()}
    return {"weights": table.numpy(), **slots}


@every_class
@quick
@given(data=st.data(), problem=sparse_steps())
def test_a_sparse_step_moves_what_the_card_declares_and_nothing_else(kind, data, problem):
    start, (first, _, last) = problem
    options = data.draw(hyperparameters(kind))
    tables = [tf.Variable(start, dtype=tf.float64) for _ in range(2)]
    sparse, dense = (getattr(optreg.legacy, kind)(**options) for _ in range(2))
    summed = []
    for rows, indices in (first, last):
        summed.append(np.zeros(start.shape))
        np.add.at(summed[-1], indices, rows)
    for optimizer, table in zip((sparse, dense), tables, strict=True):
        optimizer.apply_gradients([(tf.constant(summed[0]), table)])
    before = state(sparse, tables[0])
    assume(all(np.all(np.isfinite(array)) for array in before.values()))
    sparse.apply_gradients([(gradient_of(last, start.shape), tables[0])])
    dense.apply_gradients([(tf.constant(summed[1]), tables[1])])

    mode = FAMILY[kind].declared.given(sparse.get_config()).sparse
    present = np.isin(np.arange(len(start)), last[1])
    after, as_dense = state(sparse, tables[0]), state(dense, tables[1])
    assert set(after) == set(as_dense)
    for name, values in after.items():
        np.testing.assert_allclose(values[present], as_dense[name][present], rtol=1e-6, atol=1e-6, err_msg=name)
        if mode == "exact" or (mode == "decaying" and name != "weights"):
            np.testing.assert_allclose(values[~present], as_dense[name][~present], rtol=1e-9, atol=1e-9, err_msg=name)
        else:
            assert mode in {"lazy", "decaying"}
            np.testing.assert_array_equal(values[~present], before[name][~present], err_msg=name)


def outside(declared: str) -> Any:
    """Numbers just and far outside a declared range, and NaN; for a flag what is no truth value."""
    if declared == "bool":
        return st.sampled_from([0.5, "yes", None, [True]])
    interval = Interval.parse(declared)
    edges = [edge for edge in (interval.low, interval.high) if math.isfinite(edge)]
    steps = st.sampled_from([0.0, -0.001, 0.001, -1.0, 1.0, -1e6, 1e6])
    beyond = st.sampled_from(edges).flatmap(lambda edge: steps.map(lambda step: edge + step))
    return beyond.filter(lambda number: number not in interval) | st.just(math.nan)


@every_class
@quick
@given(data=st.data())
def test_a_value_outside_the_declared_range_is_refused_and_changes_nothing(kind, data):
    ranges = FAMILY[kind].declared.ranges
    name = data.draw(st.sampled_from(sorted(ranges)))
    wrong = data.draw(outside(ranges[name]))
    cls = getattr(optreg.legacy, kind)
    errors = (InvalidHyperparameter, HyperparameterTypeError)
    with pytest.raises(errors, match=f"{kind}: {name} must be"):
        cls(**{name: wrong})

    optimizer, weight = cls(), tf.Variable([1.0, 2.0])
    if data.draw(st.booleans()):
        optimizer.apply_gradients([(tf.constant([0.5, -0.5]), weight)])
    config, weights, value = optimizer.get_config(), optimizer.get_weights(), weight.numpy()
    with pytest.raises(errors, match=f"{kind}: {name} must be"):
        setattr(optimizer, name, wrong)
    assert optimizer.get_config() == config
    assert [np.array_equal(now, old) for now, old in zip(optimizer.get_weights(), weights, strict=True)].count(
        False
    ) == 0
    np.testing.assert_array_equal(weight, value)
    optimizer.apply_gradients([(tf.constant([0.5, -0.5]), weight)])
    assert np.all(np.isfinite(weight))
