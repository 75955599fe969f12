"""TensorFlow 1 style: a graph is built once, and a session runs its operations."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
from optreg.errors import InvalidGradients, InvalidVariable, WrongContext

v1 = tf.compat.v1
NAMES = optreg.list_optimizers(distribution="optreg")
REPEATED = ([3, 1, 3], [0, 4, 4], [2, 2, 5])
DISTINCT = ([3, 1], [0, 4], [2, 5, 1])


@pytest.fixture
def session():
    """A session with a graph of its own, both open."""
    with tf.Graph().as_default(), v1.Session() as session:
        yield session


def initialize(session):
    session.run(v1.global_variables_initializer())


def keras_twin(name):
    """Return tf_keras's class for what is registered under ``name``, or None."""
    return getattr(tf_keras.optimizers.legacy, type(optreg.get_optimizer(name)).__name__, None)


TWINS = [name for name in NAMES if keras_twin(name) is not None]


class Model:
    """Two dense variables and a table whose rows are looked up, with a loss over all three."""

    def __init__(self):
        self.matrix = tf.Variable([[0.5, -1.0], [2.0, 0.25]], name="matrix")
        self.bias = v1.get_variable("bias", initializer=0.75, use_resource=True)
        self.table = tf.Variable(tf.reshape(tf.range(12.0) / 8.0 - 0.6, (6, 2)), name="table")
        self.variables = [self.matrix, self.bias, self.table]

    def loss(self, rows):
        looked_up = tf.nn.embedding_lookup(self.table, rows)
        return tf.reduce_sum((looked_up @ self.matrix + self.bias) ** 2) / 6.0


def trained_in_session(optimizer, rows_of_steps=REPEATED):
    """Train a model in a graph of its own; return the values of all its variables by name."""
    with tf.Graph().as_default(), v1.Session() as session:
        model, rows = Model(), v1.placeholder(tf.int32, (None,))
        train = optimizer.minimize(lambda: model.loss(rows), model.variables)
        initialize(session)
        for chosen in rows_of_steps:
            session.run(train, {rows: chosen})
        return {variable.name: session.run(variable) for variable in v1.global_variables()}


def assert_same_variables(ours, theirs):
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=2e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("name", TWINS)
def test_variables_have_the_names_and_values_that_tf_keras_gives_them(name):
    ours = trained_in_session(optreg.get_optimizer(name, learning_rate=0.05))
    assert_same_variables(ours, trained_in_session(keras_twin(name)(learning_rate=0.05)))


@pytest.mark.parametrize("name", [name for name in TWINS if "decay" in optreg.get_optimizer(name)._hyper])
def test_decay_and_clipping_work_in_a_session_as_in_tf_keras(name):
    options = {"learning_rate": 0.05, "decay": 0.1, "clipvalue": 0.1}
    ours, theirs = optreg.get_optimizer(name, **options), keras_twin(name)(**options)
    assert_same_variables(trained_in_session(ours, DISTINCT), trained_in_session(theirs, DISTINCT))


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.05, "global_clipnorm": 0.1},
        {"learning_rate": tf_keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)},
        {"gradient_transformers": [lambda pairs: [(tf.clip_by_norm(g, 0.1), v) for g, v in pairs]]},
    ],
    ids=["global_clipnorm", "schedule", "transformer"],
)
def test_options_of_the_step_work_in_a_session_as_in_tf_keras(options):
    ours, theirs = optreg.get_optimizer("adam", **options), tf_keras.optimizers.legacy.Adam(**options)
    assert_same_variables(trained_in_session(ours, DISTINCT), trained_in_session(theirs, DISTINCT))


