"""Optimizers by name in ``compile``, and what is said when the wrong kind of optimizer is given."""

from __future__ import annotations

import importlib
import re
import sys

import keras
import pytest
import tf_keras
from tests.schedules import Constant

import optreg
import optreg.keras
from optreg.keras.arrival import Arrivals
from optreg.keras.identifiers import offer_names


@pytest.mark.parametrize("name", ["adam", "Adam", "optreg/adam", "sgd", "RMSprop"])
def test_a_name_in_compile_leads_to_the_registered_optimizer(name):
    optimizer = keras.optimizers.get(f"optreg>{name}")
    assert type(optimizer.wrapped) is type(optreg.get_optimizer(name.lower()))


def test_every_installed_optimizer_can_be_named():
    for name in optreg.list_optimizers(state="ready"):
        assert isinstance(keras.optimizers.get(f"optreg>{name}"), keras.optimizers.Optimizer)


def test_hyperparameters_go_with_a_name_as_with_those_of_keras():
    optimizer = keras.optimizers.get({"class_name": "optreg>adam", "config": {"learning_rate": 0.5, "beta_1": 0.25}})
    assert float(optimizer.learning_rate) == 0.5
    assert float(optimizer.beta_1) == 0.25
    with pytest.raises(TypeError, match="unknown hyperparameter 'beta_3'"):
        keras.optimizers.get({"class_name": "optreg>adam", "config": {"beta_3": 0.25}})


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_schedule_whose_module_is_gone_is_found_among_the_custom_objects(library):
    adapter = optreg.keras.wrap("sgd", library=library, learning_rate=Constant())
    config = adapter.get_config()
    config["optimizer"]["config"]["learning_rate"]["module"] = "gone"
    again = type(adapter).from_config(config, custom_objects={"Constant": Constant})
    assert type(again.wrapped.learning_rate) is Constant
    with pytest.raises(optreg.InvalidConfig, match="schedule 'Constant' of module 'gone' was not found"):
        type(adapter).from_config(config)


def test_a_name_that_is_registered_later_is_known_to_keras():
    class Late(optreg.Optimizer):
        """Subtracts the gradient."""

        def __init__(self, name="Late", **kwargs):
            super().__init__(name, **kwargs)

        def _resource_apply_dense(self, grad, var, apply_state=None):
            return var.assign_sub(grad)

    optreg.register("keras_late", Late)
    try:
        assert type(keras.optimizers.get("optreg>keras_late").wrapped) is Late
    finally:
        optreg.unregister("keras_late")
    with pytest.raises(optreg.UnknownOptimizer, match="keras_late"):
        keras.optimizers.get("optreg>keras_late")


PLUGIN = """
import optreg

class Halving(optreg.Optimizer):
    def __init__(self, name="Halving", **kwargs):
        super().__init__(name, **kwargs)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign(var / 2)
"""


@pytest.mark.parametrize("name", ["halving", "third-party/halving", "Halving"])
def test_a_plugin_is_offered_without_being_imported_until_it_is_asked_for(site, name):
    site.install("third-party", {"halving_plugin.py": PLUGIN}, halving="halving_plugin:Halving")
    optreg.refresh()
    try:
        assert f"optreg>{name}" in keras.saving.get_custom_objects()
        assert "halving_plugin" not in sys.modules
        assert type(keras.optimizers.get(f"optreg>{name}").wrapped).__name__ == "Halving"
    finally:
        site.folder.rename(site.folder.with_name("gone"))
        optreg.refresh()


def test_a_broken_plugin_setting_does_not_break_the_import_of_keras(monkeypatch):
    class Library:
        __name__ = "keras"

        class utils:  # noqa: N801 - a module in a Keras
            get_custom_objects = staticmethod(dict)

    monkeypatch.setenv("OPTREG_PINS", "not a pin")
    with pytest.warns(UserWarning, match="does not learn the names of optreg"):
        offer_names(Library)


# Being told of an import


