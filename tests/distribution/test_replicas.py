"""One step over several replicas equals one step over the whole batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

from .replicas import GRADIENTS, copies, per_replica, run

BUILT_INS = optreg.list_optimizers(distribution="optreg")


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(0.1, momentum=0.9),
        lambda: SGD(0.1, clipnorm=0.5),
        lambda: SGD(0.1, global_clipnorm=0.5),
        lambda: SGD(0.1, clipvalue=0.5),
        lambda: SGD(0.1, gradient_transformers=[lambda pairs: [(g / tf.norm(g), v) for g, v in pairs]]),
    ],
    ids=["momentum", "clipnorm", "global_clipnorm", "clipvalue", "transformer"],
)
def test_two_replicas_equal_one_on_the_summed_gradient(mirrored, make):
    with mirrored.scope():
        distributed, optimizer = tf.Variable([1.0, 2.0]), make()
    assert_trained_as_one(mirrored, optimizer, distributed, make())


def test_the_optimizer_may_be_created_outside_the_scope(strategy):
    with strategy.scope():
        distributed = tf.Variable([1.0, 2.0])
    assert_trained_as_one(strategy, Adam(0.1, amsgrad=True), distributed, Adam(0.1, amsgrad=True))


def assert_trained_as_one(strategy, optimizer, distributed, alone):
    run(strategy, optimizer, distributed, GRADIENTS)
    single = tf.Variable([1.0, 2.0])
    for values in GRADIENTS:
        alone.apply_gradients([(tf.constant(np.sum(values, axis=0, dtype=np.float32)), single)])
    for copy in copies(strategy, distributed):
        np.testing.assert_allclose(copy, single, rtol=1e-6)
    assert optimizer.iterations.numpy() == 3


def train(strategy, optimizer, variables, steps):
    """Train a vector, a float16 vector and an embedding whose rows repeat within and across replicas."""
    weights, narrow, table = variables

    def replica(gradient, rows):
        sparse = tf.IndexedSlices(tf.reshape(tf.tile(gradient, [3]), (3, 2)), rows, tf.constant([5, 2]))
        optimizer.apply_gradients([(gradient, weights), (tf.cast(gradient, tf.float16), narrow), (sparse, table)])

    @tf.function
    def step(*arguments):
        strategy.run(replica, args=arguments)

    for gradients, rows in steps:
        step(per_replica(strategy, gradients), per_replica(strategy, rows))


def new_variables():
    return tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0], dtype=tf.float16), tf.Variable(tf.ones((5, 2)))


def state(strategy, optimizer, variables):
    """Return all values, copy by copy."""
    return [copies(strategy, value) for value in (*variables, *optimizer.weights)]


@pytest.mark.parametrize(
    ("strategy_name", "name"), [*(("mirrored", name) for name in BUILT_INS), ("central_storage", "nadam")]
)
def test_every_optimizer_equals_one_device_on_summed_gradients_bit_for_bit(request, strategy_name, name):
    two_replicas = request.getfixturevalue(strategy_name)
    rows = ([0, 2, 2], [2, 4, 0])
    with two_replicas.scope():
        variables, optimizer = new_variables(), optreg.get_optimizer(name, learning_rate=0.125)
    train(two_replicas, optimizer, variables, [(gradients, rows) for gradients in GRADIENTS])

    single, alone = new_variables(), optreg.get_optimizer(name, learning_rate=0.125)

    @tf.function
    def step(gradient, both):
        sparse = tf.IndexedSlices(tf.repeat(both, 3, axis=0), tf.concat(rows, axis=0), tf.constant([5, 2]))
        pairs = [(gradient, single[0]), (tf.cast(gradient, tf.float16), single[1]), (sparse, single[2])]
        alone.apply_gradients(pairs)

    for gradients in GRADIENTS:
        step(tf.constant(np.sum(gradients, axis=0, dtype=np.float32)), tf.constant(gradients))

    expected = [value.numpy() for value in (*single, *alone.weights)]
    for values, reference in zip(state(two_replicas, optimizer, variables), expected, strict=True):
        for value in values:
            np.testing.assert_array_equal(value, reference)
    assert not np.array_equal(expected[0], [1.0, 2.0])


@pytest.mark.parametrize("eager", [True, False])
def test_a_step_is_the_same_under_every_strategy_eagerly_and_in_a_function(strategy, eager):
    with strategy.scope():
        variable = tf.Variable([1.0, 2.0])
        optimizer = Adam(0.5, clipnorm=1.0)

    def step(gradient):
        def replica(gradient):
            optimizer.apply_gradients([(gradient, variable)])

        strategy.run(replica, args=(gradient,))

    step = step if eager else tf.function(step)
    for values in GRADIENTS:
        step(per_replica(strategy, values))

    single, alone = tf.Variable([1.0, 2.0]), tf_keras.optimizers.legacy.Adam(0.5, clipnorm=1.0)
    for values in GRADIENTS:
        alone.apply_gradients([(tf.constant(np.sum(values, axis=0, dtype=np.float32)), single)])
    for copy in copies(strategy, variable):
        np.testing.assert_allclose(copy, single, rtol=1e-6)
    assert optimizer.iterations.numpy() == 3


def test_clipping_comes_after_the_sum_where_keras_3_clips_each_replica(mirrored):
    both = ([3.0, 0.0], [0.0, 4.0])  # the sum has norm 5
    with mirrored.scope():
        ours, theirs = tf.Variable([0.0, 0.0]), keras.Variable([0.0, 0.0])
        optimizer, keras_optimizer = SGD(1.0, clipnorm=1.0), keras.optimizers.SGD(1.0, clipnorm=1.0)
    run(mirrored, optimizer, ours, [both])
    run(mirrored, keras_optimizer, theirs, [both])
    for copy in copies(mirrored, ours):
        np.testing.assert_allclose(copy, [-0.6, -0.8], rtol=1e-6)
    for copy in copies(mirrored, theirs.value):
        np.testing.assert_allclose(copy, [-1.0, -1.0], rtol=1e-6)


def test_sparse_gradients_are_summed_over_replicas(two_replicas):
    with two_replicas.scope():
        table = tf.Variable(tf.zeros((4, 1)))
        optimizer = SGD(1.0, momentum=0.5)

    @tf.function
    def step(indices):
        def replica(indices):
            gradient = tf.IndexedSlices(tf.ones((2, 1)), indices, tf.constant([4, 1]))
            optimizer.apply_gradients([(gradient, table)])

        two_replicas.run(replica, args=(indices,))

    step(per_replica(two_replicas, ([0, 1], [1, 1])))
    for copy in copies(two_replicas, table):
        np.testing.assert_array_equal(copy[:, 0], [-1.0, -3.0, 0.0, 0.0])


def test_sparse_gradients_written_by_hand_need_neither_dense_shape_nor_tensors(two_replicas):
    with two_replicas.scope():
        table = tf.Variable(tf.zeros((3, 1)))
        optimizer = SGD(1.0)
    two_replicas.run(lambda: optimizer.apply_gradients([(tf.IndexedSlices(tf.ones((2, 1)), [0, 2]), table)]))
    for copy in copies(two_replicas, table):
        np.testing.assert_array_equal(copy[:, 0], [-2.0, 0.0, -2.0])


@pytest.mark.parametrize("eager", [True, False])
def test_a_tensor_that_all_replicas_share_is_summed_too(two_replicas, eager):
    with two_replicas.scope():
        variable, table = tf.Variable([0.0, 0.0]), tf.Variable(tf.zeros((3, 1)))
        optimizer = SGD(1.0)
    shared, rows = tf.constant([1.0, 2.0]), tf.IndexedSlices(tf.ones((1, 1)), tf.constant([1]), tf.constant([3, 1]))

    def step():
        two_replicas.run(replica)

    def replica():
        optimizer.apply_gradients([(shared, variable), (rows, table)])

    (step if eager else tf.function(step))()
    for copy in copies(two_replicas, variable):
        np.testing.assert_array_equal(copy, [-2.0, -4.0])
    for copy in copies(two_replicas, table):
        np.testing.assert_array_equal(copy[:, 0], [0.0, -2.0, 0.0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "complex64"])
def test_gradients_of_every_dtype_are_summed(two_replicas, dtype):
    with two_replicas.scope():
        variable = tf.Variable(tf.zeros(2, dtype))
        optimizer = SGD(1.0)
    gradients = per_replica(two_replicas, GRADIENTS[0])
    two_replicas.run(lambda g: optimizer.apply_gradients([(tf.cast(g, dtype), variable)]), args=(gradients,))
    for copy in copies(two_replicas, variable):
        np.testing.assert_array_equal(copy.astype(np.complex64), [-4.0, -2.5])


@pytest.mark.parametrize("eager", [True, False])
def test_gradients_already_summed_are_not_summed_again(strategy, eager):
    with strategy.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0)
    summed = tf.constant([1.0, 2.0])

    def step():
        strategy.run(replica)

    def replica():
        optimizer.apply_gradients([(summed, variable)], experimental_aggregate_gradients=False)

    (step if eager else tf.function(step))()
    for copy in copies(strategy, variable):
        np.testing.assert_array_equal(copy, [-1.0, -2.0])
    assert optimizer.iterations.numpy() == 1


def test_an_aggregator_of_the_user_replaces_the_sum_and_is_called_once_a_step_in_each_replica(mirrored):
    calls = []

    def mean(pairs):
        context = tf.distribute.get_replica_context()
        calls.append((context.replica_id_in_sync_group, len(pairs)))
        return [(context.all_reduce(tf.distribute.ReduceOp.MEAN, gradient), variable) for gradient, variable in pairs]

    with mirrored.scope():
        first, second = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0, gradient_aggregator=mean, clipnorm=1.0)

    def replica(gradient):
        optimizer.apply_gradients([(gradient, first), (gradient, second)])

    for step in (1, 2):
        mirrored.run(replica, args=(per_replica(mirrored, ([6.0, 0.0], [0.0, 8.0])),))
        assert sorted(calls) == sorted([(0, 2), (1, 2)] * step)
    # The mean [3, 4] is clipped after the aggregator.
    np.testing.assert_allclose(copies(mirrored, first)[0], [-1.2, -1.6], rtol=1e-6)
    optimizer_without = SGD(1.0, gradient_aggregator=mean)
    optimizer_without.build([first])
    mirrored.run(
        lambda: optimizer_without.apply_gradients([(tf.ones(2), first)], experimental_aggregate_gradients=False)
    )
    assert len(calls) == 4


@pytest.mark.parametrize("inside_function", [True, False])
def test_minimize_trains_in_replicas(strategy, inside_function):
    with strategy.scope():
        variable = tf.Variable([4.0, 8.0])
        optimizer = SGD(0.25)

    def step():
        strategy.run(replica)

    def replica():
        optimizer.minimize(lambda: tf.reduce_sum(variable**2) / 2 / strategy.num_replicas_in_sync, [variable])

    (tf.function(step) if inside_function else step)()
    for copy in copies(strategy, variable):
        np.testing.assert_array_equal(copy, [3.0, 6.0])


def test_the_gradients_of_a_real_batch_give_the_numbers_of_one_device(mirrored, random):
    features = random.normal(size=(3, 8, 4)).astype(np.float32)
    targets = random.normal(size=(3, 8)).astype(np.float32)

    def squared_error(weights, rows, values):
        return tf.reduce_sum((tf.linalg.matvec(rows, weights) - values) ** 2) / 8

    with mirrored.scope():
        weights, optimizer = tf.Variable(tf.zeros(4)), Adam(0.1, clipnorm=0.5)
    data = tf.data.Dataset.from_tensor_slices((features.reshape(24, 4), targets.reshape(24))).batch(8)

    def replica(rows, values):
        optimizer.minimize(lambda: squared_error(weights, rows, values), [weights])

    @tf.function
    def step(batch):
        mirrored.run(replica, args=batch)

    for batch in mirrored.experimental_distribute_dataset(data):
        step(batch)

    def trained_alone(**clipping):
        single, alone = tf.Variable(tf.zeros(4)), tf_keras.optimizers.legacy.Adam(0.1, **clipping)
        for rows, values in zip(features, targets, strict=True):
            alone.minimize(lambda rows=rows, values=values: squared_error(single, rows, values), [single])
        return single.numpy()

    expected = trained_alone(clipnorm=0.5)
    for copy in copies(mirrored, weights):
        np.testing.assert_allclose(copy, expected, rtol=1e-5)
    assert np.all(np.abs(expected / trained_alone() - 1.0) > 1e-3)  # so clipping had its part
