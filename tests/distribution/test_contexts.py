"""A step where it cannot be right is refused with the next thing to do, and nothing has changed."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import tensorflow as tf

from optreg.errors import OptregError, WrongContext
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

from .replicas import copies

GRADIENT = [1.0, 1.0]


@pytest.fixture(params=["Adam", "SGD"])
def make(request):
    """One optimizer with slots and one without."""
    return {"Adam": Adam, "SGD": SGD}[request.param]


@contextmanager
def refused(optimizer, *variables, match):
    """Expect a refusal that leaves the optimizer and the variables as they were."""
    weights = len(optimizer.weights)
    before = [value.numpy() for value in (*variables, *optimizer.weights)]
    with pytest.raises(WrongContext, match=match):
        yield
    after = [value.numpy() for value in (*variables, *optimizer.weights)]
    assert len(optimizer.weights) == weights
    for value, old in zip(after, before, strict=True):
        np.testing.assert_array_equal(value, old)


def new_variable(strategy, name="w"):
    with strategy.scope():
        return tf.Variable([0.0, 0.0], name=name)


@pytest.mark.parametrize("name", ["mirrored", "central_storage", "one_device"])
def test_a_step_under_the_scope_but_outside_run_is_refused(request, make, name):
    strategy = request.getfixturevalue(name)
    variable, optimizer = new_variable(strategy), make()
    with strategy.scope(), refused(optimizer, variable, match="cross-replica context. Call it in the function given"):
        optimizer.apply_gradients([(tf.constant(GRADIENT), variable)])


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("eager", [True, False])
def test_a_step_outside_run_would_update_the_first_copy_only_and_is_refused(mirrored, make, built, eager):
    variable, optimizer = new_variable(mirrored), make()
    if built:
        optimizer.build([variable])

    def step():
        optimizer.apply_gradients([(tf.constant(GRADIENT), variable)])

    with refused(optimizer, variable, match="variable 'w' has a copy in each replica of a MirroredStrategy"):
        (step if eager else tf.function(step))()


def test_a_single_copy_may_be_updated_outside_run(one_device, central_storage):
    only_copy = tf.distribute.MirroredStrategy(["CPU:0"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    for strategy in (one_device, central_storage, only_copy):
        variable, optimizer = new_variable(strategy), Adam(0.5)
        optimizer.apply_gradients([(tf.constant([1.0, -1.0]), variable)])
        np.testing.assert_allclose(copies(strategy, variable)[0], [-0.5, 0.5], rtol=1e-5)


@pytest.mark.parametrize("eager", [True, False])
def test_a_function_inside_run_is_refused(mirrored, make, eager):
    variable, optimizer = new_variable(mirrored), make()

    @tf.function
    def inner():
        optimizer.apply_gradients([(tf.constant(GRADIENT), variable)])

    def step():
        mirrored.run(lambda: inner())  # noqa: PLW0108 - TensorFlow unwraps a tf.function given to run itself

    with refused(optimizer, variable, match="Put the tf.function around strategy.run"):
        (step if eager else tf.function(step))()


def test_a_function_given_to_run_itself_makes_its_step(mirrored, make):
    variable, optimizer = new_variable(mirrored), make()

    @tf.function
    def replica():
        optimizer.apply_gradients([(tf.constant(GRADIENT), variable)])

    mirrored.run(replica)
    assert optimizer.iterations.numpy() == 1


@pytest.mark.parametrize(
    ("home", "other"),
    [
        ("default_strategy", "mirrored"),
        ("default_strategy", "central_storage"),
        ("default_strategy", "one_device"),
        ("mirrored", "central_storage"),
        ("mirrored", "one_device"),
        ("one_device", "mirrored"),
    ],
)
def test_variables_of_another_strategy_are_refused(request, make, home, other):
    home, other = request.getfixturevalue(home), request.getfixturevalue(other)
    variable, optimizer = new_variable(home, "foreign"), make()
    with refused(optimizer, variable, match=r"belongs to a \w+Strategy, and variable 'foreign' was created"):
        other.run(lambda: optimizer.apply_gradients([(tf.constant(GRADIENT), variable)]))


@pytest.mark.parametrize("built", [True, False])
def test_an_optimizer_created_under_another_strategy_is_refused(mirrored, one_device, make, built):
    with one_device.scope():
        own, optimizer = tf.Variable([0.0, 0.0]), make()
    if built:
        optimizer.build([own])
    variable = new_variable(mirrored)
    with refused(
        optimizer, variable, match="belongs to a OneDeviceStrategy, and variable 'w' .* of a MirroredStrategy"
    ):
        mirrored.run(lambda: optimizer.apply_gradients([(tf.constant(GRADIENT), variable)]))
    with refused(optimizer, variable, match="belongs to a OneDeviceStrategy and was called under a MirroredStrategy"):
        mirrored.run(lambda: optimizer.apply_gradients([(tf.constant(GRADIENT), own)]))
    with refused(optimizer, variable, match="same strategy.scope"):
        optimizer.build([variable])


def test_variables_of_two_strategies_in_one_step_are_refused(one_device, make):
    inside, outside, optimizer = new_variable(one_device, "inside"), tf.Variable([0.0, 0.0], name="outside"), make()
    pairs = [(tf.constant(GRADIENT), outside), (tf.constant(GRADIENT), inside)]
    for order in (pairs, pairs[::-1]):
        with refused(optimizer, inside, outside, match="was created"):
            optimizer.apply_gradients(order)


def test_a_variable_of_another_strategy_is_refused_by_build_and_add_slot(mirrored, make):
    variable, optimizer = tf.Variable(1.0, name="outside"), make()
    with mirrored.scope():
        with refused(optimizer, variable, match="variable 'outside' was created outside its scope"):
            optimizer.build([variable])
        with refused(optimizer, variable, match="variable 'outside' was created outside its scope"):
            optimizer.add_slot(variable, "m")


def test_an_optimizer_without_a_home_takes_that_of_its_first_variables(mirrored):
    variable, optimizer = new_variable(mirrored), Adam()
    optimizer.build([variable])
    assert len(copies(mirrored, optimizer.iterations)) == 2
    assert len(copies(mirrored, optimizer.get_slot(variable, "m"))) == 2
    with pytest.raises(OptregError, match="belongs to a MirroredStrategy"):
        optimizer.build([tf.Variable(1.0)])
