"""``get_optimizer`` takes everything a user may call an optimizer, and says what is wrong with anything else."""

from __future__ import annotations

import copy
import sys
import types

import pytest

import optreg
from optreg.registry import Registry


@pytest.fixture
def registry(site):
    site.install_lynx("pack", module="lynx_module")
    return Registry()


@pytest.fixture
def lynx(registry):
    return registry.get_class("lynx")


def foreign(module, name="Adam"):
    """A class that looks as if a library had defined it, which is not imported here."""
    return type(name, (), {"__module__": f"{module}.optimizers.{name.lower()}"})


@pytest.mark.parametrize("way", ["lynx", "Lynx", "LYNX", "pack/lynx", "Pack/Lynx", "lynx_module:Lynx"])
def test_a_name_builds_the_optimizer_with_its_hyperparameters(registry, way):
    opt = registry.get_optimizer(way, beta=0.5)
    assert (type(opt).__name__, opt.beta, opt.learning_rate, opt.name) == ("Lynx", 0.5, 1e-4, "Lynx")


@pytest.mark.parametrize(
    "config",
    [
        {"optimizer": "pack/lynx", "optreg": "0.1.0", "config": {"name": "mine", "beta": 0.5}},
        {"optimizer": "lynx_module:Lynx", "config": {"name": "mine", "beta": 0.5}},
        {"class_name": "Lynx", "config": {"name": "mine", "beta": 0.5}},
        {
            "class_name": "My>Lynx",
            "config": {"name": "mine", "beta": 0.5},
            "module": None,
            "registered_name": "My>Lynx",
        },
    ],
)
def test_a_configuration_builds_the_optimizer_and_is_not_modified(registry, config):
    before = copy.deepcopy(config)
    opt = registry.get_optimizer(config, learning_rate=0.25)
    assert (opt.name, opt.beta, opt.learning_rate) == ("mine", 0.5, 0.25)
    assert registry.get_optimizer(config, beta=0.75).beta == 0.75
    assert config == before


def test_a_flat_configuration_is_found_by_its_name(registry):
    config = {"name": "Lynx", "learning_rate": 0.5}
    assert registry.get_optimizer(config).learning_rate == 0.5
    assert config == {"name": "Lynx", "learning_rate": 0.5}


def test_a_class_is_found_by_its_class_name_where_the_registered_name_differs(site):
    site.install_lynx("pack", module="lynx_module", name="sign_momentum")
    assert type(Registry().get_optimizer({"class_name": "Lynx", "config": {}})).__name__ == "Lynx"


def test_a_class_and_an_instance_are_taken_as_they_are(registry, lynx):
    opt = registry.get_optimizer(lynx, beta=0.5)
    assert opt.beta == 0.5
    assert registry.get_optimizer(opt) is opt


def test_an_instance_with_hyperparameters_is_an_error(registry, lynx):
    with pytest.raises(optreg.InvalidConfig) as caught:
        registry.get_optimizer(lynx(), beta=0.5)
    assert str(caught.value) == (
        "Lynx is built already and cannot take beta. Assign them (optimizer.beta = ...), or pass the name or the class"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lyxn", "There is no optimizer 'lyxn'. Did you mean 'lynx'? optreg.list_optimizers() shows all."),
        (
            "pack/lyxn",
            "There is no optimizer 'pack/lyxn'. Did you mean 'pack/lynx'? optreg.list_optimizers() shows all.",
        ),
        ("zzzzzz", "There is no optimizer 'zzzzzz'. optreg.list_optimizers() shows all."),
        ("", "There is no optimizer ''. optreg.list_optimizers() shows all."),
    ],
)
def test_a_misspelt_name_gets_a_suggestion_and_nothing_is_imported(registry, name, message):
    with pytest.raises(optreg.UnknownOptimizer) as caught:
        registry.get_optimizer(name)
    assert str(caught.value) == message
    assert isinstance(caught.value, LookupError)
    assert "lynx_module" not in sys.modules


@pytest.mark.parametrize("form", ["lynx", {"class_name": "Lynx", "config": {}}, {"class_name": "Lynx"}])
def test_a_misspelt_hyperparameter_gets_a_suggestion(registry, form):
    with pytest.raises(optreg.UnknownHyperparameter) as caught:
        registry.get_optimizer(form, learning_rte=1)
    assert str(caught.value) == (
        "Lynx: unknown hyperparameter 'learning_rte'. Did you mean 'learning_rate'? Allowed: learning_rate, beta, "
        "name, gradient_aggregator, gradient_transformers, clipvalue, clipnorm, global_clipnorm, lr, decay, plugins"
    )
    assert isinstance(caught.value, TypeError)


