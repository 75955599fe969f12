"""Training in 16 bits: the loss-scale wrapper, against that of tf_keras, and loops with narrow compute or variables."""

from __future__ import annotations

import copy
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.schedules import Constant

import optreg
from optreg import LossScaleOptimizer
from optreg.errors import (
    HyperparameterTypeError,
    InvalidGradients,
    InvalidHyperparameter,
    InvalidState,
    NotAnOptimizer,
    UnknownHyperparameter,
    WrongContext,
)

TheirWrapper = tf_keras.mixed_precision.LossScaleOptimizer
NAMES = optreg.list_optimizers(distribution="optreg")
INF, NAN = np.inf, np.nan

SEQUENCES = {
    "falls to the floor": ([1.0, INF, NAN, -INF, 2.0, INF, INF, INF, 1.0, 1.0, 1.0], {"initial_scale": 8.0}),
    "grows": ([1.0, 2.0, 1.0, 0.5, INF, 1.0, 1.0, 1.0, 1.0], {"initial_scale": 8.0}),
    "stays below infinity": ([0.125, 0.125, 0.125, 0.125, 0.125, INF, 0.125], {"initial_scale": 2.0**126}),
    "starts below one": ([1.0, INF, 1.0, INF, 1.0], {"initial_scale": 0.25}),
    "defaults": ([1.0, INF, 1.0, 1.0], {}),
}


def keras_twin(name):
    """Return tf_keras's class for what is registered under ``name``, or None."""
    return getattr(tf_keras.optimizers.legacy, type(optreg.get_optimizer(name)).__name__, None)


TWINS = [name for name in NAMES if keras_twin(name) is not None]


def scaled(optimizer="sgd", **options):
    """Return a wrapper that has been used as it should be, so that it does not warn."""
    wrapper = LossScaleOptimizer(optimizer, **options)
    wrapper.get_scaled_loss(0.0)
    wrapper.get_unscaled_gradients([])
    return wrapper


def sgd(learning_rate=0.25, **options):
    return optreg.get_optimizer("sgd", learning_rate=learning_rate, **options)


def history_of(wrapper, factors, *, graph=False, forget_skipped=False):
    """Make a step for each factor of a fixed gradient; return (scale, counter, iterations, values) after each."""
    variables = [tf.Variable([1.0, -2.0]), tf.Variable([[0.5], [0.25], [1.0]])]

    def step(factor):
        with tf.GradientTape() as tape:
            loss = factor * tf.reduce_sum(variables[0] ** 2)
            loss = wrapper.get_scaled_loss(loss + tf.reduce_sum(tf.gather(variables[1], [2, 0, 2])))
        gradients = wrapper.get_unscaled_gradients(tape.gradient(loss, variables))
        wrapper.apply_gradients(zip(gradients, variables, strict=True))

    call = tf.function(step) if graph else step
    history = []
    for factor in factors:
        call(tf.constant(factor))
        if forget_skipped and not np.isfinite(factor):
            wrapper.inner_optimizer.iterations.assign_sub(1)
        counts = [float(wrapper.loss_scale), int(wrapper.dynamic_counter), int(wrapper.iterations)]
        history.append((counts, [variable.numpy() for variable in variables]))
    return history


def assert_same_history(ours, theirs, *, rtol=2e-6):
    for step, ((our_counts, our_values), (their_counts, their_values)) in enumerate(zip(ours, theirs, strict=True)):
        assert our_counts == their_counts, f"after step {step}"
        for our_value, their_value in zip(our_values, their_values, strict=True):
            np.testing.assert_allclose(our_value, their_value, rtol=rtol, atol=1e-7, err_msg=f"after step {step}")


@pytest.mark.parametrize(
    ("sequence", "graph"),
    [*((sequence, False) for sequence in SEQUENCES), ("grows", True), ("falls to the floor", True)],
)
def test_scale_counter_and_values_are_those_of_tf_keras(sequence, graph):
    factors, options = SEQUENCES[sequence]
    if options:
        options = {**options, "dynamic_growth_steps": 2}
    ours = LossScaleOptimizer(sgd(0.125, momentum=0.5), **options)
    theirs = TheirWrapper(tf_keras.optimizers.legacy.SGD(0.125, momentum=0.5), **options)
    # Keras 2.9 counts skipped steps among the iterations, which changes nothing else here.
    expected = history_of(theirs, factors, graph=graph, forget_skipped=True)
    assert_same_history(history_of(ours, factors, graph=graph), expected, rtol=0)


@pytest.mark.parametrize("name", TWINS)
def test_every_optimizer_trains_wrapped_as_in_tf_keras(name):
    factors, options = [1.0, INF, 2.0, 1.0, NAN, 1.0], {"initial_scale": 4.0, "dynamic_growth_steps": 2}
    ours = LossScaleOptimizer(optreg.get_optimizer(name, learning_rate=0.05), **options)
    theirs = TheirWrapper(keras_twin(name)(learning_rate=0.05), **options)
    expected = history_of(theirs, factors, forget_skipped=True)
    assert_same_history(history_of(ours, factors), expected)


@pytest.mark.parametrize("name", NAMES)
def test_finite_steps_are_those_of_the_wrapped_optimizer_alone(name):
    wrapper, alone = scaled(name), optreg.get_optimizer(name)
    ours, theirs = tf.Variable([1.0, -2.0]), tf.Variable([1.0, -2.0])
    for gradient in ([1.0, 2.0], [-0.5, 3.0], [0.0, 1.0]):
        wrapper.apply_gradients([(tf.constant(gradient), ours)])
        alone.apply_gradients([(tf.constant(gradient), theirs)])
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("compiled", [False, True])
def test_one_trace_serves_finite_and_overflowing_steps(compiled):
    wrapper = scaled("adam", dynamic_growth_steps=2)
    variable = tf.Variable([1.0, 2.0])
    wrapper.build([variable])

    @tf.function(jit_compile=compiled)
    def step(gradient):
        wrapper.apply_gradients([(gradient, variable)])

    scales = []
    for factor in (1.0, INF, 1.0, 1.0, NAN, 1.0):
        step(tf.constant([factor, 1.0]))
        scales.append(float(wrapper.loss_scale) / 2**15)
    assert scales == [1.0, 0.5, 0.5, 1.0, 0.5, 0.5]
    assert step.experimental_get_tracing_count() == 1
    assert int(wrapper.iterations) == 4
    np.testing.assert_allclose(variable, [0.996, 1.996], rtol=1e-6)