@pytest.mark.parametrize("name", NAMES)
def test_a_session_makes_the_steps_that_eager_calls_make(name):
    model, optimizer = Model(), optreg.get_optimizer(name, learning_rate=0.05)
    for rows in REPEATED:
        optimizer.minimize(lambda rows=rows: model.loss(rows), model.variables)
    in_session = trained_in_session(optreg.get_optimizer(name, learning_rate=0.05))
    for key, variable in zip(("matrix:0", "bias:0", "table:0"), model.variables, strict=True):
        np.testing.assert_allclose(in_session[key], variable, rtol=1e-6, atol=1e-7, err_msg=key)


def test_minimize_returns_an_operation_that_runs_itself(session):
    variable = tf.Variable(3.0)
    train = optreg.get_optimizer("sgd", learning_rate=0.25).minimize(lambda: variable**2, [variable])
    initialize(session)
    train.run()
    assert session.run(variable) == 1.5


@pytest.mark.parametrize("options", [None, {}, {"dynamic": False, "initial_scale": 8.0}])
def test_a_step_stands_in_the_scope_that_was_asked_for(session, options):
    optimizer = optreg.get_optimizer("sgd")
    optimizer = optimizer if options is None else optreg.LossScaleOptimizer(optimizer, **options)
    variable = tf.Variable(1.0)
    for name, made in (("mine", {"name": "mine"}), ("SGD", {})):
        before = set(tf.Graph.get_operations(session.graph))
        train = optimizer.minimize(lambda: variable**2, [variable], **made)
        assert train.name.startswith(f"{name}/")
        updates = {op for op in session.graph.get_operations() if "ResourceApply" in op.type} - before
        assert [op.name.split("/")[0] for op in updates] == [name] * len(updates)


def test_a_loss_tensor_needs_no_tape_in_a_graph(session):
    variable, unused = tf.Variable([3.0, 1.0]), tf.Variable(1.0, name="unused")
    loss = variable**2
    optimizer = optreg.get_optimizer("sgd", learning_rate=0.5)
    train = optimizer.minimize(loss, {"nested": [variable]}, grad_loss=tf.constant([0.5, 0.0]))
    with pytest.warns(UserWarning, match="no gradient for the variables unused"):
        optimizer.minimize(loss, [variable, unused])
    initialize(session)
    session.run(train)
    np.testing.assert_array_equal(session.run(variable), [1.5, 1.0])


def test_a_loss_tensor_needs_no_tape_in_a_traced_function():
    variable = tf.Variable(3.0)
    optimizer = optreg.get_optimizer("sgd", learning_rate=0.25)

    @tf.function
    def step():
        loss = variable**2
        optimizer.minimize(loss, [variable])

    step()
    assert float(variable) == 1.5


def test_the_methods_for_authors_see_a_loss_tensor_like_any_other(session):
    class Halving(type(optreg.get_optimizer("sgd"))):
        def _transform_loss(self, loss):
            return loss / 2.0

        def _get_gradients(self, tape, loss, var_list, grad_loss=None):
            return [(4.0 * g, v) for g, v in super()._get_gradients(tape, loss, var_list, grad_loss)]

    variable = tf.Variable(1.0)
    train = Halving(0.125).minimize(3.0 * variable, [variable])
    initialize(session)
    session.run(train)
    assert session.run(variable) == 1.0 - 0.125 * 3.0 / 2.0 * 4.0


def test_no_var_list_gets_the_way_to_find_the_variables(session):
    with pytest.raises(InvalidGradients, match=r"None as var_list.*tf.compat.v1.trainable_variables\(\)"):
        optreg.get_optimizer("sgd").minimize(tf.Variable(1.0) ** 2, None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {"clipnorm": 0.5}) for name in TWINS),
        ("sgd", {"gradient_transformers": [lambda pairs: [(2.0 * g, v) for g, v in pairs]]}),
    ],
)
def test_gradients_and_updates_are_those_of_tf_keras(name, options):
    def values(optimizer):
        with tf.Graph().as_default(), v1.Session() as session:
            variable = tf.Variable([3.0, 4.0])
            loss = tf.reduce_sum(variable**2)
            gradients, [update] = optimizer.get_gradients(loss, [variable]), optimizer.get_updates(loss, [variable])
            initialize(session)
            found = session.run(gradients)
            session.run(update)
            return [*found, session.run(variable)]

    ours = values(optreg.get_optimizer(name, learning_rate=1.0, **options))
    units = 1 if name == "nadam" else 0  # of its steps the operations are the same, in another order
    np.testing.assert_array_max_ulp(np.array(ours), np.array(values(keras_twin(name)(1.0, **options))), maxulp=units)


