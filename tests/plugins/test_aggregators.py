"""The registered aggregators against NumPy, on two, three and four replicas."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tests.plugins import aggregated

import optreg
from optreg.isolation import run_isolated
from optreg_aggregators.adasum import Adasum
from optreg_aggregators.trimmed_mean import TrimmedMean

AGGREGATORS = (
    ["sum"],
    ["mean"],
    ["median"],
    ["trimmed_mean", {"trim": 0.25}],
    ["trimmed_mean", {"trim": 0.4}],
    ["adasum"],
)
RUNS = [[aggregator, graph] for aggregator in AGGREGATORS for graph in (False, True)]


def trimmed_mean(stack, trim):
    left_out = int(np.floor(trim * len(stack)))
    return np.sort(stack, axis=0)[left_out : len(stack) - left_out].mean(axis=0)


def adasum(stack):
    """Equation 7 of the paper for two gradients, in a tree; one left over goes up a level."""

    def add(a, b):
        dot = np.sum(a * b)
        share = lambda g: 1.0 - (dot / (2.0 * np.sum(g * g)) if g.any() else 0.0)  # noqa: E731
        return share(a) * a + share(b) * b

    level = list(stack)
    while len(level) > 1:
        pairs = [level[first : first + 2] for first in range(0, len(level), 2)]
        level = [add(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


NUMPY = {
    "sum": lambda stack: stack.sum(axis=0),
    "mean": lambda stack: stack.mean(axis=0),
    "median": lambda stack: np.median(stack, axis=0),
    "trimmed_mean": trimmed_mean,
    "adasum": adasum,
}


@pytest.fixture(scope="module", params=[2, 3, 4])
def moves(request):
    """Replicas and what each aggregator did to every copy; more than two devices need a process of their own."""
    job = {"replicas": request.param, "runs": RUNS}
    if request.param == 2:
        return 2, aggregated.run(job)
    outcome = run_isolated("tests.plugins.aggregated:run", job, timeout=240.0)
    assert outcome.status == "finished", outcome.reason + outcome.stderr
    return request.param, outcome.value


@pytest.mark.parametrize(("aggregator", "graph"), RUNS, ids=str)
def test_every_copy_moves_by_what_numpy_makes_of_the_gradients(moves, aggregator, graph):
    replicas, found = moves
    name, arguments = aggregator[0], (aggregator[1] if len(aggregator) > 1 else {})
    for variable, stack in aggregated.gradients_of(replicas).items():
        copies = found[f"{aggregator} {graph}"][variable]
        assert len(copies) == replicas
        assert all(copy == copies[0] for copy in copies)  # to the bit
        np.testing.assert_allclose(copies[0], NUMPY[name](stack, **arguments), rtol=1e-12, atol=1e-14)


def test_adasum_adds_orthogonal_gradients_and_averages_parallel_ones():
    np.testing.assert_allclose(adasum(np.array([[1.0, 0.0], [0.0, 3.0]])), [1.0, 3.0])
    np.testing.assert_allclose(adasum(np.array([[2.0, 0.0], [2.0, 0.0]])), [2.0, 0.0])


@pytest.mark.parametrize("size", [1e-25, 1e20])
def test_adasum_averages_equal_gradients_of_any_size(size):
    combined = Adasum().combine(tf.constant([[size, -size], [size, -size], [size, -size]]))
    np.testing.assert_allclose(combined.numpy(), np.array([size, -size], np.float32), rtol=1e-5)


def test_the_share_that_is_trimmed_is_rounded_as_on_paper():
    stack = np.arange(100.0)[:, None] ** 3
    np.testing.assert_allclose(TrimmedMean(0.29).combine(tf.constant(stack)).numpy(), stack[29:71].mean(axis=0))


@pytest.fixture
def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


def sparse_moves(strategy, aggregator):
    with strategy.scope():
        table = tf.Variable(tf.zeros((5, 2), tf.float64), name="table")
        optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_aggregator=aggregator)

    def step():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        rows = tf.gather(tf.constant([[0, 3, 0], [3, 4, 4]]), number)
        values = tf.cast(tf.reshape(tf.range(6) + 6 * number, (3, 2)), tf.float64)
        optimizer.apply_gradients([(tf.IndexedSlices(values, rows, tf.constant((5, 2))), table)])

    return table, optimizer, lambda: strategy.run(step)


@pytest.mark.parametrize(("aggregator", "factor"), [("sum", 1.0), ("mean", 0.5)])
def test_sum_and_mean_take_sparse_gradients(mirrored, aggregator, factor):
    table, _, run = sparse_moves(mirrored, aggregator)
    run()
    expected = np.zeros((5, 2))
    np.add.at(expected, [0, 3, 0, 3, 4, 4], np.arange(12.0).reshape(6, 2))
    for copy in table.values:
        np.testing.assert_allclose(-copy.numpy(), factor * expected, rtol=1e-14)


@pytest.mark.parametrize("aggregator", ["median", "trimmed_mean", "adasum"])
def test_the_others_refuse_them_and_leave_everything_as_it_was(mirrored, aggregator):
    table, optimizer, run = sparse_moves(mirrored, aggregator)
    with pytest.raises(optreg.InvalidGradients, match="cannot combine sparse gradients, as that of 'table'.* 'sum' or"):
        run()
    assert not table.numpy().any()
    assert optimizer.iterations.numpy() == 0


@pytest.mark.parametrize("aggregator", ["sum", "mean", "median", "trimmed_mean", "adasum"])
def test_one_replica_has_nothing_to_combine(aggregator):
    alone = tf.distribute.get_strategy()  # the default one
    for strategy in (alone, tf.distribute.OneDeviceStrategy("CPU:0")):
        with strategy.scope():
            variable = tf.Variable([1.0, 2.0])
            optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_aggregator=aggregator)
        pairs = [(tf.constant([0.5, 0.25]), variable)]
        strategy.run(lambda optimizer=optimizer, pairs=pairs: optimizer.apply_gradients(pairs))
        np.testing.assert_array_equal(variable.numpy(), [0.5, 1.75])


def test_a_strategy_that_hands_out_no_single_gradients_is_told(monkeypatch, mirrored):
    def refuses(self, value, axis, options=None):
        raise NotImplementedError("all_gather is not there")

    monkeypatch.setattr(tf.distribute.ReplicaContext, "all_gather", refuses)
    with mirrored.scope():
        variable = tf.Variable([1.0])
        optimizer = optreg.get_optimizer("sgd", gradient_aggregator="median")
    with pytest.raises(optreg.WrongContext, match="Median needs the gradient of every replica, which MirroredStrategy"):
        mirrored.run(lambda: optimizer.apply_gradients([(tf.constant([1.0]), variable)]))
    assert variable.numpy() == [1.0]


def test_transformers_follow_the_aggregator(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0])
        optimizer = optreg.get_optimizer(
            "sgd",
            learning_rate=1.0,
            gradient_aggregator="median",
            gradient_transformers=[("clip_by_value", {"limit": 1.5})],
        )

    def step():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        optimizer.apply_gradients([(tf.gather(tf.constant([[-4.0], [8.0]]), number), variable)])

    mirrored.run(step)
    assert variable.numpy() == [-1.5]  # the median 2 clipped; clipped first it would be 0


@pytest.mark.parametrize("trim", [0.5, -0.1, "much"])
def test_a_share_that_leaves_nothing_is_refused(trim):
    with pytest.raises(
        (optreg.InvalidHyperparameter, optreg.HyperparameterTypeError), match="TrimmedMean: trim must be"
    ):
        optreg.get_optimizer("sgd", gradient_aggregator=("trimmed_mean", {"trim": trim}))