def test_a_whole_compiled_step_scales_and_unscales():
    wrapper, variable = LossScaleOptimizer("adam", dynamic_growth_steps=2), tf.Variable([1.0, 2.0])
    wrapper.build([variable])
    step = tf.function(lambda x: wrapper.minimize(lambda: x * variable**2, [variable]) and None, jit_compile=True)
    for factor in (1.0, 1.0, INF):
        step(tf.constant(factor))
    assert (float(wrapper.loss_scale), int(wrapper.iterations)) == (2.0**15, 2)
    np.testing.assert_allclose(variable, [0.998, 1.998], rtol=1e-6)


def test_a_fixed_scale_checks_nothing_and_stays_as_in_tf_keras():
    ours = LossScaleOptimizer(sgd(), dynamic=False, initial_scale=3.0)
    theirs = TheirWrapper(tf_keras.optimizers.legacy.SGD(0.25), dynamic=False, initial_scale=3.0)
    values = []
    for wrapper in (ours, theirs):
        variable = tf.Variable([1.0, 2.0, 3.0])
        for power in (1, 2, 3):
            wrapper.minimize(lambda v=variable, p=power: tf.reduce_sum(v**p), [variable])
        wrapper.apply_gradients([(tf.constant([NAN, 1.0, 0.0]), variable)])
        values.append(variable.numpy())
        assert (wrapper.dynamic, wrapper.dynamic_counter, wrapper.dynamic_growth_steps) == (False, None, None)
        assert (float(wrapper.loss_scale), wrapper.initial_scale, int(wrapper.iterations)) == (3.0, 3.0, 4)
    np.testing.assert_array_equal(*values)


