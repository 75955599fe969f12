from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
import optreg.legacy
from optreg.errors import HyperparameterTypeError, InvalidHyperparameter, UnknownHyperparameter
from optreg_classic.adam import Adam
from optreg_classic.sgd import SGD

ONE = tf.constant(1.0)


def stepped(optimizer, steps=1):
    """Return how far a weight moves in each step under a gradient of one."""
    variable = tf.Variable(0.0, dtype=tf.float64)
    moved = []
    for _ in range(steps):
        before = float(variable)
        optimizer.apply_gradients([(tf.constant(1.0, tf.float64), variable)])
        moved.append(before - float(variable))
    return moved


class HalvingSchedule:
    """A schedule that belongs to no Keras."""

    def __init__(self, start):
        self.start = start

    def __call__(self, step):
        return self.start * 0.5**step

    def get_config(self):
        return {"start": self.start}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@pytest.mark.parametrize(
    "rate",
    [
        0.25,
        np.float32(0.25),
        np.array(0.25),
        tf.constant(0.25),
        tf.Variable(0.25),
        lambda: 0.25,
        lambda: tf.constant(0.25),
    ],
    ids=["number", "numpy scalar", "numpy array", "tensor", "variable", "callable", "callable of a tensor"],
)
def test_every_kind_of_learning_rate_gives_the_same_step(rate):
    np.testing.assert_allclose(stepped(SGD(rate)), [0.25])


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [0.5, 0.25, 0.125]),
        lambda: tf_keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.5, 0.25, 0.125]),
        lambda: HalvingSchedule(0.5),
    ],
    ids=["keras", "tf_keras", "own"],
)
def test_every_kind_of_schedule_is_followed(make):
    schedule = make()
    expected = [float(schedule(tf.constant(float(step)))) for step in range(3)]
    np.testing.assert_allclose(stepped(SGD(schedule), 3), expected)
    assert expected[0] > expected[-1]


def test_a_callable_is_called_at_each_step():
    rates = iter([1.0, 0.5, 0.25])
    assert stepped(SGD(lambda: next(rates)), 3) == [1.0, 0.5, 0.25]


def test_decay_is_inverse_in_time():
    np.testing.assert_allclose(stepped(SGD(0.5, decay=0.25), 4), [0.5 / (1 + 0.25 * step) for step in range(4)])


def test_decay_multiplies_a_schedule():
    np.testing.assert_allclose(stepped(SGD(HalvingSchedule(1.0), decay=1.0), 3), [1.0, 0.5 / 2, 0.25 / 3], rtol=1e-7)


def test_decay_can_be_changed_later():
    optimizer = SGD(0.5)
    stepped(optimizer, 2)
    optimizer.decay = 0.5
    np.testing.assert_allclose(stepped(optimizer), [0.5 / (1 + 0.5 * 2)])


@pytest.mark.parametrize("name", ["learning_rate", "lr"])
def test_assignment_reaches_a_function_already_traced(name):
    variable = tf.Variable(0.0)
    optimizer = SGD(0.5)
    step = tf.function(lambda: optimizer.apply_gradients([(ONE, variable)]) and None)
    step()
    setattr(optimizer, name, 0.125)
    step()
    assert float(variable) == -0.625
    assert float(getattr(optimizer, name)) == 0.125


def test_a_tensor_hyperparameter_can_be_assigned_like_a_number():
    variable = tf.Variable(0.0)
    optimizer = SGD(tf.constant(0.5))
    step = tf.function(lambda: optimizer.apply_gradients([(ONE, variable)]) and None)
    step()
    optimizer.learning_rate = 0.125
    step()
    assert float(variable) == -0.625


def test_a_variable_given_as_hyperparameter_stays_the_users():
    rate = tf.Variable(0.5)
    optimizer = SGD(rate)
    stepped(optimizer)
    rate.assign(0.125)
    assert stepped(optimizer) == [0.125]


def test_the_learning_rate_can_be_assigned_through_its_variable():
    optimizer = SGD(0.5)
    optimizer.learning_rate.assign(0.25)
    assert stepped(optimizer) == [0.25]


def test_a_number_can_be_replaced_by_a_schedule_and_back():
    optimizer = SGD(0.5)
    stepped(optimizer)
    optimizer.learning_rate = HalvingSchedule(4.0)
    assert stepped(optimizer) == [2.0]
    optimizer.learning_rate = 0.125
    assert stepped(optimizer) == [0.125]
    assert float(optimizer.learning_rate) == 0.125