@pytest.mark.parametrize("writer", ["optreg", "tf_keras"])
def test_a_saver_moves_all_state_between_graphs_and_libraries(tmp_path, writer):
    def steps(optimizer, count, *, restore=None, save=None):
        with tf.Graph().as_default(), v1.Session() as session:
            model = Model()
            train = optimizer.minimize(lambda: model.loss([3, 1, 4]), model.variables)
            saver = v1.train.Saver()
            initialize(session)
            if restore:
                saver.restore(session, restore)
            for _ in range(count):
                session.run(train)
            values = {variable.name: session.run(variable) for variable in v1.global_variables()}
            return saver.save(session, save) if save else values

    makers = {"optreg": lambda: optreg.get_optimizer("adam", learning_rate=0.1, beta_1=0.8)}
    makers["tf_keras"] = lambda: tf_keras.optimizers.legacy.Adam(0.1, beta_1=0.8)
    path = steps(makers[writer](), 3, save=str(tmp_path / "model"))
    undisturbed = steps(makers["optreg"](), 5)
    assert_same_variables(steps(optreg.get_optimizer("adam", learning_rate=0.7), 2, restore=path), undisturbed)


def test_a_checkpoint_goes_from_a_session_to_eager_training_and_back(tmp_path):
    def in_session(*, restore=None):
        with tf.Graph().as_default(), v1.Session() as session:
            model, optimizer = Model(), optreg.get_optimizer("adam", learning_rate=0.1)
            checkpoint = tf.train.Checkpoint(optimizer=optimizer, **vars_of(model))
            status = checkpoint.restore(restore) if restore else None
            train = optimizer.minimize(lambda: model.loss([3, 1, 4]), model.variables)
            initialize(session)
            if status is not None:
                status.assert_consumed().run_restore_ops(session)
            session.run(train)
            session.run(train)
            return session.run(model.variables), checkpoint.save(str(tmp_path / "session"))

    def eagerly(*, restore=None):
        model, optimizer = Model(), optreg.get_optimizer("adam", learning_rate=0.1)
        checkpoint = tf.train.Checkpoint(optimizer=optimizer, **vars_of(model))
        status = checkpoint.restore(restore) if restore else None
        for _ in range(2):
            optimizer.minimize(lambda: model.loss([3, 1, 4]), model.variables)
        if status is not None:
            status.assert_consumed()
        return [variable.numpy() for variable in model.variables], checkpoint.save(str(tmp_path / "eager"))

    def vars_of(model):
        return {"matrix": model.matrix, "bias": model.bias, "table": model.table}

    _, from_session = in_session()
    after_eager, from_eager = eagerly(restore=from_session)
    after_session, _ = in_session(restore=from_eager)
    model, optimizer = Model(), optreg.get_optimizer("adam", learning_rate=0.1)
    for step in range(6):
        optimizer.minimize(lambda: model.loss([3, 1, 4]), model.variables)
        expected = {3: after_eager, 5: after_session}.get(step, [])
        for found, variable in zip(expected, model.variables, strict=bool(expected)):
            np.testing.assert_allclose(found, variable, rtol=1e-6)


def step_sizes(session, optimizer, feeds):
    """Return how far each step moves a variable whose gradient is 1."""
    variable = tf.Variable(0.0)
    train = optimizer.minimize(variable + 0.0, [variable])
    initialize(session)
    values = [0.0]
    for feed in feeds:
        session.run(train, feed)
        values.append(session.run(variable))
    return -np.diff(values)