def test_the_defaults_are_those_of_tf_keras():
    ours, theirs = LossScaleOptimizer("sgd"), TheirWrapper(tf_keras.optimizers.legacy.SGD())
    for name in ("dynamic", "initial_scale", "dynamic_growth_steps"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("loss_scale", "dynamic_counter"):
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype, name
        assert float(getattr(ours, name)) == float(getattr(theirs, name)), name
    assert isinstance(ours.loss_scale, tf.Tensor)


def test_a_loss_is_scaled_in_its_own_dtype_and_in_its_own_form():
    wrapper = LossScaleOptimizer("sgd", initial_scale=4.0)
    assert wrapper.get_scaled_loss(tf.constant(2.0, tf.float16)).dtype == tf.float16
    assert float(wrapper.get_scaled_loss(tf.constant(2.0, tf.float16))) == 8.0
    calls = []
    loss = wrapper.get_scaled_loss(lambda: calls.append(1) or tf.constant([1.0, 3.0]))
    assert calls == []
    np.testing.assert_array_equal(loss(), [4.0, 12.0])
    assert float(wrapper.get_scaled_loss(tf.Variable(2.0))) == 8.0


def test_gradients_are_unscaled_in_their_own_dtype_and_in_their_own_form():
    wrapper = LossScaleOptimizer("sgd", initial_scale=4.0)
    sparse = tf.IndexedSlices(tf.constant([[8.0], [4.0]]), tf.constant([5, 5]), tf.constant([9, 1]))
    dense, missing, slices, half, large = wrapper.get_unscaled_gradients(
        [tf.constant(8.0), None, sparse, tf.constant(8.0, tf.bfloat16), tf.constant(8.0 + 4.0j, tf.complex128)]
    )
    assert (float(dense), missing, float(half), half.dtype) == (2.0, None, 2.0, tf.bfloat16)
    assert complex(large) == 2.0 + 1.0j
    np.testing.assert_array_equal(slices.values, [[2.0], [1.0]])
    assert slices.indices is sparse.indices
    assert slices.dense_shape is sparse.dense_shape


def test_losses_in_other_forms_are_scaled():
    wrapper = LossScaleOptimizer("sgd", initial_scale=4.0)
    nest = wrapper.get_scaled_loss({"a": tf.constant(1.0), "b": [np.float64(2.0), tf.constant([1.0, 3.0])]})
    assert (float(nest["a"]), float(nest["b"][0]), nest["b"][1].numpy().tolist()) == (4.0, 8.0, [4.0, 12.0])
    assert wrapper.get_scaled_loss(tf.ragged.constant([[1.0], [2.0, 3.0]])).to_list() == [[4.0], [8.0, 12.0]]
    assert tf.sparse.to_dense(wrapper.get_scaled_loss(tf.sparse.from_dense([0.0, 2.0]))).numpy().tolist() == [0.0, 8.0]


def test_gradients_of_a_nest_and_in_arrays_are_unscaled():
    wrapper = LossScaleOptimizer("sgd", initial_scale=4.0)
    variables = {"a": tf.Variable(3.0), "b": [tf.Variable(1.0), tf.Variable(2.0)]}
    with tf.GradientTape() as tape:
        loss = wrapper.get_scaled_loss(variables["a"] ** 2 * variables["b"][1])
    gradients = wrapper.get_unscaled_gradients(tape.gradient(loss, variables))
    assert (float(gradients["a"]), gradients["b"][0], float(gradients["b"][1])) == (12.0, None, 9.0)
    dense, sparse = wrapper.get_unscaled_gradients([np.ones(2, "float16"), tf.IndexedSlices([[8.0]], [1])])
    assert (dense.dtype, dense.numpy().tolist()) == (tf.float16, [0.25, 0.25])
    np.testing.assert_array_equal(sparse.values, [[2.0]])


@pytest.mark.parametrize(
    ("loss", "complaint"),
    [
        (None, "is None of type NoneType and no tensor"),
        ("a", "is 'a' of type str and no tensor"),
        ([tf.constant(1.0), None], "is None of type NoneType and no tensor"),
        (tf.constant(3), "a loss of dtype int32 has no gradient"),
        (True, "a loss of dtype bool has no gradient"),
    ],
)
def test_what_is_no_loss_is_refused(loss, complaint):
    wrapper, variable = LossScaleOptimizer("sgd"), tf.Variable(1.0)
    for attempt in (
        lambda: wrapper.get_scaled_loss(loss),
        wrapper.get_scaled_loss(lambda: loss),
        lambda: wrapper.minimize(lambda: loss, [variable]),
    ):
        with pytest.raises(InvalidGradients, match=complaint):
            attempt()


@pytest.mark.parametrize(
    ("gradients", "complaint"),
    [
        (None, "takes a list of gradients, .* and received None"),
        (tf.constant(1.0), r"takes a list of gradients, as tape.gradient\(loss, \[variable\]\) returns it"),
        (tf.IndexedSlices(tf.ones(1), tf.constant([0])), "takes a list of gradients, .* received a IndexedSlices"),
        (["a"], "takes floating-point tensors or arrays, tf.IndexedSlices and None, and received 'a'"),
        ([tf.constant([1, 2])], r"and received a EagerTensor of shape \(2,\) and dtype int32"),
    ],
)
def test_what_is_no_gradient_is_not_unscaled(gradients, complaint):
    with pytest.raises(InvalidGradients, match=complaint):
        LossScaleOptimizer("sgd").get_unscaled_gradients(gradients)


@pytest.mark.parametrize(
    "use",
    [
        lambda wrapper: wrapper.get_scaled_loss(tf.constant(1.0)),
        lambda wrapper: wrapper.get_unscaled_gradients([tf.constant(1.0)]),
        lambda wrapper: wrapper.apply_gradients([(tf.constant(1.0), tf.Variable(1.0))]),
    ],
)
def test_a_scale_of_another_graph_is_refused_before_anything_is_created(use):
    eager = LossScaleOptimizer("sgd")
    with tf.Graph().as_default():
        in_graph = LossScaleOptimizer("sgd")
        with pytest.raises(
            WrongContext, match="'current_loss_scale' was created eagerly, and the step is made in a gr"
        ):
            use(eager)
    with tf.Graph().as_default(), pytest.raises(WrongContext, match="in another graph, .* one optimizer in each graph"):
        use(in_graph)
    with pytest.raises(WrongContext, match="was created in a graph, and the step is made eagerly"):
        use(in_graph)
    assert eager.weights == in_graph.weights == []


def test_a_gradient_in_half_precision_is_divided_before_it_is_rounded():
    # 2 ** -25 is no float16: as a factor it would make every gradient 0.
    wrapper = LossScaleOptimizer("sgd", initial_scale=2.0**25)
    [gradient] = wrapper.get_unscaled_gradients([tf.constant(2.0**15, tf.float16)])
    assert float(gradient) == 2.0**-10


@pytest.mark.parametrize("form", ["callable", "tape", "graph"])
def test_minimize_scales_the_loss_and_unscales_the_gradients(form):
    wrapper, variable, seen = LossScaleOptimizer(sgd(0.5), initial_scale=1024.0), tf.Variable(3.0), []

    @tf.custom_gradient
    def spied(value):
        return tf.identity(value), lambda upstream: (seen.append(upstream), upstream)[1]

    if form == "callable":
        wrapper.minimize(lambda: spied(variable), [variable])
    elif form == "tape":
        with tf.GradientTape() as tape:
            loss = spied(variable)
        wrapper.minimize(loss, [variable], tape=tape)
    else:

        @tf.function
        def step():
            wrapper.minimize(spied(variable), [variable])

        step()
        assert seen
    if form != "graph":
        assert float(seen[0]) == 1024.0
    assert float(variable) == 2.5


def test_a_skipped_step_changes_nothing_but_the_scale():
    inner = optreg.get_optimizer("adam", learning_rate=0.1, decay=0.5)
    wrapper, first, second = scaled(inner), tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    pairs = [(tf.constant([1.0, 1.0]), first), (tf.constant(1.0), second)]
    wrapper.apply_gradients(pairs)
    before = [*(weight.numpy() for weight in wrapper.weights), first.numpy(), second.numpy()]
    assert int(wrapper.apply_gradients([(tf.constant([1.0, NAN]), first), *pairs[1:]])) == 1
    after = [*(weight.numpy() for weight in wrapper.weights), first.numpy(), second.numpy()]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert float(wrapper.loss_scale) == 2.0**14
    assert int(wrapper.apply_gradients(pairs)) == 2


@pytest.mark.parametrize(
    "gradient",
    [
        tf.constant([1.0, INF]),
        tf.IndexedSlices(tf.constant([NAN]), tf.constant([1]), tf.constant([2])),
    ],
    ids=["dense", "sparse"],
)
def test_state_exists_after_a_first_step_that_is_skipped(gradient):
    wrapper, variable = scaled("adam"), tf.Variable([1.0, 2.0])
    wrapper.apply_gradients([(gradient, variable)])
    assert int(wrapper.iterations) == 0
    np.testing.assert_array_equal(wrapper.get_slot(variable, "m"), [0.0, 0.0])
    np.testing.assert_array_equal(variable, [1.0, 2.0])


@pytest.mark.parametrize("part", [complex(NAN, 0.0), complex(0.0, INF)])
def test_either_part_of_a_complex_gradient_can_overflow(part):
    wrapper, variable = scaled("adam"), tf.Variable(1.0 + 1.0j, dtype=tf.complex64)
    wrapper.apply_gradients([(tf.constant(part, tf.complex64), variable)])
    assert complex(variable.numpy()) == 1.0 + 1.0j
    wrapper.apply_gradients([(tf.constant(3e38 + 3e38j, tf.complex64), variable)])
    assert int(wrapper.iterations) == 1


def test_clipping_and_transformers_see_unscaled_gradients_of_steps_that_are_made():
    seen = []
    wrapper = LossScaleOptimizer(
        sgd(1.0, gradient_transformers=[lambda pairs: seen.append([float(g) for g, _ in pairs]) or pairs])
    )
    variable = tf.Variable(1.0)
    for factor in (2.0, INF, 3.0):
        wrapper.minimize(lambda factor=factor: factor * variable, [variable])
    assert seen == [[2.0], [3.0]]
    clipped, variable = LossScaleOptimizer(sgd(1.0, clipnorm=0.5)), tf.Variable([3.0, 4.0])
    clipped.minimize(lambda: tf.reduce_sum(variable**2) / 2.0, [variable])
    np.testing.assert_allclose(variable, [2.7, 3.6])


def test_a_plugin_of_the_wrapped_optimizer_takes_part_in_the_steps_that_are_made():
    class Watching:
        events: list = []  # noqa: RUF012 - one test, one list

        @optreg.hookimpl
        def aggregate_gradients(self, optimizer, grads_and_vars):
            self.events.append(("aggregate", optimizer))

        @optreg.hookimpl(wrapper=True)
        def apply_dense(self, optimizer):
            self.events.append(("apply", optimizer))
            return (yield)

    inner = sgd(plugins=[Watching()])
    wrapper, variable = scaled(inner), tf.Variable(1.0)
    for factor in (INF, 1.0):
        wrapper.apply_gradients([(tf.constant(factor), variable)])
    assert Watching.events == [("aggregate", inner), ("aggregate", inner), ("apply", inner)]


def test_any_subclass_of_the_contract_can_be_wrapped():
    class Halving(optreg.Optimizer):
        """Written for Keras 2.9, before gradients were aggregated by apply_gradients."""

        def __init__(self, learning_rate=0.5, name="Halving", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", learning_rate)
            self.calls = 0

        def apply_gradients(self, grads_and_vars, name=None):
            self.calls += 1
            return super().apply_gradients(grads_and_vars, name)

        def _resource_apply_dense(self, grad, var, apply_state=None):
            return var.assign_sub(0.5 * grad)

        def get_config(self):
            return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}

    wrapper, variable = scaled(Halving()), tf.Variable(1.0)
    for factor in (1.0, INF):
        wrapper.apply_gradients([(tf.constant(factor), variable)])
    assert (float(variable), wrapper.calls) == (0.5, 1)


def test_the_wrapper_is_an_optimizer_and_shows_the_wrapped_one():
    inner = optreg.get_optimizer("adam", learning_rate=0.5, clipnorm=2.0)
    wrapper, variable = LossScaleOptimizer(inner), tf.Variable([1.0, 2.0])
    assert isinstance(wrapper, optreg.Optimizer)
    assert optreg.get_optimizer(wrapper) is wrapper
    assert wrapper.inner_optimizer is inner
    wrapper.build([variable])
    for name in ("learning_rate", "lr", "beta_1", "epsilon", "amsgrad", "clipnorm", "card", "iterations", "weights"):
        assert getattr(wrapper, name) is getattr(inner, name), name
    assert wrapper.get_slot(variable, "m") is inner.get_slot(variable, "m")
    assert wrapper.variables() is inner.variables()
    assert {"learning_rate", "amsgrad", "get_slot", "loss_scale"} <= set(dir(wrapper))
    assert repr(wrapper) == f"<optreg.LossScaleOptimizer around {inner!r}>"


def test_every_public_name_of_the_contract_answers_on_the_wrapper():
    wrapper, inner = LossScaleOptimizer("adam"), optreg.get_optimizer("adam")
    ours = [base for base in optreg.Optimizer.__mro__ if base.__module__.startswith("optreg.")]
    names = {name for base in ours for name in vars(base) if hasattr(inner, name)}
    assert {"apply_gradients", "get_slot", "build", "_create_slots", "clipnorm"} <= names
    assert [name for name in sorted(names) if not hasattr(wrapper, name)] == []


def test_what_is_set_on_the_wrapper_is_set_on_the_wrapped_one():
    wrapper = LossScaleOptimizer(optreg.get_optimizer("adam"))
    wrapper.build([tf.Variable(1.0)])
    wrapper.learning_rate = 0.5
    wrapper.clipvalue = 3.0
    wrapper.note = "mine"
    wrapper.set_weights([7, 1.0, 2.0])
    inner = wrapper.inner_optimizer
    assert (float(inner.learning_rate), inner.clipvalue, inner.note, int(inner.iterations)) == (0.5, 3.0, "mine", 7)
    with pytest.raises(UnknownHyperparameter, match="Did you mean 'learning_rate'"):
        wrapper.learning_rat = 0.1
    with pytest.raises(AttributeError, match="no attribute 'warmth'"):
        _ = wrapper.warmth
    for name in ("inner_optimizer", "dynamic", "loss_scale", "initial_scale"):
        with pytest.raises(AttributeError):
            setattr(wrapper, name, 1.0)


def test_iterations_given_before_the_first_step_count_the_steps():
    wrapper, counter, variable = scaled("sgd"), tf.Variable(5, dtype=tf.int64), tf.Variable(1.0)
    wrapper.iterations = counter
    wrapper.apply_gradients([(tf.constant(1.0), variable)])
    assert int(counter) == 6


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: LossScaleOptimizer(LossScaleOptimizer("sgd")),
            HyperparameterTypeError,
            "is a LossScaleOptimizer alre",
        ),
        (
            lambda: LossScaleOptimizer(keras.optimizers.SGD()),
            NotAnOptimizer,
            "an object of keras .SGD., which is not an",
        ),
        (lambda: LossScaleOptimizer(tf_keras.optimizers.legacy.SGD()), NotAnOptimizer, "an object of tf_keras"),
        (lambda: LossScaleOptimizer(None), NotAnOptimizer, "An optimizer is given by"),
        (
            lambda: optreg.keras.wrap(LossScaleOptimizer("sgd")),
            NotAnOptimizer,
            "their dtype policy is mixed_float16: wr",
        ),
        (lambda: LossScaleOptimizer("sgd", "dynamic"), HyperparameterTypeError, "dynamic must be True or False"),
        (
            lambda: LossScaleOptimizer("sgd", 2.0),
            HyperparameterTypeError,
            "dynamic must be True or False, received 2.0",
        ),
        (
            lambda: LossScaleOptimizer("sgd", initial_scale=0.0),
            InvalidHyperparameter,
            r"must be in \[1.2e-38, 3.4e\+38",
        ),
        (
            lambda: LossScaleOptimizer("sgd", initial_scale=INF),
            InvalidHyperparameter,
            r"must be in \[1.2e-38, 3.4e\+38",
        ),
        (lambda: LossScaleOptimizer("sgd", initial_scale=1e39), InvalidHyperparameter, r"3.4e\+38\], received 1e\+39"),
        (lambda: LossScaleOptimizer("sgd", initial_scale=1e-50), InvalidHyperparameter, "received 1e-50"),
        (
            lambda: LossScaleOptimizer("sgd", foo=1),
            UnknownHyperparameter,
            "'foo'. Allowed: inner_optimizer, dynamic, i",
        ),
        (lambda: LossScaleOptimizer("sgd", inital_scale=1.0), UnknownHyperparameter, "Did you mean 'initial_scale'"),
        (lambda: LossScaleOptimizer.from_config({"foo": 1}), UnknownHyperparameter, "unknown hyperparameter 'foo'"),
        (lambda: LossScaleOptimizer.from_config({}), HyperparameterTypeError, "'inner_optimizer' is required"),
        (
            lambda: LossScaleOptimizer(TheirWrapper(tf_keras.optimizers.legacy.SGD())),
            NotAnOptimizer,
            r"tf_keras .LossScaleOptimizer.*Write optreg\.LossScaleOptimizer\(optimizer\) around an optimizer",
        ),
        (lambda: LossScaleOptimizer("sgd", initial_scale="8"), HyperparameterTypeError, "initial_scale must be a numb"),
        (lambda: LossScaleOptimizer("sgd", dynamic_growth_steps=0), InvalidHyperparameter, r"must be in \[1, inf\)"),
        (lambda: LossScaleOptimizer("sgd", dynamic_growth_steps=2.5), HyperparameterTypeError, "must be an integer in"),
        (
            lambda: LossScaleOptimizer("sgd", False),
            InvalidHyperparameter,
            "with dynamic=False initial_scale must be gi",
        ),
        (
            lambda: LossScaleOptimizer("sgd", False, 2.0, 5),
            InvalidHyperparameter,
            "belongs to a dynamic scale, receive",
        ),
    ],
)
def test_a_wrong_argument_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_loop_that_forgets_to_scale_is_told_once():
    wrapper, variable = LossScaleOptimizer("sgd"), tf.Variable(1.0)
    [gradient] = wrapper.get_unscaled_gradients([tf.constant(1.0)])
    with pytest.warns(UserWarning, match=r"was called before get_scaled_loss\(\): multiply the loss"):
        wrapper.apply_gradients([(gradient, variable)])
    wrapper.apply_gradients([(gradient, variable)])
    with pytest.warns(UserWarning, match=r"before get_scaled_loss\(\) and get_unscaled_gradients\(\)"):
        LossScaleOptimizer("sgd").apply_gradients([(gradient, variable)])