def test_a_changed_momentum_reaches_a_function_already_traced():
    variable = tf.Variable(0.0)
    optimizer = SGD(1.0, momentum=0.5)
    step = tf.function(lambda: optimizer.apply_gradients([(ONE, variable)]) and None)
    step()
    optimizer.momentum = 0.0
    step()
    assert float(variable) == -2.0


def test_momentum_switched_on_later_takes_effect():
    variable = tf.Variable(0.0)
    optimizer = SGD(1.0)
    optimizer.apply_gradients([(ONE, variable)])
    optimizer.momentum = 0.5
    for _ in range(2):
        optimizer.apply_gradients([(ONE, variable)])
    # u = -1, then -1.5, after the first step without velocity
    assert float(variable) == -1.0 - 1.0 - 1.5
    assert optimizer.get_slot_names() == ["momentum"]


def test_momentum_switched_on_after_tracing_is_refused():
    variable = tf.Variable(0.0)
    optimizer = SGD(1.0)
    tf.function(lambda: optimizer.apply_gradients([(ONE, variable)]) and None)()
    with pytest.raises(InvalidHyperparameter, match="momentum cannot be switched on once a tf.function has traced"):
        optimizer.momentum = 0.5
    assert float(optimizer.momentum) == 0.0
    optimizer.apply_gradients([(ONE, variable)])
    assert (float(variable), optimizer.get_slot_names()) == (-2.0, [])


def test_a_tensor_of_double_precision_is_a_hyperparameter_of_double_precision():
    optimizer = SGD(tf.constant(0.1, tf.float64))
    assert stepped(optimizer) == [0.1]
    assert optimizer.learning_rate.dtype == tf.float64


def test_epsilon_zero_means_zero():
    optimizer = Adam(1.0, epsilon=0.0)
    assert optimizer.get_config()["epsilon"] == 0.0
    # With a tiny gradient the default epsilon of 1e-7 would swallow the step.
    variable = tf.Variable(0.0, dtype=tf.float64)
    optimizer.apply_gradients([(tf.constant(1e-12, tf.float64), variable)])
    np.testing.assert_allclose(float(variable), -1.0, rtol=1e-4)
    assert Adam(epsilon=None).epsilon == 1e-7


def test_lr_is_accepted_with_a_warning():
    with pytest.warns(UserWarning, match="the argument lr is deprecated, use learning_rate"):
        optimizer = SGD(lr=0.125)
    assert float(optimizer.learning_rate) == 0.125


def test_a_misspelt_attribute_suggests_the_hyperparameter():
    optimizer = Adam()
    with pytest.raises(
        UnknownHyperparameter, match="Adam: unknown hyperparameter 'learning_rte'. Did you mean 'learning_ra"
    ):
        optimizer.learning_rte = 5
    with pytest.raises(UnknownHyperparameter, match="Did you mean 'global_clipnorm'"):
        optimizer.global_clip_norm = 5
    assert not hasattr(optimizer, "learning_rte")


def test_other_attributes_stay_free():
    optimizer = Adam()
    optimizer.beta_3 = 0.5
    optimizer.model = "resnet"
    optimizer._private_learning_rat = 1
    assert (optimizer.beta_3, optimizer.model) == (0.5, "resnet")
    with pytest.raises(AttributeError, match="'Adam' object has no attribute 'learning_rat'"):
        _ = optimizer.learning_rat


