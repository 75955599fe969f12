from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize, rosen

import optreg
from optreg.bench.landscapes.descent import TARGETS, Descent, descend, tune
from optreg.bench.landscapes.expedition import UnknownLandscape, select_landscapes
from optreg.bench.landscapes.functions import LANDSCAPES, Landscape, starts
from optreg.bench.quality.rates import Rates

EACH = [pytest.param(landscape, id=landscape.name) for landscape in LANDSCAPES]
BY_NAME = {landscape.name: landscape for landscape in LANDSCAPES}


def value(landscape: Landscape, point: np.ndarray) -> float:
    return float(landscape.value(tf.constant(point[None]))[0])


@pytest.mark.parametrize("landscape", EACH)
def test_the_minimum_is_where_the_table_says(landscape: Landscape) -> None:
    point = np.array(landscape.minimiser)
    assert value(landscape, point) == pytest.approx(landscape.minimum, abs=1e-11)
    nearby = point + 1e-3 * np.random.default_rng(0).normal(size=(50, landscape.dimensions))
    assert landscape.value(tf.constant(nearby)).numpy().min() > landscape.minimum


@pytest.mark.parametrize("landscape", EACH)
def test_scipy_finds_nothing_lower_from_any_start(landscape: Landscape) -> None:
    def value_and_gradient(point: np.ndarray) -> tuple[float, np.ndarray]:
        points = tf.constant(point[None])
        with tf.GradientTape() as tape:
            tape.watch(points)
            values = landscape.value(points)
        return float(values[0]), tape.gradient(values, points)[0].numpy()

    for start in starts(landscape, 4):
        found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B")
        assert found.fun > landscape.minimum - 1e-9


def test_rosenbrock_is_that_of_scipy() -> None:
    for name in ("rosenbrock", "rosenbrock-10", "rosenbrock-100"):
        for start in starts(BY_NAME[name], 3):
            assert value(BY_NAME[name], start) == pytest.approx(rosen(start))


@pytest.mark.parametrize("landscape", EACH)
def test_sixteen_starts_are_fixed_apart_and_inside_the_box(landscape: Landscape) -> None:
    points = starts(landscape)
    assert points.shape == (16, landscape.dimensions)
    np.testing.assert_array_equal(points, starts(landscape))
    assert landscape.box[0] <= points.min() < points.max() <= landscape.box[1]
    assert len({tuple(point) for point in points}) == 16


BOWL = Landscape("bowl", "", 2, lambda x: tf.reduce_sum(x**2, axis=1) / 2, (1.0, 1.0), 0.0, (0.0, 0.0))


def test_steps_to_each_target_are_those_of_the_formula() -> None:
    # By hand: from (1, 1) with rate 1/2 the value after k steps is 4 ** -k; 4 ** -k <= 1e-2 first at k = 4.
    record = Descent("sgd", "optreg", "bowl", "default", starts=3, steps=30)
    descend(lambda: optreg.get_optimizer("sgd", learning_rate=0.5), BOWL, record)
    by_target = dict(zip(TARGETS, record.steps_to, strict=True))
    assert [by_target[target][0] for target in (10.0, 1.0, 1e-1, 1e-2, 1e-8)] == [0, 0, 2, 4, 14]
    assert record.solved == 1
    assert [rung.expected for rung in record.ladder][:4] == [0, 0, 2, 4]
    assert record.final == pytest.approx([4.0**-30] * 3)
    assert record.paths[0][:3] == [(1.0, 1.0), (0.5, 0.5), (0.25, 0.25)]


def test_misses_cost_all_their_steps() -> None:
    record = Descent("sgd", "optreg", "bowl", "default", starts=2, steps=10)
    record.steps_to = [[4, None]] + [[None, None]] * (len(TARGETS) - 1)
    assert record.ladder[0].expected == 14
    assert record.ladder[1].expected is None
    assert record.solved == pytest.approx(1 / 20)


def test_the_search_finds_the_rate_that_solves_the_bowl_at_once() -> None:
    record = Descent("sgd", "optreg", "bowl", "tuned", starts=2, steps=20)
    tune(lambda rate: optreg.get_optimizer("sgd", learning_rate=rate), BOWL, record, plan=Rates(trials=6))
    assert (record.learning_rate, record.rates_tried, record.steps_spent) == (1.0, 6, 120)
    assert record.steps_to[-1] == [1, 1]


def test_a_start_that_flies_off_keeps_what_it_had_reached() -> None:
    record = Descent("sgd", "optreg", "bowl", "default", starts=1, steps=800)
    descend(lambda: optreg.get_optimizer("sgd", learning_rate=4.0), BOWL, record)
    assert record.state.name == "diverged"
    assert record.steps_to[1] == [0]
    assert record.steps_to[2] == [None]


def test_starts_do_not_disturb_each_other() -> None:
    together = Descent("adam", "optreg", "rosenbrock", "default", starts=4, steps=30)
    descend(lambda: optreg.get_optimizer("adam"), BY_NAME["rosenbrock"], together)
    alone = Descent("adam", "optreg", "rosenbrock", "default", starts=1, steps=30)
    descend(lambda: optreg.get_optimizer("adam"), BY_NAME["rosenbrock"], alone)
    assert together.paths[0] == alone.paths[0]


def test_what_an_optimizer_raises_becomes_its_state() -> None:
    record = Descent("x", "optreg", "bowl", "default", starts=1, steps=3)
    descend(lambda: 1 / 0, BOWL, record)
    assert (record.state.name, record.state.reason) == ("failed", "ZeroDivisionError: division by zero")


def test_an_unknown_function_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownLandscape, match="Did you mean 'rastrigin'"):
        select_landscapes(["rastrigen"], all_by_default=False)
    assert len(select_landscapes((), all_by_default=True)) == len(LANDSCAPES) > 20
