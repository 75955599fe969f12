from __future__ import annotations

import copy
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.schedules import Constant

import optreg
from optreg.errors import InvalidConfig, UnknownHyperparameter
from optreg.optimizer import Optimizer
from optreg_classic.adam import Adam
from optreg_classic.nadam import Nadam
from optreg_classic.sgd import SGD


class Bare(Optimizer):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(grad)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1, momentum=0.5, nesterov=True, clipnorm=2.0, name="mine"),
        Adam(0.1, beta_1=0.5, epsilon=0.0, amsgrad=True, decay=0.25, global_clipnorm=1.0),
    ],
    ids=["sgd", "adam"],
)
def test_the_configuration_survives_json_and_rebuilds_the_same(optimizer):
    config = json.loads(json.dumps(optimizer.get_config()))
    assert type(optimizer).from_config(config).get_config() == config


@pytest.mark.parametrize("option", ["clipvalue", "clipnorm", "global_clipnorm"])
def test_a_threshold_of_zero_is_kept(option):
    assert getattr(SGD.from_config(SGD(**{option: 0.0}).get_config()), option) == 0.0


def test_a_class_that_calls_its_learning_rate_lr_is_rebuilt():
    class Old(Bare):
        def __init__(self, lr=0.1, name="Old", **kwargs):
            super().__init__(name, **kwargs)
            self.rate = lr

        def get_config(self):
            return {**super().get_config(), "lr": self.rate}

    assert Old.from_config(Old(0.5).get_config()).rate == 0.5


def test_numbers_are_kept_as_they_were_given():
    optimizer = SGD(0.1, decay=0.3)
    optimizer.build([tf.Variable(1.0)])
    assert optimizer.get_config()["learning_rate"] == 0.1
    assert optimizer.get_config()["decay"] == 0.3


@pytest.mark.parametrize("wrapped", [np.float32, tf.constant, np.array, tf.Variable])
@pytest.mark.parametrize(
    ("name", "argument"),
    [("adam", "epsilon"), ("adagrad", "initial_accumulator_value"), ("ftrl", "l2_shrinkage_regularization_strength")],
)
def test_settings_given_as_arrays_and_tensors_are_saved_as_numbers(name, argument, wrapped):
    given = optreg.get_optimizer(name, **{argument: wrapped(0.25)})
    plain = optreg.get_optimizer(name, **{argument: 0.25})
    assert json.loads(json.dumps(given.to_dict())) == plain.to_dict()
    moved = []
    for optimizer in (given, plain):
        variable = tf.Variable(1.0, dtype=tf.float64)
        optimizer.apply_gradients([(tf.constant(1.0, tf.float64), variable)])
        moved.append(float(variable))
    assert moved[0] == moved[1]


def test_flags_given_as_numpy_values_are_saved_as_flags():
    config = Adam(amsgrad=np.bool_(True)).get_config()
    assert config["amsgrad"] is True
    assert SGD(nesterov=np.False_).get_config()["nesterov"] is False


def test_a_schedule_built_from_numpy_numbers_is_saved_as_plain_ones():
    schedule = keras.optimizers.schedules.ExponentialDecay(np.float32(0.5), np.int64(10), np.float32(0.25))
    saved = json.loads(json.dumps(SGD(schedule).to_dict()))
    assert saved["config"]["learning_rate"]["config"]["initial_learning_rate"] == 0.5


def test_a_changed_hyperparameter_is_kept():
    optimizer = SGD(0.1)
    optimizer.build([tf.Variable(1.0)])
    optimizer.learning_rate.assign(0.25)
    assert optimizer.get_config()["learning_rate"] == 0.25


def test_from_config_does_not_modify_its_argument():
    config = {"name": "SGD", "lr": 0.5, "momentum": 0.0, "nesterov": False}
    before = copy.deepcopy(config)
    assert SGD.from_config(config).get_config()["learning_rate"] == 0.5
    assert config == before


@pytest.mark.parametrize("given", [None, 3, [("learning_rate", 0.1)]])
@pytest.mark.parametrize("cls", [SGD, Nadam, optreg.LossScaleOptimizer])
def test_a_configuration_that_is_no_dictionary_is_refused(cls, given):
    with pytest.raises(
        InvalidConfig, match=r"from_config\(\) takes the dictionary that get_config\(\) returns, received"
    ):
        cls.from_config(given)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_schedule_is_rebuilt_by_the_library_it_came_from(library):
    schedule = library.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)
    config = json.loads(json.dumps(SGD(schedule).get_config()))
    rebuilt = SGD.from_config(config)
    assert type(rebuilt.learning_rate) is type(schedule)
    assert rebuilt.get_config() == config


