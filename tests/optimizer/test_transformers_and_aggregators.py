from __future__ import annotations

import pytest
import tensorflow as tf

import optreg
from optreg.errors import InvalidConfig, InvalidHook, UnknownHyperparameter
from optreg_classic.sgd import SGD


def doubled(pairs):
    return [(2.0 * gradient, variable) for gradient, variable in pairs]


def plus_one(pairs):
    return [(gradient + 1.0, variable) for gradient, variable in pairs]


def scaled(factor=1.0):
    """Return a transformer, as a registered factory does."""
    return lambda pairs: [(factor * gradient, variable) for gradient, variable in pairs]


@pytest.fixture
def registered():
    optreg.register("test_scaled", scaled, kind="transformer")
    optreg.register("test_scaled", scaled, kind="aggregator")
    yield "test_scaled"
    optreg.unregister("test_scaled", kind="transformer")
    optreg.unregister("test_scaled", kind="aggregator")


def moved(**options):
    variable = tf.Variable(0.0)
    SGD(1.0, **options).apply_gradients([(tf.constant(3.0), variable)])
    return -float(variable)


def test_transformers_run_in_order():
    assert moved(gradient_transformers=[doubled, plus_one]) == 7.0
    assert moved(gradient_transformers=[plus_one, doubled]) == 8.0


def test_transformers_run_after_the_aggregator():
    assert moved(gradient_aggregator=plus_one, gradient_transformers=[doubled]) == 8.0


def test_the_aggregator_is_skipped_where_the_caller_has_aggregated():
    variable = tf.Variable(0.0)
    optimizer = SGD(1.0, gradient_aggregator=plus_one, gradient_transformers=[doubled])
    optimizer.apply_gradients([(tf.constant(3.0), variable)], experimental_aggregate_gradients=False)
    assert float(variable) == -6.0


def test_transformers_see_all_pairs_at_once():
    seen = []

    def recording(pairs):
        seen.extend((float(gradient), variable.name) for gradient, variable in pairs)
        return pairs

    variables = [tf.Variable(0.0, name="a"), tf.Variable(0.0, name="b")]
    SGD(gradient_transformers=[recording]).apply_gradients(
        zip([tf.constant(1.0), tf.constant(2.0)], variables, strict=True)
    )
    assert seen == [(1.0, "a:0"), (2.0, "b:0")]


def test_a_transformer_may_leave_variables_out():
    first, second = tf.Variable(0.0), tf.Variable(0.0)
    optimizer = SGD(1.0, gradient_transformers=[lambda pairs: pairs[:1]])
    optimizer.apply_gradients([(tf.constant(1.0), first), (tf.constant(1.0), second)])
    assert (float(first), float(second)) == (-1.0, 0.0)


def test_registered_names_with_and_without_arguments(registered):
    assert moved(gradient_transformers=[registered]) == 3.0
    assert moved(gradient_transformers=[(registered, {"factor": 4.0}), doubled]) == 24.0
    assert moved(gradient_aggregator=(registered, {"factor": 5.0})) == 15.0


def test_get_config_keeps_registered_names_and_their_arguments(registered):
    optimizer = SGD(1.0, gradient_aggregator=registered, gradient_transformers=[(registered, {"factor": 4.0})])
    config = optimizer.get_config()
    assert config["gradient_aggregator"] == registered
    assert config["gradient_transformers"] == [[registered, {"factor": 4.0}]]
    variable = tf.Variable(0.0)
    SGD.from_config(config).apply_gradients([(tf.constant(3.0), variable)])
    assert float(variable) == -12.0


def test_a_configuration_saved_with_a_function_is_refused_when_it_is_read():
    config = SGD(gradient_transformers=[doubled]).get_config()
    with pytest.raises(
        InvalidConfig, match="saved with 'doubled' among gradient_transformers, which cannot be saved: pass"
    ):
        SGD.from_config(config)
    again = SGD.from_config({**config, "gradient_transformers": [doubled]})
    assert again.gradient_transformers == [doubled]


def test_a_misspelt_argument_of_a_registered_transformer_is_suggested(registered):
    with pytest.raises(UnknownHyperparameter, match="Did you mean 'factor'"):
        SGD(gradient_transformers=[(registered, {"facter": 4.0})])


def test_an_unknown_transformer_is_suggested(registered):
    with pytest.raises(LookupError, match="Did you mean 'test_scaled'"):
        SGD(gradient_transformers=["test_scale"])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda pairs: None, "gradient .* must return a list of .gradient, variable. pairs, returned None"),
        (lambda pairs: [gradient for gradient, _ in pairs], "must return a list of .gradient, variable. pairs"),
        (
            lambda pairs: [(None, variable) for _, variable in pairs],
            "returned None as gradient of 'w'; leave the pair out",
        ),
        (lambda pairs: [(gradient, tf.Variable(1.0)) for gradient, _ in pairs], "which it was not given"),
        (lambda pairs: [(tf.ones(2), variable) for _, variable in pairs], r"gradient of shape \(2,\) for variable 'w'"),
    ],
    ids=["nothing", "gradients only", "no gradient", "another variable", "another shape"],
)
@pytest.mark.parametrize("kind", ["gradient_transformers", "gradient_aggregator"])
def test_what_a_transformer_or_aggregator_returns_is_checked(kind, result, message):
    variable = tf.Variable(0.0, name="w")
    optimizer = SGD(1.0, **{kind: [result] if kind == "gradient_transformers" else result})
    with pytest.raises(ValueError if "shape" in message else InvalidHook, match=message):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    assert float(variable) == 0.0
    assert int(optimizer.iterations) == 0


def test_something_that_is_no_transformer_is_refused():
    with pytest.raises(InvalidHook, match="a gradient transformer is a function over .* received 7 of type int"):
        SGD(gradient_transformers=[7])


@pytest.mark.parametrize("given", ["l2", ("l2", {"strength": 1.0}), ["l2", {"strength": 1.0}], 3, lambda pairs: pairs])
def test_a_transformer_outside_a_list_is_refused(given):
    with pytest.raises(InvalidHook, match="gradient_transformers takes a list, received .*: put what it shall hold in"):
        SGD(gradient_transformers=given)
    optimizer = SGD()
    with pytest.raises(InvalidHook, match="gradient_transformers takes a list, received .*: put what it shall hold in"):
        optimizer.gradient_transformers = given
