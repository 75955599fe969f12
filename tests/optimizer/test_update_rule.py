"""The short way to write an optimizer: one function, and everything that follows from it."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import optreg
from optreg import Card, Slot
from optreg.cards.reader import describe_class, read_card
from optreg.conformance import validate


class Heavy(optreg.UpdateRule):
    """Adds gradients up and lets them fade.

    Arguments:
        learning_rate: Step size.
        beta: Part of the sum that stays.
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "beta": "[0, 1)", "nesterov": "bool"},
        slots=(Slot("sum", "fading sum of gradients", at_least="float32"),),
        sparse="lazy",
        dtypes=("bfloat16", "float32", "float64"),
        xla=True,
    )

    def update(self, gradient, value, sum, *, learning_rate=0.1, beta=0.9, nesterov=False):  # noqa: A002
        """Return the new value and sum."""
        sum = beta * sum + gradient  # noqa: A001
        step = beta * sum + gradient if nesterov else sum
        return value - learning_rate * step, sum


class Corrected(optreg.UpdateRule):
    """Divides by the root of the mean of all squares, which it computes from the number of the step."""

    card = Card(slots=(Slot("total", "sum of squares"),), sparse="exact", dtypes=("float32", "float64"), xla=True)

    def update(self, gradient, value, step, total, *, learning_rate=0.1):
        """Return the new value and total."""
        total = total + gradient**2
        return value - learning_rate * gradient / (tf.sqrt(total / step) + 1e-8), total


class Plain(optreg.UpdateRule):
    """Gradient descent."""

    card = Card(dtypes=("float32", "complex64"))

    def update(self, gradient, value, *, learning_rate=0.1):
        """Return the new value."""
        return value - learning_rate * gradient


RULES = (Heavy, Corrected, Plain)
LARGE = (300, 300)  # above the size from which a rule is compiled


def gradients_of(shape, *, steps, seed=5):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for _ in range(steps)]


def numpy_heavy(value, gradients, *, learning_rate=0.1, beta=0.9, nesterov=False, weight_decay=0.0):
    total = np.zeros_like(value)
    for gradient in gradients:
        total = beta * total + gradient
        step = beta * total + gradient if nesterov else total
        value = value - learning_rate * step - learning_rate * weight_decay * value
    return value


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_passes_every_check_that_applies(rule):
    report = validate(rule)
    assert report.ok, report.with_status("failed")


@pytest.mark.parametrize("shape", [(4, 3), LARGE], ids=["small", "compiled"])
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("options", [{}, {"nesterov": True, "beta": 0.5}, {"weight_decay": 0.3}], ids=str)
def test_a_dense_step_is_the_rule(options, graph, shape):
    gradients = gradients_of(shape, steps=4)
    weight = tf.Variable(np.ones(shape))
    optimizer = Heavy(**options)

    def step(gradient):
        optimizer.apply_gradients([(gradient, weight)])

    call = tf.function(step) if graph else step
    for gradient in gradients:
        call(tf.constant(gradient))
    rounded = {
        name: float(np.float32(x)) if isinstance(x, float) else x for name, x in {"beta": 0.9, **options}.items()
    }
    expected = numpy_heavy(np.ones(shape), gradients, learning_rate=float(np.float32(0.1)), **rounded)
    np.testing.assert_allclose(weight, expected, rtol=1e-10, atol=1e-12)


def test_the_number_of_the_step_reaches_the_rule():
    weight = tf.Variable(np.zeros(3))
    optimizer = Corrected(1.0)
    for _ in range(3):
        optimizer.apply_gradients([(tf.constant([2.0, -3.0, 5.0], tf.float64), weight)])
    np.testing.assert_allclose(weight, [-3.0, 3.0, -3.0], rtol=1e-7)


def test_a_lazy_rule_moves_the_rows_present_and_an_exact_one_makes_the_dense_step():
    values, indices = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), [2, 0, 2]
    slices = tf.IndexedSlices(tf.constant(values), tf.constant(indices), tf.constant([4, 2]))
    dense = np.zeros((4, 2))
    np.add.at(dense, indices, values)
    for rule, same in ((Heavy, [0, 2]), (Corrected, [0, 1, 2, 3])):
        sparse, full = tf.Variable(np.ones((4, 2))), tf.Variable(np.ones((4, 2)))
        sparse_optimizer, full_optimizer = rule(), rule()
        for _ in range(2):
            sparse_optimizer.apply_gradients([(slices, sparse)])
            full_optimizer.apply_gradients([(tf.constant(dense), full)])
        np.testing.assert_allclose(sparse.numpy()[same], full.numpy()[same], rtol=1e-12)
        np.testing.assert_array_equal(sparse.numpy()[[1, 3]], np.ones((2, 2)))


def test_a_rule_without_sparse_semantics_refuses_sparse_gradients_before_anything_changes():
    first, table = tf.Variable(tf.ones(2)), tf.Variable(tf.ones((4, 2)))
    slices = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([0]), tf.constant([4, 2]))
    with pytest.raises(optreg.IncompleteOptimizer, match="sparse"):
        Plain().apply_gradients([(tf.ones(2), first), (slices, table)])
    np.testing.assert_array_equal(first, [1.0, 1.0])


def test_sixteen_bit_weights_are_updated_in_float32():
    weight = tf.Variable(tf.ones(LARGE, tf.bfloat16))
    optimizer = Heavy(0.5, beta=0.999)
    for _ in range(3):
        optimizer.apply_gradients([(tf.ones(LARGE, tf.bfloat16) * 0.01, weight)])
    assert optimizer.get_slot(weight, "sum").dtype == tf.float32
    np.testing.assert_allclose(optimizer.get_slot(weight, "sum")[0, 0], 0.01 * (1 + 0.999 + 0.999**2), rtol=2e-3)


