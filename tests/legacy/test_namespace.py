"""The drop-in namespace: what is in it, what it costs, and that programs need no other change."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import keras
import pytest
import tensorflow as tf
import tf_keras

import optreg
import optreg.legacy as optimizers
from optreg.registry import Registry, default_registry

GOLDEN = Path(__file__).parents[1] / "golden" / "keras29" / "cases.jsonl"
FAMILY = [
    entry
    for entry in default_registry().index.entries
    if entry.distribution == "optreg" and entry.target.startswith("optreg_classic.")
]
SGD_MODULE = next(entry.target.partition(":")[0] for entry in FAMILY if entry.name == "sgd")
CLASS_NAMES = sorted(entry.target.rpartition(":")[2] for entry in FAMILY)


def printed_by(code, **environment):
    """What code prints in a fresh process, as JSON."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120, env={**os.environ, **environment}
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def fresh(site, monkeypatch):
    """The namespace as it is after a further distribution was installed."""
    monkeypatch.setattr(optreg.legacy.family, "default_registry", Registry)
    for name in CLASS_NAMES:
        monkeypatch.delitem(vars(optimizers), name, raising=False)
    return site


def test_it_has_the_eight_optimizers_of_keras_29_and_their_base():
    eight = {"Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD"}
    assert set(CLASS_NAMES) == eight
    assert {*eight, "Optimizer"} == {name for name in dir(tf_keras.optimizers.legacy) if not name.startswith("_")}
    assert {*eight, "Optimizer"} <= set(dir(optimizers))
    assert all(isinstance(getattr(optimizers, name), type) for name in eight)


@pytest.mark.parametrize("entry", FAMILY, ids=lambda entry: entry.name)
def test_a_class_is_that_of_the_registry(entry):
    cls = getattr(optimizers, entry.target.rpartition(":")[2])
    assert cls is default_registry().get_class(entry.qualified_name)
    assert issubclass(cls, optimizers.Optimizer)
    assert isinstance(cls(), optimizers.Optimizer)
    assert optimizers.Optimizer is optreg.Optimizer


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_arguments_and_defaults_are_those_of_keras_29(name, as_rounded):
    ours, theirs = getattr(optimizers, name), getattr(tf_keras.optimizers.legacy, name)
    positional = list(inspect.signature(theirs).parameters)[:-1]  # without **kwargs
    assert list(inspect.signature(ours).parameters)[: len(positional)] == positional
    config = ours().get_config()
    assert config == as_rounded(theirs().get_config(), ours=config)


