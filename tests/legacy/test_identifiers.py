"""``get``, ``serialize`` and ``deserialize``, held against those of tf_keras."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import keras
import pytest
import tensorflow as tf
import tf_keras

import optreg
import optreg.legacy as optimizers
from optreg.registry import default_registry

CLASS_NAMES = [
    name for name in optimizers.__all__ if isinstance(getattr(optimizers, name), type) and name != "Optimizer"
]


def word(value):
    """An id for a parameter that is the same in every process."""
    return value if isinstance(value, str) else type(value).__name__


class Tuned(optimizers.SGD):
    """A class of the user's own."""

    def __init__(self, learning_rate=0.5, strength=2.0, name="Tuned", **kwargs):
        super().__init__(learning_rate, name=name, **kwargs)
        self.strength = strength

    def get_config(self):
        return {**super().get_config(), "strength": self.strength}

    @classmethod
    def from_config(cls, config):
        config = {name: value for name, value in config.items() if name not in ("momentum", "nesterov")}
        return super().from_config(config)


class Steep(tf_keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of the user's own."""

    def __init__(self, slope=2.0):
        self.slope = slope

    def __call__(self, step):
        return self.slope * tf.cast(step + 1, tf.float32)

    def get_config(self):
        return {"slope": self.slope}


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_a_name_in_any_case_builds_the_optimizer(name):
    registered = default_registry().qualified_name_of(getattr(optimizers, name))
    for word in (name, name.lower(), name.upper(), registered, f" {name} "):
        assert type(optimizers.get(word)) is getattr(optimizers, name)


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_what_tf_keras_serializes_is_read(name):
    legacy = getattr(tf_keras.optimizers.legacy, name)(learning_rate=0.25, clipnorm=2.0, name="mine")
    saved = tf_keras.optimizers.serialize(legacy, use_legacy_format=True)
    for form in (saved, {**saved, "class_name": saved["class_name"].lower()}):
        before = copy.deepcopy(form)
        ours = optimizers.deserialize(form)
        assert form == before
        assert type(ours) is getattr(optimizers, name)
        config = ours.get_config()
        assert (config["learning_rate"], config["clipnorm"], config["name"]) == (0.25, 2.0, "mine")
    # tf_keras's form since 2.13 holds more keys.
    assert type(optimizers.get(tf_keras.optimizers.serialize(legacy))) is getattr(optimizers, name)


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_what_is_serialized_is_read_by_tf_keras(name, as_rounded):
    saved = json.loads(json.dumps(optimizers.serialize(getattr(optimizers, name)(0.25, decay=0.5))))
    assert set(saved) == {"class_name", "config"}
    theirs = tf_keras.optimizers.deserialize(saved, use_legacy_format=True, use_legacy_optimizer=True)
    assert type(theirs) is getattr(tf_keras.optimizers.legacy, name)
    ours = optimizers.deserialize(saved)
    assert ours.get_config() == saved["config"]
    assert saved["config"] == as_rounded(theirs.get_config(), ours=saved["config"])


def test_what_keras_3_serializes_is_read():
    ours = optimizers.get(keras.optimizers.serialize(keras.optimizers.Adam(0.25, clipvalue=1.0)))
    assert type(ours) is optimizers.Adam
    assert (ours.get_config()["learning_rate"], ours.clipvalue) == (0.25, 1.0)


def test_a_schedule_saved_by_keras_29_is_rebuilt():
    schedule = {
        "class_name": "ExponentialDecay",
        "config": {"initial_learning_rate": 0.5, "decay_steps": 2, "decay_rate": 0.5},
    }
    ours = optimizers.deserialize({"class_name": "SGD", "config": {"learning_rate": schedule}})
    weight = tf.Variable(0.0)
    for _ in range(3):
        ours.apply_gradients([(tf.constant(1.0), weight)])
    assert float(weight) == pytest.approx(-0.5 * (1 + 0.5**0.5 + 0.5), rel=1e-6)


def test_an_instance_passes_through():
    optimizer = optimizers.Adam()
    assert optimizers.get(optimizer) is optimizer
    assert type(optimizers.get(Tuned)) is Tuned


def test_classes_of_the_users_own_are_custom_objects():
    schedule = {"class_name": "Steep", "config": {"slope": 3.0}}
    saved = optimizers.serialize(Tuned(0.25, strength=4.0))
    rebuilt = optimizers.deserialize(saved, custom_objects={"Tuned": Tuned})
    assert type(rebuilt) is Tuned
    assert rebuilt.strength == 4.0
    saved = {"class_name": "mine>Tuned", "config": {"learning_rate": 0.5}}
    assert type(optimizers.deserialize(saved, {"mine>Tuned": Tuned})) is Tuned
    with_schedule = {"class_name": "adam", "config": {"learning_rate": schedule}}
    rebuilt = optimizers.deserialize(with_schedule, custom_objects={"Steep": Steep})
    assert float(rebuilt.learning_rate(1)) == 6.0


def test_a_class_of_the_users_own_wins_over_the_family():
    class Adam(optimizers.Adam):
        pass

    assert type(optimizers.deserialize({"class_name": "Adam", "config": {}}, {"Adam": Adam})) is Adam
    assert type(optimizers.deserialize({"class_name": "Adam", "config": {}})) is optimizers.Adam


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        (
            "adamm",
            optreg.UnknownOptimizer,
            r"optreg\.legacy has no optimizer 'adamm'\. Did you mean 'Adam'\? It has: Ada",
        ),
        ("Tuned", optreg.UnknownOptimizer, r"found with custom_objects=\{'Tuned': the class\}"),
        ({"class_name": "Lion", "config": {}}, optreg.UnknownOptimizer, r"no optimizer 'Lion'\. It has"),
        ({"class_name": "Adam", "config": {"beta": 0.5}}, optreg.UnknownHyperparameter, "Adam: unknown hyperparameter"),
        ({"class_name": "Adam", "config": 5}, optreg.InvalidConfig, "'config' must be a dictionary"),
        ({"class_name": "Adam", "lr": 5}, optreg.InvalidConfig, "'lr' is not part of an optimizer configuration"),
        ({}, optreg.InvalidConfig, "does not describe an optimizer"),
        (None, optreg.NotAnOptimizer, "received None"),
        (0.01, optreg.NotAnOptimizer, "received 0.01"),
        (keras.optimizers.SGD(), optreg.NotAnOptimizer, r"of keras .*optreg\.get_optimizer\(\"sgd\""),
        (tf_keras.optimizers.legacy.SGD(), optreg.NotAnOptimizer, "of tf_keras"),
    ],
    ids=word,
)
def test_what_cannot_be_read_is_explained(identifier, error, message):
    with pytest.raises(error, match=message) as caught:
        optimizers.get(identifier)
    # Keras 2.9 raised ValueError for all that it could not interpret.
    assert isinstance(caught.value, (ValueError, TypeError))
    if error is not optreg.UnknownHyperparameter:
        assert isinstance(caught.value, ValueError)