def test_a_placeholder_as_learning_rate_is_fed_at_each_step(session):
    rate = v1.placeholder(tf.float32, ())
    optimizer = optreg.get_optimizer("sgd", learning_rate=rate)
    np.testing.assert_allclose(step_sizes(session, optimizer, [{rate: 0.5}, {rate: 2.0}]), [0.5, 2.0])
    with pytest.raises(WrongContext, match="has a value only while a session runs, so it cannot be read or saved"):
        optimizer.get_config()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: tf.constant(0.25) * 2.0, [0.5, 0.5]),
        (lambda: lambda: tf.constant(0.25), [0.25, 0.25]),
        (lambda: tf.Variable(0.5), [0.5, 0.5]),
        (lambda: tf_keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.5]), [1.0, 0.5]),
    ],
    ids=["tensor", "callable", "variable", "schedule"],
)
def test_every_kind_of_learning_rate_works_in_a_graph(session, make, expected):
    optimizer = optreg.get_optimizer("sgd", learning_rate=make())
    np.testing.assert_allclose(step_sizes(session, optimizer, [{}, {}]), expected)


def test_an_eager_tensor_as_learning_rate_works_in_a_graph():
    rate = tf.constant(0.25, tf.float64)
    with tf.Graph().as_default(), v1.Session() as session:
        optimizer = optreg.get_optimizer("sgd", learning_rate=rate)
        np.testing.assert_allclose(step_sizes(session, optimizer, [{}]), [0.25])


def test_a_learning_rate_assigned_between_steps_reaches_the_session(session):
    variable = tf.Variable(0.0)
    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0)
    train = optimizer.minimize(variable + 0.0, [variable])
    initialize(session)
    tf.compat.v1.get_default_graph().finalize()
    session.run(train)
    optimizer.learning_rate = 0.25
    session.run(train)
    assert session.run(variable) == -1.25
    assert optimizer.get_config()["learning_rate"] == 0.25
    session.run(optimizer.learning_rate.initializer)
    assert optimizer.get_config()["learning_rate"] == 1.0


def test_a_placeholder_assigned_later_replaces_the_number(session):
    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0)
    optimizer.build([tf.Variable(1.0)])
    rate = optimizer.learning_rate = v1.placeholder(tf.float32, ())
    np.testing.assert_allclose(step_sizes(session, optimizer, [{rate: 0.125}]), [0.125])


def test_assigning_without_a_session_is_refused_and_changes_nothing():
    with tf.Graph().as_default():
        optimizer = optreg.get_optimizer("sgd", learning_rate=1.0)
        optimizer.build([tf.Variable(1.0)])
        with pytest.raises(WrongContext, match=r"needs a session: call this inside `with tf.compat.v1.Session\(\):`"):
            optimizer.learning_rate = 0.5
        assert optimizer.get_config()["learning_rate"] == 1.0


def test_a_number_that_a_variable_replaced_does_not_stand_in_for_its_value(session):
    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0)
    optimizer.build([tf.Variable(1.0)])
    optimizer.learning_rate = tf.Variable(0.5)
    with pytest.raises(WrongContext, match="not initialized"):
        optimizer.get_config()
    initialize(session)
    assert optimizer.get_config()["learning_rate"] == 0.5


def test_assigning_before_initialization_is_refused_because_it_would_be_undone(session):
    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0)
    optimizer.build([tf.Variable(1.0)])
    with pytest.raises(WrongContext, match=r"not initialized all of learning_rate: run tf.compat.v1.global_variables_"):
        optimizer.learning_rate = 0.5
    initialize(session)
    assert session.run(optimizer.learning_rate) == 1.0


