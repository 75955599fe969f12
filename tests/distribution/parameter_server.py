"""A cluster with parameter servers, run by test_parameter_server.py.

``parameter_server.py worker FOLDER`` is a worker alone, which waits to be killed. ``parameter_server.py coordinator
FOLDER`` holds two parameter servers, the other worker and the coordinator, and makes the checks.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import pytest
import tensorflow as tf
from checks import report

import optreg

IDS = [0, 3, 3]
START = np.arange(10, dtype=np.float32).reshape(5, 2) / 8


def cluster_of(folder):
    return tf.train.ClusterSpec(json.loads((folder / "cluster.json").read_text()))


def serve(cluster, job, index):
    return tf.distribute.Server(cluster, job_name=job, task_index=index, protocol="grpc")


class Model:
    """A table and a vector, both in parts where the strategy makes them."""

    def __init__(self, name, **arguments):
        self.table = tf.Variable(START, name="table")
        self.vector = tf.Variable([1.0, 2.0], name="vector")
        self.optimizer = optreg.get_optimizer(name, **{"learning_rate": 0.125, **arguments})
        self.checkpoint = tf.train.Checkpoint(table=self.table, vector=self.vector, optimizer=self.optimizer)

    @property
    def parts(self):
        return list(getattr(self.table, "variables", [self.table]))

    def loss(self):
        rows = tf.nn.embedding_lookup(self.table, IDS)
        return tf.reduce_sum(rows * self.vector) + tf.reduce_sum(self.vector**2) / 2

    def minimize(self):
        self.optimizer.minimize(self.loss, [self.table, self.vector])

    def values(self):
        """Return the variables and the slots as arrays, wholes where they are in parts."""
        slots = {
            f"{name} of {variable_name}": self.optimizer.get_slot(variable, name).numpy()
            for name in self.optimizer.get_slot_names()
            for variable_name, variable in (("table", self.table), ("vector", self.vector))
        }
        return {"table": self.table.numpy(), "vector": self.vector.numpy(), **slots}


def assert_same(values, expected):
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-6, err_msg=name)


class Checks:
    """What has to hold; the last check loses a worker."""

    def __init__(self, folder):
        cluster = cluster_of(folder)
        self.folder = folder
        self.servers = [serve(cluster, job, index) for job, index in (("ps", 0), ("ps", 1), ("worker", 0))]
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, rpc_layer="grpc")
        two_parts = tf.distribute.experimental.partitioners.FixedShardsPartitioner(2)
        self.strategy = tf.distribute.ParameterServerStrategy(resolver, variable_partitioner=two_parts)
        self.coordinator = tf.distribute.coordinator.ClusterCoordinator(self.strategy)

    def model(self, *arguments, **options):
        with self.strategy.scope():
            return Model(*arguments, **options)

    def on_a_worker(self, replica, times=1):
        """Run the function of a replica on a worker, so many times one after the other."""

        @tf.function
        def step():
            self.strategy.run(replica)

        for _ in range(times):
            self.coordinator.schedule(step)
            self.coordinator.join()

    def same_as_alone(self, name, **options):
        """Train with dense, sparse and partitioned gradients, and without a strategy."""
        model, alone = self.model(name, **options), Model(name, **options)
        assert len(model.parts) == 2
        self.on_a_worker(model.minimize, times=3)
        for _ in range(3):
            alone.minimize()
        assert_same(model.values(), alone.values())
        assert model.optimizer.iterations.numpy() == 3
        return model

    def check_steps_one_by_one_equal_a_run_without_strategy(self):
        for name in optreg.list_optimizers(distribution="optreg"):
            self.same_as_alone(name)
        self.same_as_alone("sgd", momentum=0.5, global_clipnorm=0.25)

    def check_slots_live_on_the_parameter_server_of_their_variable(self):
        model = self.same_as_alone("adagrad")
        assert len({part.device for part in model.parts}) == 2
        for variable in (*model.parts, *model.vector.variables):
            slot = model.optimizer.get_slot(variable, "accumulator")
            assert "/job:ps/" in slot.device
            assert slot.device == variable.device
        assert "/job:ps/" in model.optimizer.iterations.device

    def check_gradients_of_whole_and_parts_are_applied(self):
        model = self.model("sgd", learning_rate=1.0)
        sparse = tf.IndexedSlices(tf.ones((3, 2)), tf.constant(IDS), tf.constant([5, 2]))
        parts = [tf.ones(part.shape) for part in model.parts]
        apply = model.optimizer.apply_gradients

        def replica():
            apply([(tf.ones((5, 2)), model.table)])
            apply([(sparse, model.table)])
            apply(zip(parts, model.parts, strict=True), experimental_aggregate_gradients=False)

        self.on_a_worker(replica)
        expected = START - 2.0
        expected[0] -= 1.0
        expected[3] -= 2.0
        np.testing.assert_array_equal(model.table.numpy(), expected)
        assert model.optimizer.iterations.numpy() == 3

    def check_state_built_outside_the_scope_is_on_the_servers(self):
        with self.strategy.scope():
            table = tf.Variable(START)
        optimizer = optreg.get_optimizer("adam")
        optimizer.build([table])
        assert all("/job:ps/" in weight.device for weight in optimizer.weights)
        assert optimizer.get_slot(table, "m").shape == (5, 2)
        self.on_a_worker(lambda: optimizer.apply_gradients([(tf.ones((5, 2)), table)]))
        np.testing.assert_allclose(table.numpy(), START - 0.001, rtol=1e-4)

    def check_an_optimizer_created_in_a_step_outside_the_scope_works(self):
        with self.strategy.scope():
            vector = tf.Variable([0.0, 0.0])
        optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, momentum=0.5)
        self.on_a_worker(lambda: optimizer.apply_gradients([(tf.ones(2), vector)]))
        np.testing.assert_array_equal(vector.numpy(), [-1.0, -1.0])
        assert all("/job:ps/" in weight.device for weight in optimizer.weights)

    def check_a_learning_rate_changed_by_the_coordinator_reaches_the_workers(self):
        model = self.model("sgd", learning_rate=1.0)

        @tf.function
        def step():
            self.strategy.run(model.minimize)

        for rate in (0.125, 0.0):
            model.optimizer.learning_rate = rate
            before = model.vector.numpy()
            self.coordinator.schedule(step)
            self.coordinator.join()
            assert np.array_equal(model.vector.numpy(), before) == (rate == 0.0)

    def check_a_loss_scale_skips_what_overflows_and_unscales_the_rest(self):
        with self.strategy.scope():
            table = tf.Variable(START, name="scaled")
            optimizer = optreg.LossScaleOptimizer("sgd", initial_scale=4.0, dynamic_growth_steps=2)
            optimizer.learning_rate = 1.0
        scales = []
        for value in (1.0, float("nan"), 1.0, 1.0):

            def replica(value=value):
                # A table in two parts, of which the first alone overflows.
                gradient = tf.concat([tf.fill((1, 2), value), tf.ones((4, 2))], axis=0)
                pairs = [(optimizer.get_scaled_loss(tf.constant(1.0)) * gradient, table)]
                unscaled = optimizer.get_unscaled_gradients([pairs[0][0]])
                optimizer.apply_gradients([(unscaled[0], table)])

            self.on_a_worker(replica)
            scales.append(float(optimizer.loss_scale.numpy()))
        assert scales == [4.0, 2.0, 2.0, 4.0], scales
        assert optimizer.iterations.numpy() == 3
        np.testing.assert_array_equal(table.numpy(), START - 3.0)

    def check_clipping_by_norm_sees_a_table_in_parts_as_one(self):
        self.same_as_alone("sgd", clipnorm=0.25)
        self.same_as_alone("sgd", gradient_transformers=["normalize", ("l2", {"strength": 0.5})])
        self.same_as_alone("sgd", gradient_aggregator="median")

    def check_wrong_contexts_are_refused(self):
        model, outside = self.model("adam"), tf.Variable([1.0, 2.0], name="outside")
        with self.strategy.scope(), pytest.raises(optreg.WrongContext, match="cross-replica context"):
            model.optimizer.apply_gradients([(tf.ones(2), model.vector)])
        with pytest.raises(optreg.WrongContext, match="belongs to a ParameterServerStrategy, and variable 'outside'"):
            model.optimizer.build([outside])
        assert model.optimizer.weights == []

    def check_checkpoints_go_to_and_from_runs_without_strategy(self):
        alone = Model("nadam")
        alone.minimize()
        path = alone.checkpoint.save(self.folder / "alone")
        model = self.model("nadam", learning_rate=1.0)
        status = model.checkpoint.restore(path)
        self.on_a_worker(model.minimize)
        status.assert_consumed()
        path = model.checkpoint.save(self.folder / "partitioned")
        alone.minimize()
        assert_same(model.values(), alone.values())

        again = Model("nadam", learning_rate=1.0)
        status = again.checkpoint.restore(path)
        for continued in (again, alone):
            continued.minimize()
        status.assert_consumed()
        assert_same(again.values(), alone.values())

        built = self.model("nadam")
        built.optimizer.build([built.table, built.vector])
        built.checkpoint.restore(path).assert_consumed()
        self.on_a_worker(built.minimize)
        assert_same(built.values(), alone.values())

    def check_asynchronous_steps_are_all_counted(self):
        model = self.model("sgd", learning_rate=1.0)

        @tf.function
        def step():
            self.strategy.run(lambda: model.optimizer.apply_gradients([(tf.ones((5, 2)), model.table)]))

        for _ in range(20):
            self.coordinator.schedule(step)
        self.coordinator.join()
        np.testing.assert_array_equal(model.table.numpy(), START - 20.0)
        assert model.optimizer.iterations.numpy() == 20

    def check_the_steps_of_a_lost_worker_are_made_by_the_other(self):
        model = self.model("sgd", learning_rate=1.0)
        worker = int((self.folder / "worker.pid").read_text())

        @tf.function
        def step():
            self.strategy.run(lambda: model.optimizer.apply_gradients([(tf.ones((5, 2)), model.table)]))
            return tf.constant(1)

        results = [self.coordinator.schedule(step) for _ in range(10)]
        self.coordinator.join()
        os.kill(worker, signal.SIGKILL)
        results += [self.coordinator.schedule(step) for _ in range(20)]
        self.coordinator.join()
        assert sum(result.fetch() for result in results) == 30
        # A step that was under way when the worker died may have been made before it is made again.
        assert model.optimizer.iterations.numpy() in {30, 31}
        np.testing.assert_array_equal(model.table.numpy(), START - model.optimizer.iterations.numpy())


def main(role, folder):
    if role == "worker":
        (folder / "worker.pid").write_text(str(os.getpid()))
        serve(cluster_of(folder), "worker", 1).join()
    checks = Checks(folder)
    report([getattr(checks, name) for name in vars(Checks) if name.startswith("check_")], folder / "report.json")
    os._exit(0)  # the coordinator would wait for the worker to come back


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