def test_weight_decay_leaves_out_the_variables_whose_name_is_excluded():
    kernel, bias = tf.Variable([1.0], name="dense/kernel"), tf.Variable([1.0], name="dense/bias")
    optimizer = Heavy(0.1, weight_decay=0.5, exclude_from_weight_decay=["bias$"])
    optimizer.apply_gradients([(tf.zeros(1), kernel), (tf.zeros(1), bias)])
    np.testing.assert_allclose([kernel.numpy()[0], bias.numpy()[0]], [0.95, 1.0])
    optimizer.weight_decay = 0.0
    optimizer.apply_gradients([(tf.zeros(1), kernel)])
    np.testing.assert_allclose(kernel, [0.95])


def test_decoupled_weight_decay_is_that_of_keras_3():
    ours, theirs = tf.Variable([1.0, -2.0]), keras.Variable([1.0, -2.0])
    optimizer, peer = Plain(0.1, weight_decay=0.2), keras.optimizers.SGD(0.1, weight_decay=0.2)
    for _ in range(5):
        optimizer.apply_gradients([(tf.constant([0.3, 0.4]), ours)])
        peer.apply([tf.constant([0.3, 0.4])], [theirs])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_constructor_shows_the_arguments_of_the_rule():
    assert str(inspect.signature(Heavy)) == (
        "(learning_rate=0.1, beta=0.9, nesterov=False, weight_decay=0.0, exclude_from_weight_decay=(), name='Heavy', "
        "**kwargs)"
    )
    assert float(Heavy(0.5, 0.25).beta) == 0.25


def test_the_configuration_holds_everything_and_rebuilds_it():
    optimizer = Heavy(0.3, nesterov=True, weight_decay=0.1, exclude_from_weight_decay=("a",), clipnorm=1.0, decay=0.5)
    rebuilt = Heavy.from_config(optimizer.get_config())
    assert rebuilt.get_config() == optimizer.get_config()
    assert (rebuilt.nesterov, rebuilt.clipnorm, rebuilt.exclude_from_weight_decay) == (True, 1.0, ("a",))


def test_a_flag_changed_between_eager_steps_reaches_compiled_ones():
    weight, optimizer = tf.Variable(tf.zeros(LARGE)), Heavy(1.0, beta=0.5)
    optimizer.apply_gradients([(tf.ones(LARGE), weight)])
    optimizer.nesterov = True
    optimizer.apply_gradients([(tf.ones(LARGE), weight)])
    np.testing.assert_allclose(weight[0, 0], -1.0 - (0.5 * 1.5 + 1.0))


def test_an_optimizer_that_has_compiled_its_rule_can_be_copied_and_pickled():
    weight, optimizer = tf.Variable(tf.zeros(LARGE)), Heavy(0.5)
    optimizer.apply_gradients([(tf.ones(LARGE), weight)])
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert twin.get_config() == optimizer.get_config()


def test_an_optimizer_that_has_compiled_its_rule_is_freed_with_its_last_reference():
    optimizer = Heavy(0.5)
    optimizer.apply_gradients([(tf.ones(LARGE), tf.Variable(tf.zeros(LARGE)))])
    gone = weakref.ref(optimizer)
    del optimizer
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight_decay": -1.0}, r"Heavy: weight_decay must be in \[0, inf\), received -1"),
        ({"beta": 1.0}, r"Heavy: beta must be in \[0, 1\), received 1"),
        ({"nesterov": "yes"}, "nesterov must be True or False"),
        ({"exclude_from_weight_decay": 3}, "must be regular expressions such as"),
        ({"exclude_from_weight_decay": ["("]}, "holds what is no regular expression"),
        ({"bta": 0.5}, "unknown hyperparameter 'bta'. Did you mean 'beta'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(optreg.OptregError, match=message):
        Heavy(**arguments)


def test_a_rule_whose_arguments_are_not_its_slots_is_refused_when_the_class_is_made():
    with pytest.raises(optreg.IncompleteOptimizer, match="takes m after the value, and its card declares the slots v"):

        class Mistaken(optreg.UpdateRule):
            card = Card(slots=(Slot("v"),))

            def update(self, gradient, value, m, *, learning_rate=0.1):
                return value, m


def test_a_hyperparameter_without_default_is_refused_when_the_class_is_made():
    with pytest.raises(optreg.IncompleteOptimizer, match="give 'learning_rate' a default value"):

        class Mistaken(optreg.UpdateRule):
            def update(self, gradient, value, *, learning_rate):
                return value


def test_a_rule_cannot_declare_decaying_sparse_updates():
    with pytest.raises(optreg.IncompleteOptimizer, match="use 'lazy', 'exact' or 'none'"):

        class Mistaken(optreg.UpdateRule):
            card = Card(sparse="decaying")

            def update(self, gradient, value, *, learning_rate=0.1):
                return value


def test_the_card_read_from_the_source_text_is_that_of_the_class(tmp_path, monkeypatch):
    source = inspect.getsource(Heavy)
    (tmp_path / "written_rule.py").write_text(f"import optreg\nfrom optreg import Card, Slot\n\n\n{source}")
    monkeypatch.syspath_prepend(tmp_path)
    read = read_card("written_rule:Heavy", "some-plugin").card
    assert read == describe_class(Heavy)
    assert [item.name for item in read.hyperparameters] == [
        "learning_rate",
        "beta",
        "nesterov",
        "weight_decay",
        "exclude_from_weight_decay",
    ]
    assert read.hyperparameters[1].meaning == "Part of the sum that stays."