def test_weights_are_read_and_set_through_the_session(session):
    variable = tf.Variable([1.0, 2.0])
    optimizer = optreg.get_optimizer("adam", learning_rate=0.1)
    train = optimizer.minimize(variable**2, [variable])
    with pytest.raises(WrongContext, match="has not initialized all of Adam/iter, Variable/m, Variable/v|initialized"):
        optimizer.get_weights()
    initialize(session)
    session.run(train)
    weights = optimizer.get_weights()
    assert weights[0] == 1
    np.testing.assert_allclose(weights[1], [0.2, 0.4], rtol=1e-6)
    optimizer.set_weights([7, *(2.0 * weight for weight in weights[1:])])
    assert session.run(optimizer.iterations) == 7
    np.testing.assert_allclose(session.run(optimizer.get_slot(variable, "m")), [0.4, 0.8], rtol=1e-6)


def test_a_constraint_follows_the_update(session):
    variable = tf.Variable([1.0, 1.0], constraint=lambda value: tf.maximum(value, 0.5))
    train = optreg.get_optimizer("sgd", learning_rate=1.0).minimize(variable * [0.25, 3.0], [variable])
    initialize(session)
    session.run(train)
    np.testing.assert_array_equal(session.run(variable), [0.75, 0.5])


def test_a_plugin_takes_part_in_a_graph(session):
    class Doubling:
        @optreg.hookimpl
        def apply_updates(self, grads_and_vars):
            (gradient, variable), *rest = grads_and_vars
            return [variable.assign_sub(2.0 * gradient)], rest

    first, second = tf.Variable(0.0), tf.Variable(0.0)
    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, plugins=[Doubling()])
    train = optimizer.minimize(first + second, [first, second])
    initialize(session)
    session.run(train)
    assert session.run([first, second, optimizer.iterations]) == [-2.0, -1.0, 1]


def test_a_loss_with_control_flow_is_differentiated(session):
    variable, doubled = tf.Variable(1.0), v1.placeholder(tf.bool, ())
    power = tf.while_loop(lambda i, value: i < 3, lambda i, value: (i + 1, value * variable), [0, 1.0])[1]
    loss = tf.cond(doubled, lambda: 2.0 * power, lambda: power)
    train = optreg.get_optimizer("sgd", learning_rate=0.125).minimize(loss, [variable])
    initialize(session)
    session.run(train, {doubled: True})
    assert session.run(variable) == 1.0 - 0.125 * 2.0 * 3.0
    session.run(train, {doubled: False})
    assert session.run(variable) == 0.25 - 0.125 * 3.0 * 0.25**2


def test_a_step_inside_control_flow_is_made_as_often_as_it_is_reached(session):
    variable, wanted = tf.Variable(10.0), v1.placeholder(tf.bool, ())
    optimizer = optreg.get_optimizer("adam", learning_rate=1.0)

    def step(number):
        with tf.control_dependencies([optimizer.apply_gradients([(tf.constant(1.0), variable)])]):
            return number + 1

    maybe = tf.cond(wanted, lambda: step(tf.constant(0)), lambda: tf.constant(0))
    thrice = tf.while_loop(lambda number: number < 3, step, [tf.constant(0)])
    initialize(session)
    session.run(maybe, {wanted: False})
    assert session.run(optimizer.iterations) == 0
    session.run(maybe, {wanted: True})
    session.run(thrice)
    assert session.run(optimizer.iterations) == 4
    np.testing.assert_allclose(session.run(variable), 6.0, rtol=1e-5)


def test_a_traced_function_called_in_a_graph_makes_the_step(session):
    variable = tf.Variable(1.0)
    optimizer = optreg.get_optimizer("adam", learning_rate=0.5)
    optimizer.build([variable])

    @tf.function
    def step():
        with tf.control_dependencies([optimizer.minimize(lambda: variable**2, [variable])]):
            return optimizer.iterations.read_value()

    steps_made = step()
    initialize(session)
    assert session.run(steps_made) == 1
    assert session.run(variable) == pytest.approx(0.5, rel=1e-5)