def test_hyperparameters_are_listed_by_dir():
    assert {"learning_rate", "beta_1", "epsilon"} <= set(dir(Adam()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"learning_rat": 0.1},
            "SGD: unknown hyperparameter 'learning_rat'. Did you mean 'learning_rate'. Allowed: learning_rate, mom",
        ),
        ({"weight_decay": 0.1}, "SGD: unknown hyperparameter 'weight_decay'"),
    ],
)
def test_an_unknown_hyperparameter_is_named(arguments, message):
    with pytest.raises(UnknownHyperparameter, match=message):
        SGD(**arguments)
    with pytest.raises(TypeError):
        SGD(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"learning_rate": None},
            "SGD: learning_rate must be a number, a scalar tensor, .* received None of type NoneTyp",
        ),
        ({"learning_rate": "fast"}, "received 'fast' of type str"),
        ({"momentum": "big"}, "SGD: momentum must be a number, .* received 'big' of type str"),
        ({"momentum": None}, "SGD: momentum must be a number, .* received None of type NoneType"),
        ({"learning_rate": [0.1]}, r"received \[0.1\] of type list"),
        ({"learning_rate": tf.constant([0.1, 0.2])}, r"received a EagerTensor of shape \(2,\)"),
        (
            {"learning_rate": lambda step: 0.1},
            r"callable with required arguments \['step'\]. A callable hyper.*get_config",
        ),
        ({"clipnorm": "big"}, r"SGD: clipnorm must be a number in \[0, inf\) or None, received 'big' of type str"),
        ({"nesterov": "yes"}, "SGD: nesterov must be True or False, received 'yes' of type str"),
        ({"decay": "slow"}, "SGD: decay must be a number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(arguments, message):
    with pytest.raises(HyperparameterTypeError, match=message):
        SGD(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"momentum": 1.5}, r"SGD: momentum must be in \[0, 1\], received 1.5"),
        ({"momentum": -0.1}, r"SGD: momentum must be in \[0, 1\], received -0.1"),
        ({"learning_rate": -1.0}, r"SGD: learning_rate must be in \[0, inf\), received -1"),
        ({"learning_rate": float("nan")}, "SGD: learning_rate must be in .* received nan"),
        ({"clipnorm": -1}, r"SGD: clipnorm must be in \[0, inf\), received -1"),
        ({"clipvalue": float("nan")}, "SGD: clipvalue must be in .* received nan"),
        ({"decay": -0.5}, r"SGD: decay must be in \[0, inf\), received -0.5"),
        ({"clipnorm": 1.0, "global_clipnorm": 1.0}, "SGD: clipnorm and global_clipnorm cannot be used together"),
    ],
)
def test_a_value_out_of_range_is_refused(arguments, message):
    with pytest.raises(InvalidHyperparameter, match=message):
        SGD(**arguments)


def test_a_value_out_of_range_cannot_be_assigned():
    optimizer = Adam()
    stepped(optimizer)
    with pytest.raises(InvalidHyperparameter, match=r"Adam: beta_2 must be in \[0, 1\), received 1"):
        optimizer.beta_2 = 1.0
    with pytest.raises(InvalidHyperparameter, match=r"Adam: epsilon must be in \[0, inf\), received -1"):
        optimizer.epsilon = -1.0
    np.testing.assert_allclose(float(optimizer.beta_2), 0.999)


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("wrong", [-1, float("nan")])
def test_a_decay_out_of_range_can_neither_be_assigned_nor_loaded(steps, wrong):
    optimizer = Adam(decay=0.5)
    variable = tf.Variable(1.0, name="w")
    for _ in range(steps):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    with pytest.raises(InvalidHyperparameter, match=r"Adam: decay must be in \[0, inf\), received (-1|nan)"):
        optimizer.decay = wrong
    optimizer.build([variable])
    state = optimizer.state_dict()
    state["hyperparameters"]["decay"] = np.float32(wrong)
    with pytest.raises(InvalidHyperparameter, match=r"Adam: decay must be in \[0, inf\), received (-1|nan)"):
        optimizer.load_state_dict(state)
    assert optimizer.get_config()["decay"] == 0.5


@pytest.mark.parametrize("graph", [False, True])
def test_a_callable_that_raises_changes_no_state(graph):
    failing = False

    def rate():
        if failing:
            raise RuntimeError("the file with the rate is gone")
        return 0.5

    variable = tf.Variable(0.0)
    optimizer = SGD(rate, momentum=0.5)
    optimizer.apply_gradients([(ONE, variable)])
    before = [float(variable), *(float(weight) for weight in optimizer.weights)]
    failing = True

    def step():
        optimizer.apply_gradients([(ONE, variable)])

    with pytest.raises(RuntimeError, match="the file with the rate is gone"):
        (tf.function(step) if graph else step)()
    assert [float(variable), *(float(weight) for weight in optimizer.weights)] == before