def test_hyperparameters_that_a_base_class_takes_are_known(site):
    source = """
    from lynx_module import Lynx

    class Cub(Lynx):
        def __init__(self, size, name="Cub", **kwargs):
            super().__init__(name=name, **kwargs)
            self.size = size
    """
    site.install_lynx("pack", module="lynx_module")
    site.install("cubs", {"cub_module.py": source}, cub="cub_module:Cub")
    assert Registry().get_optimizer("cub", size=1, beta=0.5, clipnorm=1.0).beta == 0.5
    with pytest.raises(optreg.UnknownHyperparameter, match="Did you mean 'beta'"):
        Registry().get_optimizer("cub", size=1, betta=0.5)
    with pytest.raises(
        optreg.HyperparameterTypeError, match="Cub: hyperparameter 'size' is required and was not given"
    ):
        Registry().get_optimizer("cub")


def test_the_instance_may_have_another_name_than_self(site):
    source = """
    from contract_stand_in import Optimizer

    class Plain(Optimizer):
        def __init__(this, rate=1.0):
            super().__init__("Plain")
            this.rate = rate
    """
    site.install("plain", {"plain_module.py": source}, plain="plain_module:Plain")
    assert Registry().get_optimizer("plain", rate=0.5).rate == 0.5
    with pytest.raises(optreg.UnknownHyperparameter, match="Allowed: rate"):
        Registry().get_optimizer("plain", this=1)


def test_a_class_without_keyword_arguments_takes_only_its_own(site):
    source = """
    from contract_stand_in import Optimizer

    class Strict(Optimizer):
        def __init__(self, rate=1.0):
            super().__init__("Strict")
    """
    site.install("strict", {"strict_module.py": source}, strict="strict_module:Strict")
    with pytest.raises(optreg.UnknownHyperparameter, match=r"unknown hyperparameter 'clipnorm'\. Allowed: rate"):
        Registry().get_optimizer("strict", clipnorm=1.0)
    neutral = {"rate": 0.5, "clipnorm": None, "weight_decay": None, "use_ema": False, "ema_momentum": 0.99}
    assert Registry().get_optimizer({"class_name": "Strict", "config": neutral}).name == "Strict"


@pytest.mark.parametrize("wrong", [None, 3, 0.1, b"adam", ["adam"], object])
def test_anything_else_is_told_what_is_allowed(registry, wrong):
    with pytest.raises(optreg.NotAnOptimizer, match=r"a name such as 'adam'|not a subclass of optreg\.Optimizer"):
        registry.get_optimizer(wrong)


@pytest.mark.parametrize("library", ["keras.src", "keras", "tf_keras", "tf_keras.src"])
@pytest.mark.parametrize("as_class", [True, False])
def test_an_optimizer_of_another_library_is_recognised_without_importing_it(registry, library, as_class):
    cls = foreign(library)
    root = library.partition(".")[0]
    with pytest.raises(optreg.NotAnOptimizer, match=rf'{root}\b.*Write optreg.get_optimizer\("adam", ...\) instead'):
        registry.get_optimizer(cls if as_class else cls())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "A dictionary with the keys none does not describe an optimizer"),
        ({"learning_rate": 1}, "A dictionary with the keys 'learning_rate' does not describe an optimizer"),
        ({"class_name": 3}, "'class_name' must be the name of an optimizer class, received 3"),
        ({"name": None, "lr": 1}, "'name' must be the name of an optimizer, received None"),
        ({"class_name": "Lynx", "config": [1]}, "'config' must be a dictionary of hyperparameters, received [1]"),
        ({"class_name": "Lynx", "beta": 0.5}, "Key 'beta' is not part of an optimizer configuration"),
        ({"optimizer": "lynx", "beta": 0.5}, "Key 'beta' is not part of an optimizer configuration"),
    ],
)
def test_a_malformed_configuration_is_told_what_is_wrong(registry, config, message):
    with pytest.raises(optreg.InvalidConfig) as caught:
        registry.get_optimizer(config)
    assert str(caught.value).startswith(message)


