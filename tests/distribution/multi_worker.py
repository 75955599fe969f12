"""One worker of a job with two, run by test_multi_worker.py: ``multi_worker.py INDEX FOLDER STAGE``.

Stage ``first`` trains undisturbed, checks what has to hold for two workers, and trains anew with a checkpoint after
each step until worker 1 kills itself. Stage ``restarted`` continues from the last checkpoint to the end, where worker 0
kills itself.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import pytest
import tensorflow as tf
from checks import report
from split_training import STEPS, Training

import optreg

LAST_COMPLETE_STEP = 3
TIMEOUT_SECONDS = 10


def main(index, folder, stage):
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=TIMEOUT_SECONDS)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    if stage == "first":
        checks = Checks(strategy, index)
        report([getattr(checks, name) for name in vars(Checks) if name.startswith("check_")], folder / f"{index}.json")
        save(folder / f"undisturbed-{index}", Training(strategy, "adam", clipnorm=0.5).train(index))
        train_until_a_worker_dies(strategy, index, folder)
    else:
        training = Training(strategy, "adam", clipnorm=0.5)
        path = tf.train.latest_checkpoint(folder / "checkpoints")
        training.checkpoint.restore(path)
        done = int(training.optimizer.iterations.numpy())
        save(folder / f"restarted-{index}", training.train(index, range(done, STEPS)))
        (folder / f"restarted-{index}.json").write_text(json.dumps({"continued_after": done}))
        if index == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        for number in range(STEPS):
            step_or_report_the_loss(training, number, index, folder)


def train_until_a_worker_dies(strategy, index, folder):
    training = Training(strategy, "adam", clipnorm=0.5)
    manager = tf.train.CheckpointManager(training.checkpoint, folder / "checkpoints", max_to_keep=2)
    for number in range(STEPS):
        step_or_report_the_loss(training, number, index, folder)
        if index == 0:
            manager.save()
        if index == 1 and number == LAST_COMPLETE_STEP:
            wait_for_checkpoint(folder / "checkpoints", number + 1)  # the other may not have ended this step yet
            os.kill(os.getpid(), signal.SIGKILL)


def wait_for_checkpoint(folder, number):
    """Wait until the chief has saved that checkpoint; give up after a minute, for the test to see."""
    end = time.monotonic() + 60
    while not str(tf.train.latest_checkpoint(folder)).endswith(f"-{number}") and time.monotonic() < end:
        time.sleep(0.02)


def step_or_report_the_loss(training, number, index, folder):
    """Make a step; if the other worker is gone, write what was raised and leave."""
    started = time.monotonic()
    try:
        training.step(number, index)
    except tf.errors.OpError as error:
        lost = {"error": type(error).__name__, "seconds": time.monotonic() - started, "step": number}
        (folder / f"lost-{index}.json").write_text(json.dumps(lost))
        os._exit(0)


def save(path, values):
    np.savez(path, **{name.replace("/", "."): value for name, value in values.items()})


class Checks:
    """What has to hold with two workers; both run the same checks in the same order."""

    def __init__(self, strategy, index):
        self.strategy = strategy
        self.index = index

    def same_as_one_process(self, name, steps=range(STEPS), **arguments):
        together = Training(self.strategy, name, **arguments).train(self.index, steps)
        alone = Training(None, name, **arguments).train(None, steps)
        assert together.keys() == alone.keys()
        for variable, expected in alone.items():
            np.testing.assert_allclose(together[variable], expected, rtol=1e-6, err_msg=f"{variable} of {name}")

    def check_sgd_with_momentum_equals_one_process(self):
        self.same_as_one_process("sgd", momentum=0.5)

    def check_clipping_comes_after_the_sum(self):
        self.same_as_one_process("adam", global_clipnorm=0.25)

    def check_an_optimizer_with_a_number_beside_its_slots_equals_one_process(self):
        self.same_as_one_process("nadam")

    def check_every_built_in_optimizer_equals_one_process_in_eager_steps(self):
        for name in optreg.list_optimizers(distribution="optreg"):
            self.same_as_one_process(name, range(3), eager=True)

    def check_the_optimizer_may_be_created_outside_the_scope(self):
        self.same_as_one_process("adam", optimizer_in_scope=False)

    def check_a_checkpoint_written_without_strategy_continues_with_two_workers(self):
        alone, together = Training(None, "nadam"), Training(self.strategy, "nadam", learning_rate=0.5, eager=True)
        alone.train(None, range(3))
        with tempfile.TemporaryDirectory() as folder:
            together.checkpoint.restore(alone.checkpoint.save(Path(folder) / "alone"))
            values = together.train(self.index, range(3, STEPS))
        for variable, expected in alone.train(None, range(3, STEPS)).items():
            np.testing.assert_allclose(values[variable], expected, rtol=1e-6, err_msg=variable)

    def check_the_state_is_the_same_in_both_workers(self):
        training = Training(self.strategy, "adagrad")
        for value in training.train(self.index).values():
            flat = tf.reshape(tf.cast(value, tf.float32), [-1])

            def gathered(flat=flat):
                return tf.distribute.get_replica_context().all_gather(flat[None], axis=0)

            ours, theirs = self.strategy.run(gathered).numpy()
            np.testing.assert_array_equal(ours, theirs)

    def check_an_aggregator_of_the_user_replaces_the_sum(self):
        def largest(pairs):
            context = tf.distribute.get_replica_context()
            return [(tf.reduce_max(context.all_gather(g[None], axis=0), axis=0), v) for g, v in pairs]

        with self.strategy.scope():
            variable = tf.Variable([0.0, 0.0])
            optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_aggregator=largest)
        gradient = tf.constant([[1.0, 2.0], [4.0, -3.0]][self.index])
        self.strategy.run(lambda: optimizer.apply_gradients([(gradient, variable)]))
        np.testing.assert_array_equal(variable.numpy(), [-4.0, -2.0])

    def check_gradients_already_summed_are_not_summed_again(self):
        with self.strategy.scope():
            variable, optimizer = tf.Variable([0.0, 0.0]), optreg.get_optimizer("sgd", learning_rate=1.0)

        def replica():
            optimizer.apply_gradients([(tf.ones(2), variable)], experimental_aggregate_gradients=False)

        self.strategy.run(replica)
        np.testing.assert_array_equal(variable.numpy(), [-1.0, -1.0])

    def check_a_learning_rate_changed_by_each_worker_takes_effect(self):
        training = Training(self.strategy, "sgd")
        before = training.train(self.index, range(2))
        training.optimizer.learning_rate = 0.0
        after = training.train(self.index, range(2, 4))
        for variable in training.variables:
            np.testing.assert_array_equal(after[variable.name], before[variable.name])
        assert training.optimizer.iterations.numpy() == 4

    def check_an_overflow_in_one_worker_leaves_the_step_out_in_both(self):
        with self.strategy.scope():
            variable = tf.Variable([1.0, 2.0], name="scaled")
            optimizer = optreg.LossScaleOptimizer("adam", initial_scale=8.0, dynamic_growth_steps=2)
            optimizer.learning_rate = 0.125

        def replica(gradient):
            [unscaled] = optimizer.get_unscaled_gradients([gradient])
            optimizer.apply_gradients([(unscaled, variable)])

        step = tf.function(lambda gradient: self.strategy.run(replica, args=(gradient,)))
        # Worker 1 overflows in the second step only.
        overflow = float("inf") if self.index == 1 else 1.0
        scales = []
        for value in (1.0, overflow, 1.0, 1.0):
            step(tf.constant([8.0 * value, 16.0 * value]))
            scales.append(float(optimizer.loss_scale.numpy()))
        # Halved by the overflow, doubled after two finite steps in a row.
        assert scales == [8.0, 4.0, 4.0, 8.0], scales
        assert optimizer.iterations.numpy() == 3
        alone, plain = optreg.get_optimizer("adam", learning_rate=0.125), tf.Variable([1.0, 2.0])
        for scale in (8.0, 4.0, 4.0):
            alone.apply_gradients([(tf.constant([2 * 8.0 / scale, 2 * 16.0 / scale]), plain)])
        np.testing.assert_allclose(variable.numpy(), plain.numpy(), rtol=1e-6)

    def check_registered_aggregators_see_the_gradients_of_both_workers(self):
        gradients = np.array([[1.0, 2.0], [4.0, -3.0]], np.float32)
        dot, squares = gradients[0] @ gradients[1], (gradients**2).sum(axis=1)
        adasum = sum((1 - dot / (2 * square)) * gradient for square, gradient in zip(squares, gradients, strict=True))
        for name, expected in (
            ("mean", gradients.mean(axis=0)),
            ("median", gradients.mean(axis=0)),
            ("trimmed_mean", gradients.mean(axis=0)),
            ("adasum", adasum),
        ):
            for called in (lambda step: step, tf.function):
                with self.strategy.scope():
                    variable = tf.Variable([0.0, 0.0])
                    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_aggregator=name)

                def replica(gradient, optimizer=optimizer, variable=variable):
                    optimizer.apply_gradients([(gradient, variable)])

                step = called(lambda gradient, replica=replica: self.strategy.run(replica, args=(gradient,)))
                step(tf.constant(gradients[self.index]))
                np.testing.assert_allclose(variable.numpy(), -expected, rtol=1e-6, err_msg=f"{name}, {called}")

    def check_a_step_outside_run_is_refused(self):
        with self.strategy.scope():
            variable, optimizer = tf.Variable([0.0, 0.0], name="w"), optreg.get_optimizer("adam")
        pairs = [(tf.ones(2), variable)]
        with pytest.raises(optreg.WrongContext, match="variable 'w' has a copy in each replica of a MultiWorkerMirr"):
            optimizer.apply_gradients(pairs)
        with self.strategy.scope(), pytest.raises(optreg.WrongContext, match="cross-replica context"):
            optimizer.apply_gradients(pairs)
        np.testing.assert_array_equal(variable.numpy(), [0.0, 0.0])

    def check_a_copy_is_refused_with_the_name_of_the_strategy_that_users_know(self):
        with self.strategy.scope():
            optimizer = optreg.get_optimizer("adam")
        with pytest.raises(optreg.WrongContext, match="lives under MultiWorkerMirroredStrategy and cannot be copied"):
            copy.deepcopy(optimizer)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