def test_bad_input_leaves_the_scale_as_it_was():
    wrapper, variable, unused = (
        scaled("sgd", dynamic_growth_steps=1),
        tf.Variable([1.0, 2.0]),
        tf.Variable(1.0, name="u"),
    )
    for pairs in ([(tf.ones(3), variable)], [(tf.ones(2, tf.float16), variable)], [(None, variable)]):
        with pytest.raises(InvalidGradients):
            wrapper.apply_gradients(pairs)
    assert float(wrapper.loss_scale) == 2.0**15
    with pytest.warns(UserWarning, match="no gradient for the variables u; they") as warned:
        wrapper.apply_gradients([(tf.ones(2), variable), (None, unused)])
    assert len(warned) == 1
    assert warned[0].filename == __file__
    wrapper.apply_gradients([])
    assert float(wrapper.loss_scale) == 2.0**16


CONFIGS = {
    "dynamic": lambda: LossScaleOptimizer(sgd(0.3, momentum=0.5), initial_scale=64.0, dynamic_growth_steps=3),
    "fixed": lambda: LossScaleOptimizer(optreg.get_optimizer("adam", beta_1=0.5), dynamic=False, initial_scale=2.0),
}


@pytest.mark.parametrize("make", CONFIGS.values(), ids=CONFIGS)
def test_a_configuration_rebuilds_wrapper_and_wrapped(make):
    wrapper = make()
    for saved in (
        json.loads(json.dumps(wrapper.to_dict())),
        {"class_name": "LossScaleOptimizer", "config": wrapper.get_config()},
    ):
        rebuilt = optreg.get_optimizer(saved)
        assert type(rebuilt) is LossScaleOptimizer
        assert type(rebuilt.inner_optimizer) is type(wrapper.inner_optimizer)
        assert rebuilt.get_config() == wrapper.get_config()