def test_two_optimizers_in_one_graph_keep_their_state_apart(session):
    variable = tf.Variable([1.0, 2.0], name="w")
    trains = [
        optreg.get_optimizer("adam", learning_rate=rate).minimize(variable**2, [variable]) for rate in (0.1, 0.01)
    ]
    names = [variable.name for variable in v1.global_variables()]
    assert len(names) == len(set(names))
    assert {"Adam/w/m:0", "Adam_1/w/m:0", "Adam/iter:0", "Adam_1/iter:0"} <= set(names)
    initialize(session)
    session.run(trains[0])
    np.testing.assert_allclose(session.run(variable), [0.9, 1.9], rtol=1e-5)
    session.run(trains[1])
    np.testing.assert_allclose(session.run(variable), [0.89, 1.89], rtol=1e-5)


def test_one_optimizer_makes_several_operations_over_the_same_state(session):
    first, second = tf.Variable(1.0), tf.Variable(1.0)
    optimizer = optreg.get_optimizer("sgd", learning_rate=0.5, momentum=0.5)
    one, both = (optimizer.minimize(first + second, chosen) for chosen in ([first], [first, second]))
    initialize(session)
    session.run(one)
    session.run(both)
    # velocities: -0.5 and then -0.75
    assert session.run([first, second, optimizer.iterations]) == [1.0 - 0.5 - 0.75, 0.5, 2]


def test_each_graph_of_a_process_has_its_own_optimizer():
    results = []
    for rate in (0.5, 0.25):
        with tf.Graph().as_default(), v1.Session() as session:
            results.append(step_sizes(session, optreg.get_optimizer("sgd", learning_rate=rate), [{}, {}]))
    np.testing.assert_allclose(results, [[0.5, 0.5], [0.25, 0.25]])


def test_an_optimizer_of_another_graph_is_refused():
    optimizer = optreg.get_optimizer("adam")
    with tf.Graph().as_default():
        optimizer.build([tf.Variable(1.0, name="w")])
    with (
        tf.Graph().as_default(),
        pytest.raises(WrongContext, match="'w|'Adam/iter|'iter' was created in another graph, and the step is made in"),
    ):
        optimizer.apply_gradients([(tf.constant(1.0), tf.Variable(1.0, name="w"))])
    variable = tf.Variable(1.0)
    with pytest.raises(WrongContext, match="'iter' was created in a graph, and the step is made eagerly: create the"):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    assert float(variable) == 1.0


@pytest.mark.parametrize("read", [True, False])
def test_an_optimizer_used_eagerly_is_refused_in_a_graph(read):
    optimizer = optreg.get_optimizer("adam")
    if read:
        _ = optimizer.learning_rate
    else:
        optimizer.build([tf.Variable(1.0)])
    with tf.Graph().as_default():
        variable = tf.Variable(1.0, name="w")
        with pytest.raises(
            WrongContext, match="was created eagerly, and the step is made in a graph: create the model"
        ):
            optimizer.apply_gradients([(tf.constant(1.0), variable)])
        assert [found.name for found in v1.global_variables()] == ["w:0"]


def test_a_reference_variable_is_refused_before_anything_is_created(session):
    variable = v1.Variable([1.0], name="old", use_resource=False)
    with pytest.raises(InvalidVariable, match=r"'old' is a reference variable .*float32_ref.*use_resource=True"):
        optreg.get_optimizer("adam").minimize(tf.reduce_sum(variable), [variable])
    assert [found.name for found in v1.global_variables()] == ["old:0"]


@pytest.mark.parametrize("use_resource", [True, False])
def test_the_global_step_can_count_the_iterations(session, use_resource):
    steps = v1.Variable(5, dtype=tf.int64, trainable=False, name="global_step", use_resource=use_resource)
    optimizer = optreg.get_optimizer("sgd", learning_rate=tf_keras.optimizers.schedules.PolynomialDecay(1.0, 8, 0.0))
    optimizer.iterations = steps
    np.testing.assert_allclose(step_sizes(session, optimizer, [{}, {}]), [1 - 5 / 8, 1 - 6 / 8])
    assert session.run(steps) == 7