class _ReadsNoOldName(optreg.Optimizer):
    """Written without a thought of lr."""

    def __init__(self, rate_name="learning_rate", name="ReadsNoOldName", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper(rate_name, 0.01)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(grad)


def test_the_old_name_of_the_learning_rate_reaches_a_class_that_does_not_read_it():
    with pytest.warns(UserWarning, match="lr is deprecated"):
        optimizer = _ReadsNoOldName(lr=0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == 0.25


def test_the_old_name_of_the_learning_rate_is_refused_where_there_is_none():
    with (
        pytest.warns(UserWarning, match="lr is deprecated"),
        pytest.raises(UnknownHyperparameter, match="_ReadsNoOldName has no learning_rate, which lr is the old"),
    ):
        _ReadsNoOldName("step_size", lr=0.5)


def holding(library, value):
    """Return an optimizer of a class in the manner of Keras 2.9 days, with ``value`` as its hyperparameter."""

    class Holding(library.Optimizer):
        def __init__(self, held, name="Holding", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("held", held)

        def _resource_apply_dense(self, grad, var, apply_state=None):
            return var.assign_sub(grad * self._get_hyper("held", var.dtype))

        def get_config(self):
            return {**super().get_config(), "held": self._serialize_hyperparameter("held")}

    return Holding(value)


WHOLE = [True, np.True_, 6, 2**40, np.int64(6), np.int32(6), np.array(6), tf.constant(6), tf.constant(True)]


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_integers_and_truth_values_keep_their_type_as_in_keras_29(value):
    ours, theirs = holding(optreg.legacy, value), holding(tf_keras.optimizers.legacy, value)
    held, other = ours._get_hyper("held"), theirs._get_hyper("held")
    assert held.dtype == other.dtype
    assert held.numpy() == other.numpy()
    assert ours._get_hyper("held", tf.float64).dtype == tf.float64
    kept = ours.get_config()["held"]
    assert kept == theirs.get_config()["held"]
    assert type(kept) is (bool if held.dtype == tf.bool else int)
    assert type(ours).from_config({"held": kept}).get_config()["held"] is kept or kept > 256
    for optimizer in (ours, theirs):
        optimizer.held = False
        optimizer.held = np.array(1)
    assert ours.get_config()["held"] == theirs.get_config()["held"] == 1


def test_a_flag_can_be_combined_with_conditions_of_the_step():
    optimizer = holding(optreg.legacy, True)
    late = tf.logical_and(optimizer._get_hyper("held"), optimizer.iterations >= 0)
    assert late.numpy()
    optimizer.held = False
    assert not optimizer._get_hyper("held").numpy()


@pytest.mark.parametrize(("value", "wanted", "kind"), [(6, 0.5, "an integer"), (True, 0.5, "a truth value")])
def test_a_fraction_for_an_integer_is_refused_where_keras_29_rounds_it(value, wanted, kind):
    optimizer = holding(optreg.legacy, value)
    stepped(optimizer)
    with pytest.raises(InvalidHyperparameter, match=f"Holding: held is {kind} since .* cannot become 0.5: build it"):
        optimizer.held = wanted
    assert optimizer.get_config()["held"] == value


def test_before_there_is_state_an_integer_can_become_a_fraction():
    optimizer = holding(optreg.legacy, 6)
    optimizer.held = 0.5
    assert stepped(optimizer) == [0.5]
    optimizer.held = 2
    assert optimizer._get_hyper("held").dtype == tf.float32
    assert stepped(optimizer) == [2.0]


@pytest.mark.parametrize("make", [lambda: SGD(1, decay=1), lambda: SGD(tf.constant(1)), lambda: Adam(1, beta_1=0)])
def test_a_hyperparameter_that_is_real_can_be_given_as_an_integer(make):
    optimizer = make()
    stepped(optimizer)
    assert {value.dtype for value in optimizer._hyper.values()} == {tf.float32}
    optimizer.learning_rate = 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5


def test_an_integer_of_a_rule_is_a_number_like_others():
    class Rule(optreg.UpdateRule):
        """A rule."""

        def update(self, gradient, value, *, learning_rate=1, strength=2):
            return value - learning_rate * strength * gradient

    optimizer = Rule()
    assert stepped(optimizer) == [2.0]
    optimizer.strength = 0.25
    assert stepped(optimizer) == [0.25]


SCHEDULED = {
    ("sgd", "momentum"): 0.5,
    ("adam", "beta_1"): 0.5,
    ("adam", "beta_2"): 0.5,
    ("rmsprop", "rho"): 0.5,
    ("rmsprop", "momentum"): 0.5,
    ("adamax", "beta_1"): 0.5,
    ("adamax", "beta_2"): 0.5,
    ("nadam", "beta_1"): 0.5,
    ("nadam", "beta_2"): 0.5,
    ("nadam", "schedule_decay"): 0.5,
    ("adadelta", "rho"): 0.5,
    ("ftrl", "learning_rate_power"): -0.5,
    ("ftrl", "l1_regularization_strength"): 0.5,
    ("ftrl", "l2_regularization_strength"): 0.5,
    ("ftrl", "beta"): 0.5,
    ("lion", "beta_2"): 0.5,
    ("lion", "weight_decay"): 0.5,
}


@pytest.mark.parametrize("mode", ["eager", "graph", "jit"])
@pytest.mark.parametrize(("name", "argument"), SCHEDULED)
def test_every_hyperparameter_follows_a_schedule(name, argument, mode):
    start = SCHEDULED[(name, argument)]

    def trained(optimizer, before_step):
        weights, table = tf.Variable([1.0, 2.0]), tf.Variable(tf.ones((4, 2)))

        def step():
            slices = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([4, 2]))
            optimizer.apply_gradients([(tf.constant([1.0, 0.25]), weights), (slices, table)])

        call = step if mode == "eager" else tf.function(step, jit_compile=mode == "jit")
        for number in range(3):
            before_step(number)
            call()
        return [*weights.numpy(), *table.numpy().ravel()]

    scheduled = optreg.get_optimizer(name, **{argument: HalvingSchedule(start)})
    assigned = optreg.get_optimizer(name, **{argument: start})
    followed = trained(scheduled, lambda number: None)
    expected = trained(assigned, lambda number: setattr(assigned, argument, start * 0.5**number))
    np.testing.assert_allclose(followed, expected, rtol=1e-6)
    rebuilt = optreg.get_optimizer(scheduled.to_dict())
    assert rebuilt.get_config() == scheduled.get_config()


def test_a_schedule_counts_steps_beyond_what_16_bits_can():
    optimizer = SGD(1.0, momentum=keras.optimizers.schedules.PiecewiseConstantDecay([256], [0.5, 0.25]))
    optimizer.iterations.assign(257)
    assert float(optimizer._get_hyper("momentum", tf.bfloat16)) == 0.25
    assert optimizer.momentum is optimizer._get_hyper("momentum")  # the schedule itself, as in Keras 2.9


class Returning:
    """A schedule that returns what it was told to."""

    def __init__(self, returned):
        self.returned = returned

    def __call__(self, step):
        return self.returned

    def get_config(self):
        return {"returned": self.returned}


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("name", ["learning_rate", "momentum"])
@pytest.mark.parametrize(
    ("returned", "shown"),
    [(None, "None of type NoneType"), ("fast", "'fast' of type str"), (tf.constant([0.5]), r"a \w+ of shape \(1,\)")],
    ids=["nothing", "text", "vector"],
)
def test_a_callable_or_schedule_that_returns_no_number_is_named(name, returned, shown, graph):
    for given, source in ((lambda: returned, "callable"), (Returning(returned), "schedule")):
        optimizer, variable = SGD(**{name: given}), tf.Variable(1.0)

        def step(optimizer=optimizer, variable=variable):
            optimizer.apply_gradients([(ONE, variable)])

        call = tf.function(step, autograph=False) if graph else step
        message = f"SGD: the {source} given as {name} must return a number or a scalar tensor, and returned {shown}"
        with pytest.raises(HyperparameterTypeError, match=message):
            call()
        assert float(variable) == 1.0
        assert int(optimizer.iterations) == 0


@pytest.mark.parametrize("decay", [HalvingSchedule(0.5), lambda: 0.5])
def test_a_decay_that_is_no_number_is_refused(decay):
    with pytest.raises(HyperparameterTypeError, match="SGD: decay must be a number when the optimizer is built"):
        SGD(decay=decay)


def test_a_tensor_of_a_function_can_be_assigned_before_there_is_state():
    optimizer, variable = SGD(0.25), tf.Variable(1.0)

    @tf.function
    def step(rate):
        optimizer.learning_rate = rate
        optimizer.apply_gradients([(ONE, variable)])

    step(tf.constant(0.5))
    assert float(variable) == 0.5
    optimizer.apply_gradients([(ONE, variable)])
    assert float(variable) == 0.0
    step(tf.constant(0.125))
    assert float(variable) == -0.125
    assert optimizer.get_config()["learning_rate"] == 0.125


def test_a_tensor_of_a_function_cannot_take_the_place_of_a_callable():
    optimizer, variable = SGD(lambda: 0.25), tf.Variable(1.0)

    @tf.function
    def step(rate):
        with pytest.raises(InvalidHyperparameter, match="SGD: learning_rate is <function .* gone when the function"):
            optimizer.learning_rate = rate
        optimizer.apply_gradients([(ONE, variable)])

    step(tf.constant(0.5))
    assert float(variable) == 0.75