@pytest.fixture
def arrivals(tmp_path, monkeypatch):
    """A module to be imported, and the list of those whose arrival was noticed."""
    (tmp_path / "awaited_module.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    noticed = []
    watcher = Arrivals(["awaited_module"], noticed.append)
    yield watcher, noticed, tmp_path
    if watcher in sys.meta_path:
        sys.meta_path.remove(watcher)
    sys.modules.pop("awaited_module", None)


def test_a_module_is_welcomed_once_and_complete_when_it_is_imported(arrivals):
    watcher, noticed, _ = arrivals
    watcher.watch()
    assert noticed == []
    module = importlib.import_module("awaited_module")
    assert noticed == [module]
    assert module.VALUE == 1
    assert "exec_module" not in vars(module.__loader__)
    importlib.reload(module)
    assert len(noticed) == 1


def test_a_module_that_is_there_already_is_welcomed_at_once(arrivals):
    watcher, noticed, _ = arrivals
    module = importlib.import_module("awaited_module")
    watcher.watch()
    assert noticed == [module]
    assert watcher not in sys.meta_path


def test_each_of_several_modules_is_welcomed(arrivals, monkeypatch):
    _, _, folder = arrivals
    noticed = []
    watcher = Arrivals(["awaited_module", "module_of_nobody"], noticed.append)
    (folder / "module_of_nobody.py").write_text("")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    watcher.watch()
    modules = [importlib.import_module(name) for name in ("awaited_module", "module_of_nobody")]
    del sys.modules["module_of_nobody"]
    assert noticed == modules


def test_an_import_that_fails_is_awaited_again(arrivals):
    watcher, noticed, folder = arrivals
    watcher.watch()
    (folder / "awaited_module.py").write_text("raise ImportError('not today')")
    with pytest.raises(ImportError, match="not today"):
        importlib.import_module("awaited_module")
    assert noticed == []
    (folder / "awaited_module.py").write_text("VALUE = 'repaired'\n")
    importlib.invalidate_caches()
    assert importlib.import_module("awaited_module").VALUE == "repaired"
    assert len(noticed) == 1


# Errors


def test_an_optimizer_of_keras_is_refused_where_ours_is_expected():
    with pytest.raises(optreg.NotAnOptimizer, match=r'keras \(Adam\).*optimizer of optreg.*get_optimizer\("adam"'):
        optreg.get_optimizer(keras.optimizers.Adam())
    with pytest.raises(optreg.NotAnOptimizer, match=r'optimizers of optreg.*Adam of keras.*wrap\("adam"'):
        optreg.keras.wrap(keras.optimizers.Adam())
    with pytest.raises(optreg.NotAnOptimizer, match="optreg.keras.wrap.*Adam of keras.*takes it as it is"):
        optreg.keras.wrap(keras.optimizers.Adam)


@pytest.mark.parametrize("make", [tf_keras.optimizers.Adam, tf_keras.optimizers.legacy.Adam])
@pytest.mark.parametrize("built", [True, False])
def test_an_optimizer_of_tf_keras_new_or_legacy_is_refused_where_ours_is_expected(make, built):
    theirs = make() if built else make
    with pytest.raises(optreg.NotAnOptimizer, match=r'tf_keras.*Write optreg\.get_optimizer\("adam", \.\.\.\)'):
        optreg.get_optimizer(theirs)
    for library in (None, "keras", "tf_keras"):
        with pytest.raises(
            optreg.NotAnOptimizer,
            match=r"optimizers of optreg, received Adam of tf_keras\. A model of tf_keras takes it as it is"
            r'.*optreg\.keras\.wrap\("adam", library="tf_keras"',
        ):
            optreg.keras.wrap(theirs, library=library)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_ours_given_bare_to_a_keras_says_how_to_wrap_it_and_what_it_says_works(problem, library):
    ours, model = optreg.get_optimizer("adam"), problem.model(library)
    with pytest.raises(ValueError, match=r"Could not interpret optimizer.*optreg_classic\.adam\.Adam") as refusal:
        model.compile(optimizer=ours, loss="mse")
    [advice] = re.findall(rf'optreg\.keras\.wrap\(optimizer, library="{library.__name__}"\)', str(refusal.value))
    model.compile(optimizer=eval(advice, {"optreg": optreg, "optimizer": ours}), loss="mse")
    assert model.optimizer.wrapped is ours


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_class_given_to_a_keras_says_how_to_wrap_it_and_what_it_says_works(problem, library):
    model = problem.model(library)
    with pytest.raises(
        ValueError, match=r"Could not interpret optimizer.*<class 'optreg_classic\.adam\.Adam'>"
    ) as refusal:
        model.compile(optimizer=optreg.legacy.Adam, loss="mse")
    [advice] = re.findall(rf'optreg\.keras\.wrap\(Adam\(\), library="{library.__name__}"\)', str(refusal.value))
    model.compile(optimizer=eval(advice, {"optreg": optreg, "Adam": optreg.legacy.Adam}), loss="mse")
    assert isinstance(model.optimizer.wrapped, optreg.legacy.Adam)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_loss_scale_given_bare_to_a_keras_says_what_to_wrap_and_what_it_says_works(problem, library):
    ours, model = optreg.LossScaleOptimizer("adam"), problem.model(library)
    with pytest.raises(
        ValueError, match=r"Could not interpret optimizer.*optreg\.LossScaleOptimizer around"
    ) as refusal:
        model.compile(optimizer=ours, loss="mse")
    [advice] = re.findall(rf'optreg\.keras\.wrap\([a-z_.]*, library="{library.__name__}"\)', str(refusal.value))
    model.compile(optimizer=eval(advice, {"optreg": optreg, "optimizer": ours}), loss="mse")
    assert model.optimizer.wrapped is ours.inner_optimizer


def test_the_adapter_of_the_other_keras_says_how_to_wrap_it(problem):
    with pytest.raises(ValueError, match=r'wrapped for Keras 3.*wrap\(\.\.\., library="tf_keras"\)'):
        problem.model(tf_keras).compile(optimizer=optreg.keras.wrap("adam"), loss="mse")
    with pytest.raises(ValueError, match=r'wrapped for tf_keras.*write optreg.keras.wrap\(\.\.\., library="keras"\)'):
        problem.model(keras).compile(optimizer=optreg.keras.wrap("adam", library="tf_keras"), loss="mse")


def test_another_backend_than_tensorflow_is_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(optreg.WrongContext, match="work on TensorFlow variables.*'jax'.*KERAS_BACKEND=tensorflow"):
        optreg.keras.wrap("adam")


def test_a_library_that_is_not_installed_or_not_known_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(optreg.MissingExtra, match="'tf_keras', which is not installed: pip install tf-keras"):
        optreg.keras.wrap("adam", library="tf_keras")
    with pytest.raises(optreg.InvalidConfig, match="received 'tfkeras'. Did you mean 'tf_keras'"):
        optreg.keras.wrap("adam", library="tfkeras")


def test_hyperparameters_cannot_be_given_to_what_is_built_already():
    for built in (optreg.get_optimizer("sgd"), optreg.keras.wrap("sgd")):
        with pytest.raises(optreg.InvalidConfig, match="learning_rate"):
            optreg.keras.wrap(built, learning_rate=0.5)


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("weight_decay", 0.01, "decoupled weight decay"),
        ("use_ema", True, "outside the optimizer"),
        ("gradient_accumulation_steps", 4, "accumulate gradients in the training loop"),
    ],
)
def test_an_option_of_keras_that_the_adapter_lacks_is_refused_with_a_remedy(option, value, remedy):
    adapter = optreg.keras.wrap("sgd")
    setattr(adapter, option, None)
    assert getattr(adapter, option) is None
    with pytest.raises(optreg.InvalidConfig, match=f"no option {option!r}.*{remedy}"):
        setattr(adapter, option, value)


def test_wrap_is_found_and_a_misspelt_name_gets_a_suggestion():
    assert "wrap" in dir(optreg.keras)
    with pytest.raises(AttributeError, match="Did you mean 'wrap'"):
        _ = optreg.keras.wrapp