@pytest.mark.parametrize("options", [{"initial_scale": 32.0}, {"dynamic": False, "initial_scale": 2.0}])
def test_a_configuration_of_tf_keras_is_read(options):
    theirs = TheirWrapper(tf_keras.optimizers.legacy.Adam(0.25, beta_1=0.5), **options)
    config = theirs.get_config()
    kept = copy.deepcopy(config)
    ours = LossScaleOptimizer.from_config(config)
    assert config == kept
    assert ours.get_config()["inner_optimizer"]["config"]["beta_1"] == 0.5
    for name in ("dynamic", "initial_scale", "dynamic_growth_steps"):
        assert getattr(ours, name) == getattr(theirs, name), name
    whole = tf_keras.optimizers.serialize(theirs, use_legacy_format=True)
    assert optreg.get_optimizer(whole).get_config() == ours.get_config()


def test_custom_objects_reach_the_wrapped_optimizer():
    config = LossScaleOptimizer(sgd(Constant())).get_config()
    config["inner_optimizer"]["config"]["learning_rate"].pop("module")
    rebuilt = LossScaleOptimizer.from_config(config, custom_objects={"Constant": Constant})
    assert isinstance(rebuilt.learning_rate, Constant)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda wrapper: pickle.loads(pickle.dumps(wrapper))])
def test_copies_go_on_where_the_original_was(copied):
    variable = tf.Variable([1.0, 2.0], name="w")
    wrapper = scaled("adam", dynamic_growth_steps=3)
    for factor in (1.0, INF, 1.0):
        wrapper.apply_gradients([(tf.constant([factor, 1.0]), variable)])
    twin = copied(wrapper)
    twin_variable = tf.Variable(variable, name="w")
    twin.get_scaled_loss(twin.get_unscaled_gradients([tf.constant(1.0)])[0])
    for _ in range(3):
        wrapper.apply_gradients([(tf.constant([2.0, 1.0]), variable)])
        twin.apply_gradients([(tf.constant([2.0, 1.0]), twin_variable)])
        assert float(twin.loss_scale) == float(wrapper.loss_scale)
        assert int(twin.dynamic_counter) == int(wrapper.dynamic_counter)
    np.testing.assert_array_equal(twin_variable, variable)
    assert int(twin.iterations) == 5
    fixed = copied(LossScaleOptimizer("sgd", dynamic=False, initial_scale=8.0))
    assert (fixed.dynamic, fixed.initial_scale) == (False, 8.0)