def test_a_monitored_session_trains_saves_and_resumes(tmp_path):
    def train(last_step):
        with tf.Graph().as_default():
            variable = v1.get_variable("w", initializer=[1.0, 2.0], use_resource=True)
            optimizer = optreg.get_optimizer("adam", learning_rate=0.1)
            optimizer.iterations = v1.train.get_or_create_global_step()
            operation = optimizer.minimize(variable**2, v1.trainable_variables())
            with tf.control_dependencies([operation]):
                after = variable.read_value()
            stop = v1.train.StopAtStepHook(last_step=last_step)
            options = {"checkpoint_dir": str(tmp_path), "save_summaries_steps": None, "log_step_count_steps": None}
            with v1.train.MonitoredTrainingSession(hooks=[stop], **options) as session:
                while not session.should_stop():
                    _, value = session.run([operation, after])
            return value

    train(2)
    resumed = train(5)
    variable, optimizer = tf.Variable([1.0, 2.0]), optreg.get_optimizer("adam", learning_rate=0.1)
    for _ in range(5):
        optimizer.minimize(lambda: variable**2, [variable])
    np.testing.assert_allclose(resumed, variable, rtol=1e-6)


def test_a_wrapped_function_makes_steps():
    variable, optimizer = tf.Variable([1.0, 2.0]), optreg.get_optimizer("adam", learning_rate=0.5)
    step = v1.wrap_function(
        lambda gradient: optimizer.apply_gradients([(gradient, variable)]) and None, [tf.TensorSpec((2,), tf.float32)]
    )
    for _ in range(2):
        step(tf.ones(2))
    np.testing.assert_allclose(variable, [0.0, 1.0], atol=1e-5)
    assert int(optimizer.iterations) == 2


WITHOUT_EAGER = """
    import json
    import sys
    import numpy as np
    import tensorflow as tf
    import optreg

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    variable = tf.Variable([1.0, 2.0], name="w")
    rows = v1.placeholder(tf.int32, (None,))
    optimizer = optreg.get_optimizer("adam", learning_rate=0.5)
    train = optimizer.minimize(tf.reduce_sum(tf.gather(variable, rows)), v1.trainable_variables())
    session = v1.Session()
    session.run(v1.global_variables_initializer())
    for chosen in ([0], [0, 1]):
        session.run(train, {rows: chosen})
    with session.as_default():
        optimizer.learning_rate = 0.0
        weights = optimizer.get_weights()
    session.run(train, {rows: [1]})
    v1.disable_resource_variables()
    try:
        optimizer.minimize(v1.get_variable("old", initializer=1.0) ** 2, v1.trainable_variables())
    except optreg.errors.InvalidVariable as error:
        refusal = str(error)
    print(json.dumps({
        "values": session.run(variable).tolist(),
        "names": [v.name for v in v1.global_variables()],
        "steps": int(weights[0]),
        "m": weights[1].tolist(),
        "refusal": refusal,
    }))
"""


def test_a_program_without_eager_execution_trains():
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT_EAGER)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    variable, optimizer = tf.Variable([1.0, 2.0]), optreg.get_optimizer("adam", learning_rate=0.5)
    for chosen in ([0], [0, 1]):
        optimizer.minimize(lambda chosen=chosen: tf.reduce_sum(tf.gather(variable, chosen)), [variable])
    np.testing.assert_allclose(found["values"], variable, rtol=1e-6)
    np.testing.assert_allclose(found["m"], optimizer.get_slot(variable, "m"), rtol=1e-6)
    assert found["steps"] == 2
    assert {"w:0", "Adam/iter:0", "Adam/learning_rate:0", "Adam/w/m:0"} <= set(found["names"])
    assert "'old' is a reference variable" in found["refusal"]