def test_importing_and_listing_it_loads_neither_tensorflow_nor_a_plugin():
    code = (
        "import optreg.legacy, optreg.legacy.schedules, optreg\n"
        "from optreg.legacy import schedules, get, serialize, deserialize\n"
        "names = dir(optreg.legacy) + optreg.legacy.__all__\n"
        "assert optreg.legacy is optreg.legacy and not hasattr(optreg.legacy, 'Adamm')\n"
        "try: get('adamm')\n"
        "except optreg.UnknownOptimizer: pass\n"
        "import sys, json\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert not {"tensorflow", "keras", "tf_keras", "numpy", "optreg_classic"} & set(printed_by(code))


def test_everything_is_imported_by_a_star():
    space: dict[str, object] = {}
    exec("from optreg.legacy import *", space)
    assert {*CLASS_NAMES, "Optimizer", "schedules", "get", "serialize", "deserialize"} == set(space) - {"__builtins__"}
    assert not {"Any", "suggestion", "TYPE_CHECKING"} & set(dir(optimizers))


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(AttributeError, match=r"'optreg\.legacy' has no attribute 'RMSProp'\. Did you mean 'RMSprop'"):
        _ = optimizers.RMSProp
    with pytest.raises(ImportError, match="AdamW"):
        from optreg.legacy import AdamW  # noqa: F401
    with pytest.raises(AttributeError, match=r"no attribute 'ExponentialDecays'\. Did you mean 'ExponentialDecay'"):
        _ = optimizers.schedules.ExponentialDecays


def test_it_can_be_subclassed():
    class Halved(optimizers.SGD):
        def _decayed_lr(self, var_dtype):
            return super()._decayed_lr(var_dtype) / 2.0

    weight = tf.Variable(1.0)
    Halved(0.5).minimize(lambda: weight, [weight])
    assert float(weight) == 0.75


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_classes_are_pickled_by_reference(name):
    cls = getattr(optimizers, name)
    assert pickle.loads(pickle.dumps(cls)) is cls
    assert pickle.loads(pickle.dumps(optimizers.get)) is optimizers.get


def test_a_third_party_that_claims_a_name_does_not_get_in(fresh):
    fresh.install_lynx("other-optimizers", module="other_adam", name="adam")
    fresh.install("optreg-classic", {"optreg_classic_more.py": ""}, adam="optreg_classic.other:Adam")
    assert optimizers.__all__ == sorted([*CLASS_NAMES, "Optimizer", "deserialize", "get", "schedules", "serialize"])
    assert optimizers.Adam.__module__ == "optreg_classic.adam"
    assert type(optimizers.get("adam")).__module__ == "optreg_classic.adam"
    assert "other_adam" not in sys.modules


def test_neither_a_pin_nor_a_registration_of_this_session_changes_it(fresh, monkeypatch):
    fresh.install_lynx("other-optimizers", module="other_adam", name="adam")
    registry = Registry(pins={"adam": "other-optimizers"})
    monkeypatch.setattr(optreg.legacy.family, "default_registry", lambda: registry)
    assert registry.get_class("adam").__name__ == "Lynx"
    assert optimizers.Adam.__module__ == "optreg_classic.adam"
    registry.register("sgd", optimizers.Adam, replace=True)
    assert registry.get_class("sgd").__name__ == "Adam"
    assert optimizers.SGD.__module__ == SGD_MODULE
    assert type(optimizers.get("sgd")).__module__ == SGD_MODULE


def test_a_new_third_party_optimizer_is_pointed_to(fresh):
    fresh.install_lynx("zoo-optimizers", module="zoo_lynx")
    assert "Lynx" not in dir(optimizers)
    message = r"has no optimizer 'lynx'\. .*optreg\.get_optimizer\('lynx'\) builds the one of zoo-optimizers 1\.0"
    with pytest.raises(optreg.UnknownOptimizer, match=message):
        optimizers.get("lynx")


def test_the_schedules_are_those_of_tf_keras_where_it_is_loaded():
    assert optimizers.schedules.ExponentialDecay is tf_keras.optimizers.schedules.ExponentialDecay
    assert isinstance(optimizers.schedules, types.ModuleType)
    assert optimizers.schedules is importlib.import_module("optreg.legacy.schedules")


def test_the_schedules_are_those_of_keras_3_where_tf_keras_is_not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "tf_keras")
    from optreg.legacy.schedules import ExponentialDecay

    assert ExponentialDecay is keras.optimizers.schedules.ExponentialDecay
    assert {"CosineDecay", "LearningRateSchedule", "deserialize"} <= set(dir(optimizers.schedules))
    assert not [name for name in optimizers.schedules.__all__ if name.startswith("_")]


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_schedule_of_the_namespace_is_followed(library, monkeypatch):
    if library == "keras":
        monkeypatch.delitem(sys.modules, "tf_keras")
    optimizer = optimizers.SGD(optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25]))
    weight = tf.Variable(0.0)
    for _ in range(4):
        optimizer.apply_gradients([(tf.constant(1.0), weight)])
    assert float(weight) == -0.5 - 0.5 - 0.25 - 0.25


@pytest.mark.parametrize(
    "case", [json.loads(line) for line in GOLDEN.read_text().splitlines()], ids=lambda c: c["case"]
)
def test_every_case_recorded_from_keras_29_is_built_through_the_namespace(case, as_rounded):
    cls = getattr(optimizers, case["optimizer"])
    assert cls is default_registry().get_class_of_keras(case["optimizer"])
    saved = {"class_name": case["optimizer"], "config": case["config"]}
    rebuilt = optimizers.deserialize(json.loads(json.dumps(saved)))
    assert type(rebuilt) is cls
    config = rebuilt.get_config()
    for name, value in as_rounded(case["config"], ours=config).items():
        if isinstance(value, dict):
            assert config[name]["class_name"] == value["class_name"]
            assert config[name]["config"].items() >= {**value["config"], "name": config[name]["config"]["name"]}.items()
        else:
            assert config[name] == value


def test_all_cases_recorded_from_keras_29_are_covered():
    recorded = [json.loads(line)["optimizer"] for line in GOLDEN.read_text().splitlines()]
    assert len(recorded) == 38
    assert set(recorded) == set(CLASS_NAMES)