def test_a_custom_object_that_is_no_optimizer_is_refused():
    with pytest.raises(optreg.NotAnOptimizer, match=r"custom_objects\['Lion'\] is not a subclass of optreg.Optimizer"):
        optimizers.deserialize({"class_name": "Lion", "config": {}}, {"Lion": keras.optimizers.Lion})


@pytest.mark.parametrize("wrong", ["adam", optimizers.Adam, keras.optimizers.Adam(), None], ids=word)
def test_only_an_instance_is_serialized(wrong):
    with pytest.raises(optreg.NotAnOptimizer, match=r"serialize\(\) takes an instance of optreg.Optimizer, received"):
        optimizers.serialize(wrong)


@pytest.mark.parametrize("wrong", ["adam", None, optimizers.Adam], ids=word)
def test_only_a_dictionary_is_deserialized(wrong):
    with pytest.raises(optreg.InvalidConfig, match=r"deserialize\(\) takes a dictionary"):
        optimizers.deserialize(wrong)


def registered(library, **names):
    """Return a class registered with a Keras."""

    @library.utils.register_keras_serializable(package="Mine", **names)
    class Own(optimizers.Adam):
        def __init__(self, learning_rate=0.1, name="Own", **kwargs):
            super().__init__(learning_rate, name=name, **kwargs)

    return Own


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_class_registered_with_a_keras_is_found_by_its_registered_name(library):
    own = registered(library, name=f"Kept{library.__name__}")
    saved = json.loads(json.dumps(optimizers.serialize(own(0.25))))
    assert saved["class_name"] == f"Mine>Kept{library.__name__}"
    rebuilt = optimizers.deserialize(saved)
    assert type(rebuilt) is own
    assert rebuilt.get_config() == saved["config"]
    assert type(optimizers.get(saved)) is type(optimizers.get(saved["class_name"])) is own


def test_a_registered_class_does_not_take_the_place_of_its_namesake():
    own = registered(tf_keras, name="Adam")
    assert type(optimizers.deserialize({"class_name": "Mine>Adam", "config": {}})) is own
    assert type(optimizers.deserialize({"class_name": "Adam", "config": {}})) is optimizers.Adam
    assert type(optimizers.get("adam")) is optimizers.Adam


def test_custom_objects_win_over_registrations():
    registered(keras, name="Tuned")
    saved = {"class_name": "Mine>Tuned", "config": {"learning_rate": 0.5}}
    assert type(optimizers.deserialize(saved, custom_objects={"Tuned": Tuned})) is Tuned


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_scope_of_custom_objects_is_looked_into(library):
    saved = optimizers.serialize(Tuned(0.25, strength=3.0))
    with library.utils.custom_object_scope({"Tuned": Tuned}):
        assert optimizers.deserialize(saved).strength == 3.0


def test_looking_for_registrations_imports_no_keras():
    program = (
        "import sys, optreg.legacy as legacy; "
        "saved = legacy.serialize(legacy.get('sgd')); legacy.deserialize(saved); "
        "print(saved['class_name'], 'tf_keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["SGD", "False"]


def test_the_keyword_of_later_versions_of_keras_2_is_taken_where_it_is_true():
    assert type(optimizers.get("adam", use_legacy_optimizer=True)) is optimizers.Adam
    with pytest.raises(optreg.InvalidConfig, match=r"only, received use_legacy_optimizer=False: leave it out"):
        optimizers.get("adam", use_legacy_optimizer=False)