def test_a_schedule_saved_by_keras_29_is_found_by_its_name():
    saved = {
        "class_name": "ExponentialDecay",
        "config": {"initial_learning_rate": 0.5, "decay_steps": 7, "decay_rate": 0.6},
    }
    rebuilt = SGD.from_config({"name": "SGD", "learning_rate": saved})
    assert type(rebuilt.learning_rate).__name__ == "ExponentialDecay"
    assert rebuilt.learning_rate.get_config()["decay_steps"] == 7


def test_a_schedule_that_cannot_be_found_is_named():
    with pytest.raises(
        InvalidConfig, match="schedule 'Warmup' of module 'training.lab' was not found .Keras libraries load"
    ):
        SGD.from_config({"learning_rate": {"module": "training.lab", "class_name": "Warmup", "config": {}}})


def test_a_configuration_imports_no_module_on_its_own():
    # antigravity opens a web browser when it is imported
    with pytest.raises(InvalidConfig, match="was not found"):
        SGD.from_config({"learning_rate": {"module": "antigravity", "class_name": "geohash", "config": {}}})
    import sys

    assert "antigravity" not in sys.modules


def test_custom_objects_supply_classes_of_schedules():
    saved = {"class_name": "Constant", "config": {}}
    rebuilt = SGD.from_config({"learning_rate": saved}, custom_objects={"Constant": Constant})
    assert isinstance(rebuilt.learning_rate, Constant)


def test_a_constructor_argument_left_out_of_the_configuration_is_named():
    class Forgetful(Bare):
        def __init__(self, rate=0.1, warmup=10, name="Forgetful", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("rate", rate)

        def get_config(self):
            return {**super().get_config(), "rate": self._serialize_hyperparameter("rate")}

    with pytest.raises(
        InvalidConfig, match=r"Forgetful.get_config\(\) leaves out the constructor's warmup: an optimizer"
    ):
        Forgetful().get_config()


def test_a_configuration_that_is_no_dictionary_is_named():
    class Mute(Bare):
        def get_config(self):
            return None

    with pytest.raises(
        InvalidConfig, match=r"Mute.get_config\(\) returned None of type NoneType: override it to return"
    ):
        Mute("Mute").get_config()


def test_a_subclass_with_new_arguments_and_no_get_config_is_named():
    class Tuned(SGD):
        def __init__(self, strength=1.0, name="Tuned", **kwargs):
            super().__init__(name=name, **kwargs)

    with pytest.raises(InvalidConfig, match="leaves out the constructor's strength"):
        Tuned().get_config()


def test_a_subclass_that_completes_the_configuration_is_accepted():
    class Tuned(SGD):
        def __init__(self, strength=1.0, name="Tuned", **kwargs):
            super().__init__(name=name, **kwargs)
            self.strength = strength

        def get_config(self):
            config = super().get_config()
            config["strength"] = self.strength
            return config

    assert Tuned.from_config(Tuned(strength=3.0, learning_rate=0.5).get_config()).strength == 3.0


def test_to_dict_names_the_optimizer_and_rebuilds_it():
    saved = json.loads(json.dumps(Adam(0.25, amsgrad=True).to_dict()))
    assert saved["optimizer"] == "optreg/adam"
    rebuilt = optreg.get_optimizer(saved)
    assert type(rebuilt) is Adam
    assert rebuilt.get_config() == saved["config"]


def test_a_configuration_saved_with_a_plugin_is_refused_when_it_is_read():
    class Halving:
        @optreg.hookimpl
        def transform_gradients(self, grads_and_vars):
            return [(gradient / 2, variable) for gradient, variable in grads_and_vars]

    config = json.loads(json.dumps(SGD(0.5, plugins=[Halving()]).get_config()))
    with pytest.raises(InvalidConfig, match="saved with .*Halving' among plugins, which cannot be saved"):
        SGD.from_config(config)
    assert SGD.from_config({**config, "plugins": []}).get_config() == SGD(0.5).get_config()


def test_a_misspelt_argument_gets_a_suggestion_where_the_constructor_takes_no_further_keywords():
    class Strict(optreg.Optimizer):
        def __init__(self, learning_rate=0.1, name="Strict"):
            super().__init__(name)
            self._set_hyper("learning_rate", learning_rate)

        def _resource_apply_dense(self, grad, var, apply_state=None):
            return var.assign_sub(grad)

    with pytest.raises(UnknownHyperparameter, match="Strict: unknown hyperparameter 'learning_rat'.*'learning_rate'"):
        Strict(learning_rat=0.5)
    with pytest.raises(TypeError, match="takes from 1 to 3 positional arguments"):
        Strict(0.1, "name", 3)
