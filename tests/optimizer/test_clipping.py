from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from optreg.errors import InvalidHyperparameter
from optreg_classic.sgd import SGD


def applied(gradients, **options):
    """Return the dense gradients that reach the weights."""
    variables = [
        tf.Variable(tf.zeros(g.dense_shape if isinstance(g, tf.IndexedSlices) else g.shape, g.dtype)) for g in gradients
    ]
    SGD(1.0, **options).apply_gradients(zip(gradients, variables, strict=True))
    return [-variable.numpy() for variable in variables]


REPEATED = tf.IndexedSlices(tf.constant([[3.0], [1.0], [-2.0], [1.0]]), tf.constant([0, 1, 0, 1]), tf.constant([4, 1]))
SUMMED = np.array([[1.0], [2.0], [0.0], [0.0]])


def test_clipvalue_limits_each_element():
    np.testing.assert_allclose(applied([tf.constant([3.0, -0.1, -4.0])], clipvalue=0.5)[0], [0.5, -0.1, -0.5])


def test_clipnorm_limits_each_gradient_alone():
    large, small = applied([tf.constant([3.0, 4.0]), tf.constant([0.3, 0.4])], clipnorm=1.0)
    np.testing.assert_allclose(large, [0.6, 0.8])
    np.testing.assert_allclose(small, [0.3, 0.4])


def test_two_gradients_of_one_variable_are_limited_each_alone():
    variables = [tf.Variable([0.0, 0.0]) for _ in range(2)]
    for optimizer, variable in zip((SGD, tf_keras.optimizers.legacy.SGD), variables, strict=True):
        gradients = [tf.constant([3.0, 4.0]), tf.constant([0.0, -0.5])]
        optimizer(1.0, clipnorm=1.0).apply_gradients((gradient, variable) for gradient in gradients)
    np.testing.assert_allclose(variables[0], variables[1])


def test_global_clipnorm_limits_all_gradients_together():
    # |(3, 4, 12)| = 13
    first, second = applied([tf.constant([3.0, 4.0]), tf.constant([12.0])], global_clipnorm=6.5)
    np.testing.assert_allclose(first, [1.5, 2.0])
    np.testing.assert_allclose(second, [6.0])


@pytest.mark.parametrize("option", ["clipvalue", "clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_threshold_of_zero_stops_every_gradient(option, value):
    np.testing.assert_array_equal(applied([tf.fill(2, value)], **{option: 0.0})[0], [0.0, 0.0])


def test_repeated_rows_are_summed_before_they_are_clipped_by_value():
    np.testing.assert_allclose(applied([REPEATED], clipvalue=1.5)[0], np.minimum(SUMMED, 1.5))


def test_repeated_rows_are_summed_before_their_norm_is_taken():
    np.testing.assert_allclose(applied([REPEATED], clipnorm=1.0)[0], SUMMED / np.sqrt(5.0), rtol=1e-6)


def test_repeated_rows_are_summed_before_the_global_norm_is_taken():
    sparse, dense = applied([REPEATED, tf.constant([2.0])], global_clipnorm=1.0)
    np.testing.assert_allclose(sparse, SUMMED / 3.0, rtol=1e-6)
    np.testing.assert_allclose(dense, [2.0 / 3.0], rtol=1e-6)


def test_the_global_norm_spans_dtypes():
    half, double = applied([tf.constant([3.0], tf.float16), tf.constant([4.0], tf.float64)], global_clipnorm=1.0)
    np.testing.assert_allclose(half, [0.6], rtol=1e-3)
    np.testing.assert_allclose(double, [0.8], rtol=1e-12)


def test_the_norm_of_half_precision_gradients_does_not_overflow():
    # 300 ** 2 is infinite in float16
    np.testing.assert_allclose(
        applied([tf.constant([300.0, 400.0], tf.float16)], clipnorm=5.0)[0], [3.0, 4.0], rtol=1e-3
    )


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_a_threshold_of_zero_stops_every_step(option):
    for gradient in applied([tf.constant([3.0, 0.0]), tf.zeros(2), REPEATED], **{option: 0.0}):
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_complex_gradients_are_clipped_by_their_magnitude():
    gradient = tf.constant([3.0 + 4.0j], tf.complex64)
    np.testing.assert_allclose(applied([gradient], clipnorm=1.0)[0], [0.6 + 0.8j], rtol=1e-6)
    np.testing.assert_allclose(applied([gradient], global_clipnorm=1.0)[0], [0.6 + 0.8j], rtol=1e-6)


def test_thresholds_can_be_read_and_changed():
    optimizer = SGD(1.0, clipnorm=1.0)
    assert (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm) == (1.0, None, None)
    optimizer.clipnorm = None
    optimizer.global_clipnorm = 2.0
    with pytest.raises(InvalidHyperparameter, match="clipnorm and global_clipnorm cannot be used together"):
        optimizer.clipnorm = 1.0
    assert (optimizer.clipnorm, optimizer.global_clipnorm) == (None, 2.0)


def test_clipping_together_with_transformers_is_refused_whichever_comes_first():
    with pytest.raises(InvalidHyperparameter, match="SGD: clipvalue cannot be combined with gradient_transformers"):
        SGD(clipvalue=1.0, gradient_transformers=[lambda pairs: pairs])
    optimizer = SGD(gradient_transformers=[lambda pairs: pairs])
    with pytest.raises(InvalidHyperparameter, match="clipnorm cannot be combined"):
        optimizer.clipnorm = 1.0
    clipped = SGD(clipnorm=1.0)
    with pytest.raises(InvalidHyperparameter, match="clipnorm cannot be combined"):
        clipped.gradient_transformers = [lambda pairs: pairs]
    assert clipped.gradient_transformers == []