KERAS_3 = {
    "module": "keras.optimizers",
    "class_name": "Lynx",
    "config": {
        "name": "lynx",
        "learning_rate": 0.5,
        "weight_decay": None,
        "clipnorm": None,
        "global_clipnorm": None,
        "clipvalue": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "jit_compile": True,
        "is_legacy_optimizer": False,
        "beta": 0.5,
    },
    "registered_name": None,
}


def test_what_keras_3_writes_is_read_and_its_unused_options_are_left_out(registry):
    opt = registry.get_optimizer(KERAS_3)
    assert (opt.beta, opt.learning_rate) == (0.5, 0.5)
    assert set(opt.options) <= {"clipnorm", "clipvalue", "global_clipnorm"}


@pytest.mark.parametrize(
    ("option", "value"),
    [("weight_decay", 0.004), ("use_ema", True), ("loss_scale_factor", 2.0), ("gradient_accumulation_steps", 4)],
)
def test_an_option_of_keras_3_in_use_is_an_error_that_names_it(registry, option, value):
    config = {**KERAS_3, "config": {**KERAS_3["config"], option: value}}
    with pytest.raises(
        optreg.InvalidConfig, match=f"Lynx has no option '{option}', which this Keras configuration sets"
    ):
        registry.get_optimizer(config)


def test_a_key_that_neither_knows_is_never_dropped(registry):
    with pytest.raises(optreg.UnknownHyperparameter, match="unknown hyperparameter 'nesterov'"):
        registry.get_optimizer({"class_name": "Lynx", "config": {"nesterov": True}})


@pytest.mark.parametrize("target", ["a:b:c", ":X", "module:", "not a module:X"])
def test_a_malformed_target_is_told_its_form(registry, target):
    with pytest.raises(optreg.InvalidName, match="is not of the form module:Class"):
        registry.get_optimizer(target)


def test_a_target_that_does_not_exist_is_told_with_the_original_error(registry):
    with pytest.raises(optreg.UnusableOptimizer, match="nowhere_at_all:X cannot be used: importing") as caught:
        registry.get_optimizer("nowhere_at_all:X")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_the_qualified_name_of_a_class_is_known_also_where_it_is_re_exported(site):
    site.install(
        "pack", {"pack/__init__.py": "from .inner import Lynx", "pack/inner.py": lynx_source()}, lynx="pack:Lynx"
    )
    registry = Registry()
    assert registry.qualified_name_of(registry.get_class("lynx")) == "pack/lynx"
    assert registry.qualified_name_of(types.SimpleNamespace) is None


def lynx_source():
    from tests.fake_site import LYNX

    return LYNX


def test_transformers_are_built_by_name_with_checked_arguments(site):
    source = "class Centre:\n    def __init__(self, axis=0): self.axis = axis\n"
    site.install("pack", {"t.py": source}, entry_points="[optreg.transformers]\ncentre = t:Centre\n")
    registry = Registry()
    assert registry.build("transformer", "centre", {"axis": 1}).axis == 1
    assert registry.resolve("transformer", "centre").axis == 0
    assert registry.resolve("transformer", ("pack/centre", {"axis": 2})).axis == 2
    with pytest.raises(optreg.UnknownHyperparameter, match=r"Centre: unknown argument 'axes'\. Did you mean 'axis'"):
        registry.build("transformer", "centre", {"axes": 1})
    with pytest.raises(optreg.InvalidName, match=r"given by its name or by \(name, arguments\), received 3"):
        registry.resolve("transformer", 3)
    with pytest.raises(optreg.InvalidFilter, match=r"There is no kind 'transfomer'\. Did you mean 'transformer'"):
        registry.build("transfomer", "centre", {})
    with pytest.raises(optreg.UnknownOptimizer, match=r"There is no transformer 'center'\. Did you mean 'centre'"):
        registry.build("transformer", "center", {})


def test_the_built_in_optimizers_are_built_for_real():
    adam = optreg.get_optimizer("Adam", learning_rate=0.25)
    assert isinstance(adam, optreg.Optimizer)
    again = optreg.get_optimizer(adam.to_dict())
    assert again.get_config() == adam.get_config()
    assert optreg.get_optimizer({"class_name": "SGD", "config": {"momentum": 0.5}}).get_config()["momentum"] == 0.5
    with pytest.raises(
        optreg.UnknownHyperparameter, match=r"Adam: unknown hyperparameter 'beta1'\. Did you mean 'beta_1'"
    ):
        optreg.get_optimizer("adam", beta1=0.5)
