"""One step over two logical devices equals one step over the whole batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from optreg.errors import WrongContext
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD


@pytest.fixture(scope="module")
def mirrored():
    # Collectives of several strategies in one process get in each other's way.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())


def per_replica(strategy, values):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(values[context.replica_id_in_sync_group])
    )


def replica_values(strategy, variable):
    return [copy.numpy() for copy in strategy.experimental_local_results(variable)]


def run(strategy, optimizer, variable, gradients, **options):
    @tf.function
    def step(gradient):
        strategy.run(lambda g: optimizer.apply_gradients([(g, variable)], **options) and None, args=(gradient,))

    for values in gradients:
        step(per_replica(strategy, values))


GRADIENTS = [([1.0, 2.0], [3.0, 0.5]), ([0.25, -1.0], [1.0, 1.0]), ([2.0, 2.0], [-1.0, 0.0])]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(0.1, momentum=0.9),
        lambda: Adam(0.1, amsgrad=True),
        lambda: SGD(0.1, clipnorm=0.5),
        lambda: SGD(0.1, global_clipnorm=0.5),
        lambda: SGD(0.1, clipvalue=0.5),
        lambda: SGD(0.1, gradient_transformers=[lambda pairs: [(g / tf.norm(g), v) for g, v in pairs]]),
    ],
    ids=["sgd", "adam", "clipnorm", "global_clipnorm", "clipvalue", "transformer"],
)
@pytest.mark.parametrize("inside_scope", [True, False])
def test_two_replicas_equal_one_on_the_summed_gradient(mirrored, make, inside_scope):
    with mirrored.scope():
        distributed = tf.Variable([1.0, 2.0])
        optimizer = make() if inside_scope else None
    optimizer = optimizer or make()
    run(mirrored, optimizer, distributed, GRADIENTS)

    single, alone = tf.Variable([1.0, 2.0]), make()
    for values in GRADIENTS:
        alone.apply_gradients([(tf.constant(np.sum(values, axis=0, dtype=np.float32)), single)])

    first, second = replica_values(mirrored, distributed)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, single, rtol=1e-6)
    assert optimizer.iterations.numpy() == 3


def test_sparse_gradients_are_summed_over_replicas(mirrored):
    with mirrored.scope():
        table = tf.Variable(tf.zeros((4, 1)))
        optimizer = SGD(1.0, momentum=0.5)
    rows = per_replica(mirrored, ([0, 1], [1, 1]))

    @tf.function
    def step(indices):
        def replica(indices):
            gradient = tf.IndexedSlices(tf.ones((2, 1)), indices, tf.constant([4, 1]))
            optimizer.apply_gradients([(gradient, table)])

        mirrored.run(replica, args=(indices,))

    step(rows)
    for copy in replica_values(mirrored, table):
        np.testing.assert_array_equal(copy[:, 0], [-1.0, -3.0, 0.0, 0.0])


def test_gradients_already_summed_are_not_summed_again(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0)
    same = [([1.0, 2.0], [1.0, 2.0])]
    run(mirrored, optimizer, variable, same, experimental_aggregate_gradients=False)
    for copy in replica_values(mirrored, variable):
        np.testing.assert_array_equal(copy, [-1.0, -2.0])


def test_an_aggregator_of_the_user_replaces_the_sum(mirrored):
    def mean(pairs):
        context = tf.distribute.get_replica_context()
        return [(context.all_reduce(tf.distribute.ReduceOp.MEAN, gradient), variable) for gradient, variable in pairs]

    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0, gradient_aggregator=mean)
    run(mirrored, optimizer, variable, GRADIENTS[:1])
    np.testing.assert_array_equal(replica_values(mirrored, variable)[0], [-2.0, -1.25])


def test_a_plugin_is_called_for_every_copy(mirrored):
    import optreg

    class Doubling:
        @optreg.hookimpl
        def apply_dense(self, grad, var):
            var.assign_sub(2.0 * grad)
            return True

    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0, plugins=[Doubling()])
    run(mirrored, optimizer, variable, GRADIENTS[:1])
    for copy in replica_values(mirrored, variable):
        np.testing.assert_array_equal(copy, [-8.0, -5.0])


def test_a_changed_learning_rate_reaches_every_replica(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0)
    run(mirrored, optimizer, variable, GRADIENTS[:1])
    optimizer.learning_rate = 0.0
    run(mirrored, optimizer, variable, GRADIENTS[1:])
    for copy in replica_values(mirrored, variable):
        np.testing.assert_array_equal(copy, [-4.0, -2.5])


def test_slots_are_placed_with_their_variables(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = Adam()
        optimizer.build([variable])
    slot = optimizer.get_slot(variable, "m")
    assert [copy.device for copy in mirrored.experimental_local_results(slot)] == [
        copy.device for copy in mirrored.experimental_local_results(variable)
    ]


def test_the_step_works_in_an_eager_strategy_run(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0)
    for values in GRADIENTS[:1]:
        mirrored.run(lambda g: optimizer.apply_gradients([(g, variable)]), args=(per_replica(mirrored, values),))
    np.testing.assert_array_equal(replica_values(mirrored, variable)[1], [-4.0, -2.5])
    assert optimizer.iterations.numpy() == 1


def test_a_variable_of_another_strategy_is_refused(mirrored):
    variable = tf.Variable(1.0, name="outside")
    with (
        mirrored.scope(),
        pytest.raises(WrongContext, match="variable 'outside' was not created in the scope of the active"),
    ):
        Adam().build([variable])


def test_one_device_strategy():
    strategy = tf.distribute.OneDeviceStrategy("CPU:1")
    with strategy.scope():
        variable = tf.Variable([0.0, 0.0])
        optimizer = Adam(0.5)
    strategy.run(lambda: optimizer.apply_gradients([(tf.constant([1.0, -1.0]), variable)]))
    np.testing.assert_allclose(variable, [-0.5, 0.5], rtol=1e-5)


@pytest.mark.parametrize("eager", [False, True])
def test_a_fused_kernel_is_offered_the_copies_of_each_replica(mirrored, eager):
    import optreg

    class TakesFirst:
        @optreg.hookimpl
        def apply_updates(self, optimizer, grads_and_vars):
            (gradient, variable), *rest = grads_and_vars
            return [variable.assign_sub(10.0 * gradient + optimizer.get_slot(variable, "momentum"))], rest

    with mirrored.scope():
        first, second = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])
        optimizer = SGD(1.0, momentum=0.5, plugins=[TakesFirst()])

    def step(gradient):
        mirrored.run(lambda g: optimizer.apply_gradients([(g, first), (g, second)]) and None, args=(gradient,))

    (step if eager else tf.function(step))(per_replica(mirrored, GRADIENTS[0]))
    for copy in replica_values(mirrored, first):
        np.testing.assert_array_equal(copy, [-40.0, -25.0])
    for copy in replica_values(mirrored, second):
        np.testing.assert_array_equal(copy, [-4.0, -2.5])
    assert optimizer.iterations.numpy() == 1