class Named(LossScaleOptimizer):
    """A wrapper with an argument of its own, as programs derive it."""

    def __init__(self, inner_optimizer, label="mine", **options):
        super().__init__(inner_optimizer, **options)
        self.label = label


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda wrapper: pickle.loads(pickle.dumps(wrapper))])
@pytest.mark.parametrize("options", [{"dynamic_growth_steps": 3}, {"dynamic": False, "initial_scale": 2.0}])
def test_wrappers_of_a_derived_class_are_copied(copied, options):
    twin = copied(Named("sgd", label="yours", **options))
    assert (type(twin), twin.label) == (Named, "yours")
    assert {name: getattr(twin, name) for name in options} == options


def train(wrapper, variable, factors):
    for factor in factors:
        loss = tf.function(lambda f=factor: f * tf.reduce_sum(variable**2))
        wrapper.minimize(loss, [variable])


def wrapped_adam(library, rate=0.1):
    options = {"initial_scale": 16.0, "dynamic_growth_steps": 3}
    if library == "optreg":
        return LossScaleOptimizer(optreg.get_optimizer("adam", learning_rate=rate, beta_1=0.8), **options)
    return TheirWrapper(tf_keras.optimizers.legacy.Adam(rate, beta_1=0.8), **options)


@pytest.mark.parametrize("early", [True, False], ids=["before state exists", "into existing state"])
@pytest.mark.parametrize(("writer", "reader"), [("optreg", "tf_keras"), ("tf_keras", "optreg"), ("optreg", "optreg")])
def test_a_checkpoint_goes_between_the_libraries(tmp_path, writer, reader, early):
    variable, wrapper = tf.Variable([1.0, 2.0]), wrapped_adam(writer)
    train(wrapper, variable, [1.0, 1.0])
    path = tf.train.Checkpoint(variable=variable, optimizer=wrapper).save(str(tmp_path / "model"))
    train(wrapper, variable, [1.0, 2.0, 1.0])

    resumed_variable, resumed = tf.Variable([9.0, 9.0]), wrapped_adam(reader, rate=0.7)
    if not early:
        train(resumed, resumed_variable, [1.0])
    status = tf.train.Checkpoint(variable=resumed_variable, optimizer=resumed).restore(path)
    train(resumed, resumed_variable, [1.0, 2.0, 1.0])
    status.assert_consumed()
    np.testing.assert_allclose(resumed_variable, variable, rtol=1e-6)
    for name in ("loss_scale", "dynamic_counter", "iterations"):
        assert float(getattr(resumed, name)) == float(getattr(wrapper, name)), name


def test_a_checkpoint_goes_between_wrapped_and_bare_optimizers(tmp_path):
    variable, wrapper = tf.Variable([1.0, 2.0]), wrapped_adam("optreg")
    train(wrapper, variable, [1.0, 1.0])
    path = tf.train.Checkpoint(optimizer=wrapper, variable=variable).save(str(tmp_path / "wrapped"))
    bare = optreg.get_optimizer("adam")
    bare.build([variable])
    tf.train.Checkpoint(optimizer=bare, variable=variable).restore(path).assert_existing_objects_matched()
    for ours, theirs in zip(bare.weights, wrapper.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    path = tf.train.Checkpoint(optimizer=bare, variable=variable).save(str(tmp_path / "bare"))
    again = LossScaleOptimizer("adam", initial_scale=4.0)
    tf.train.Checkpoint(optimizer=again, variable=variable).restore(path).assert_nontrivial_match()
    again.build([variable])
    np.testing.assert_array_equal(again.get_slot(variable, "m"), wrapper.get_slot(variable, "m"))
    assert float(again.loss_scale) == 4.0


def test_a_state_dictionary_holds_the_scale_and_is_taken_back_strictly():
    variable, wrapper = tf.Variable([1.0, 2.0], name="w"), wrapped_adam("optreg")
    train(wrapper, variable, [1.0, INF, 1.0])
    state = wrapper.state_dict()
    assert {name: float(value) for name, value in state["loss_scale"].items()} == {
        "current_loss_scale": 8.0,
        "good_steps": 1.0,
    }
    other = wrapped_adam("optreg")
    assert not other.load_state_dict(state, [variable])
    assert (float(other.loss_scale), int(other.dynamic_counter), int(other.iterations)) == (8.0, 1, 2)
    for broken, complaint in (
        ({key: value for key, value in state.items() if key != "loss_scale"}, "missing: loss_scale.*good_steps"),
        ({**state, "loss_scale": {**state["loss_scale"], "color": 1.0}}, r"unexpected: loss_scale\['color'\]"),
        ({**state, "loss_scale": {**state["loss_scale"], "good_steps": [1, 2]}}, "misshapen: loss_scale.*good_steps"),
        ({**state, "loss_scale": {**state["loss_scale"], "current_loss_scale": -1.0}}, "misshapen: loss_scale"),
        ({**state, "loss_scale": 5}, "misshapen: loss_scale"),
    ):
        fresh = wrapped_adam("optreg")
        with pytest.raises(InvalidState, match=f"loss scale does not fit, and nothing was changed.*{complaint}"):
            fresh.load_state_dict(broken, [variable])
        assert fresh.weights == []
    with pytest.raises(InvalidState, match="nothing was changed.*missing: iterations"):
        fresh.load_state_dict({key: value for key, value in state.items() if key != "iterations"}, [variable])
    assert (float(fresh.loss_scale), int(fresh.dynamic_counter)) == (16.0, 0)
    report = fresh.load_state_dict({**state, "loss_scale": {"good_steps": 2}}, [variable], strict=False)
    assert report.missing == ("loss_scale['current_loss_scale']",)
    assert (float(fresh.loss_scale), int(fresh.dynamic_counter)) == (16.0, 2)
    fixed = LossScaleOptimizer("adam", dynamic=False, initial_scale=2.0)
    with pytest.raises(InvalidState, match="unexpected: loss_scale"):
        fixed.load_state_dict(state, [variable])
    assert "loss_scale" not in fixed.state_dict()


@pytest.fixture(scope="module")
def mirrored():
    # Collectives of several strategies in one process get in each other's way.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())


def distributed_history(strategy, wrapper, variable, steps, *, eager=False, forget_skipped=False, **options):
    """Make a step for each pair of gradients, one a replica; return (scale, iterations, values of the copies)."""

    def step(gradients):
        def replica(gradient):
            wrapper.apply_gradients([(gradient, variable)], **options)

        strategy.run(replica, args=(gradients,))

    call = step if eager else tf.function(step)
    history = []
    for values in steps:
        call(
            strategy.experimental_distribute_values_from_function(
                lambda context, values=values: tf.constant(values[context.replica_id_in_sync_group])
            )
        )
        if forget_skipped and not np.all(np.isfinite(values)):
            wrapper.iterations.assign_sub(1)
        copies = [copy.numpy() for copy in strategy.experimental_local_results(variable)]
        np.testing.assert_array_equal(copies[0], copies[-1])
        iterations = strategy.experimental_local_results(wrapper.iterations)[0]
        history.append((float(wrapper.loss_scale) / 2**15, int(iterations), copies[0].tolist()))
    return history


@pytest.mark.parametrize("eager", [False, True], ids=["graph", "eager"])
@pytest.mark.parametrize("inside", [True, False], ids=["made in the scope", "made outside"])
def test_replicas_make_a_step_together_or_not_at_all(mirrored, inside, eager):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        wrapper = scaled(sgd(1.0, momentum=0.5), dynamic_growth_steps=2) if inside else None
    wrapper = wrapper or scaled(sgd(1.0, momentum=0.5), dynamic_growth_steps=2)
    steps = [
        ([1.0, 1.0], [1.0, 2.0]),
        ([1.0, INF], [1.0, 1.0]),
        ([1.0, 1.0], [NAN, 1.0]),
        ([INF, 1.0], [-INF, 1.0]),
        # Finite in each replica, but not in their sum.
        ([3e38, 1.0], [3e38, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, 0.0], [0.0, 0.0]),
    ]
    assert distributed_history(mirrored, wrapper, variable, steps, eager=eager) == [
        (1.0, 1, [-2.0, -3.0]),
        (0.5, 1, [-2.0, -3.0]),
        (0.25, 1, [-2.0, -3.0]),
        (0.125, 1, [-2.0, -3.0]),
        (0.0625, 1, [-2.0, -3.0]),
        (0.0625, 2, [-3.0, -6.5]),
        (0.125, 3, [-3.5, -8.25]),
    ]


def test_replicas_agree_where_gradients_are_not_summed(mirrored):
    with mirrored.scope():
        variable = tf.Variable([0.0, 0.0])
        wrapper = scaled(sgd(1.0))
    steps = [([1.0, 2.0], [1.0, 2.0]), ([1.0, 1.0], [1.0, INF]), ([NAN, 1.0], [1.0, 1.0])]
    history = distributed_history(mirrored, wrapper, variable, steps, experimental_aggregate_gradients=False)
    assert history == [(1.0, 1, [-1.0, -2.0]), (0.5, 1, [-1.0, -2.0]), (0.25, 1, [-1.0, -2.0])]


def test_a_fixed_scale_sums_the_gradients_of_replicas_only_where_it_shall(mirrored):
    with mirrored.scope():
        variable = tf.Variable(0.0)
        wrapper = scaled(sgd(1.0), dynamic=False, initial_scale=2.0)

    def step():
        for aggregate in (True, False):
            wrapper.apply_gradients([(tf.constant(1.0), variable)], experimental_aggregate_gradients=aggregate)

    mirrored.run(step)
    assert float(variable.read_value()) == -2.0 - 1.0


def test_a_distributed_training_equals_that_of_tf_keras(mirrored):
    steps = [([1.0, 2.0], [0.5, -1.0]), ([1.0, INF], [1.0, 1.0]), ([0.25, 1.0], [1.0, 3.0]), ([1.0, 1.0], [2.0, 0.5])]
    histories = []
    for make in (
        lambda: scaled("adam", dynamic_growth_steps=2),
        lambda: TheirWrapper(tf_keras.optimizers.legacy.Adam(), dynamic_growth_steps=2),
    ):
        with mirrored.scope():
            variable, wrapper = tf.Variable([1.0, 2.0]), make()
        forget = isinstance(wrapper, TheirWrapper)
        histories.append(distributed_history(mirrored, wrapper, variable, steps, forget_skipped=forget))
    for (our_scale, our_step, ours), (their_scale, their_step, theirs) in zip(*histories, strict=True):
        assert (our_scale, our_step) == (their_scale, their_step)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_sparse_gradients_and_one_call_of_the_aggregator_under_distribution(mirrored):
    calls = []

    def total(pairs):
        calls.append(len(pairs))
        context = tf.distribute.get_replica_context()
        return [(context.all_reduce(tf.distribute.ReduceOp.SUM, gradient), variable) for gradient, variable in pairs]

    with mirrored.scope():
        table, bias = tf.Variable(tf.zeros((4, 1))), tf.Variable(0.0)
        summed, own = scaled(sgd(1.0)), scaled(sgd(1.0, gradient_aggregator=total))

    def replica(factor):
        slices = tf.IndexedSlices(tf.ones((2, 1)) * factor, tf.constant([1, 3]), tf.constant([4, 1]))
        summed.apply_gradients([(slices, table)])
        own.apply_gradients([(factor * 1.0, bias)])

    step = tf.function(lambda factor: mirrored.run(replica, args=(factor,)))
    for factor in (1.0, INF):
        step(tf.constant(factor))
    assert calls == [1, 1] * step.experimental_get_tracing_count()
    for number in range(2):
        np.testing.assert_array_equal(table.values[number][:, 0], [0.0, -2.0, 0.0, -2.0])
        assert float(bias.values[number]) == -2.0


def test_a_cross_replica_call_is_refused_and_the_scale_stays(mirrored):
    with mirrored.scope():
        variable, wrapper = tf.Variable(0.0), scaled("sgd")
        with pytest.raises(WrongContext, match="called in a cross-replica context"):
            wrapper.apply_gradients([(tf.constant(INF), variable)])
    assert float(wrapper.loss_scale) == 2.0**15


def test_a_session_skips_and_scales_as_eager_steps_do():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable, factor = tf.Variable([1.0, 2.0]), tf.compat.v1.placeholder(tf.float32, ())
        wrapper = LossScaleOptimizer(sgd(0.25), dynamic_growth_steps=2)
        loss = factor * variable**2
        train, [gradient] = wrapper.minimize(loss, [variable]), wrapper.get_gradients(loss, [variable])
        session.run(tf.compat.v1.global_variables_initializer())
        np.testing.assert_allclose(session.run(gradient, {factor: 1.0}), [2.0, 4.0])
        scales = []
        for value in (1.0, INF, 0.0, 1.0):
            session.run(train, {factor: value})
            scales.append(session.run(wrapper.loss_scale) / 2**15)
        assert scales == [1.0, 0.5, 0.5, 1.0]
        np.testing.assert_allclose(session.run(variable), [0.25, 0.5])
        assert session.run(wrapper.iterations) == 3


def small_gradients(wrapped, compute):
    """Train with float32 variables and a loss in ``compute`` whose gradients are about 1e-8; return the variable."""
    variable, inner = tf.Variable([1.0, 1.0]), sgd(1e6)
    optimizer = LossScaleOptimizer(inner) if wrapped else inner

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            narrow = tf.cast(variable, compute)
            loss = tf.reduce_sum(narrow * tf.constant([1e-4, 2e-4], compute)) * tf.constant(1e-4, compute)
            scaled_loss = optimizer.get_scaled_loss(loss) if wrapped else loss
        [gradient] = tape.gradient(scaled_loss, [variable])
        assert gradient.dtype == tf.float32
        [gradient] = optimizer.get_unscaled_gradients([gradient]) if wrapped else [gradient]
        optimizer.apply_gradients([(gradient, variable)])

    step()
    return variable.numpy()


def test_gradients_too_small_for_float16_arrive_when_the_loss_is_scaled():
    np.testing.assert_array_equal(small_gradients(wrapped=False, compute=tf.float16), [1.0, 1.0])
    np.testing.assert_allclose(small_gradients(wrapped=True, compute=tf.float16), [0.99, 0.98], rtol=1e-4)


def test_bfloat16_has_the_range_to_do_without_scaling():
    np.testing.assert_allclose(small_gradients(wrapped=False, compute=tf.bfloat16), [0.99, 0.98], rtol=1e-3)


def test_too_large_a_scale_finds_its_size_by_itself():
    variable, wrapper = tf.Variable([1.0, 2.0]), LossScaleOptimizer(sgd(0.125), initial_scale=2.0**30)

    def loss():
        return tf.reduce_sum(tf.cast(variable, tf.float16) ** 2)

    for _ in range(40):
        wrapper.minimize(loss, [variable])
    skipped = 40 - int(wrapper.iterations)
    assert skipped == 30 - np.log2(float(wrapper.loss_scale))
    assert skipped >= 15
    np.testing.assert_allclose(variable, [0.75 ** (40 - skipped), 2 * 0.75 ** (40 - skipped)], rtol=0.02)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras 3", "keras 2"])
def test_layers_with_a_mixed_policy_train_in_a_custom_loop(library, policy):
    seeds = [library.initializers.GlorotUniform(seed=seed) for seed in (5, 6)]
    layers = [
        library.layers.Dense(8, "tanh", dtype=policy, kernel_initializer=seeds[0]),
        library.layers.Dense(1, dtype=policy, kernel_initializer=seeds[1]),
    ]
    random = np.random.default_rng(2)
    inputs = random.normal(size=(32, 4)).astype("float32")
    targets = inputs[:, :1] - 0.5 * inputs[:, 1:2]
    for layer, width in zip(layers, (4, 8), strict=True):
        layer.build((None, width))
    variables = [variable for layer in layers for variable in layer.trainable_variables]
    wrapper = LossScaleOptimizer(optreg.get_optimizer("adam", learning_rate=0.03))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            outputs = layers[1](layers[0](inputs))
            loss = tf.reduce_mean((tf.cast(outputs, tf.float32) - targets) ** 2)
            scaled_loss = wrapper.get_scaled_loss(loss)
        assert outputs.dtype == (tf.float16 if policy == "mixed_float16" else tf.bfloat16)
        gradients = tape.gradient(scaled_loss, [getattr(v, "_value", v) if library is keras else v for v in variables])
        assert {gradient.dtype for gradient in gradients} == {tf.float32}
        wrapper.apply_gradients(zip(wrapper.get_unscaled_gradients(gradients), variables, strict=True))
        return loss

    losses = [float(step()) for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]
    assert {slot.dtype for slot in wrapper.weights[1:]} == {tf.float32}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for dtype in ("float16", "bfloat16")
        for name in optreg.list_optimizers(distribution="optreg", capability=dtype)
    ],
)
def test_16_bit_variables_train_close_to_float32_ones(name, dtype):
    finals = []
    for kind in (dtype, "float32"):
        variable = tf.Variable([1.0, -0.5], dtype=kind)
        wrapper = LossScaleOptimizer(optreg.get_optimizer(name, learning_rate=0.1), initial_scale=128.0)
        for _ in range(10):
            wrapper.minimize(lambda v=variable: tf.reduce_sum(v * v), [variable])
        assert int(wrapper.iterations) == 10
        finals.append(tf.cast(variable, tf.float32).numpy())
    tolerance = 0.01 if dtype == "float16" else 0.05
    np.testing.assert_allclose(*finals, atol=tolerance)
    should_move = np.abs(finals[1] - [1.0, -0.5]) > tolerance
    assert np.all((finals[0] != [1.0, -0.5]) | ~should_move)


def test_a_half_gradient_for_a_single_variable_is_refused_with_the_remedy():
    variable = tf.Variable(1.0, name="w")
    with pytest.raises(InvalidGradients, match="gradient of dtype float16 for variable 'w' of dtype float32: cast it"):
        sgd().apply_gradients([(tf.constant(1.0, tf.float16), variable)])
