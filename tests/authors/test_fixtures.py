"""The pytest fixtures for authors, in test files as authors write them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.authors.inner_tests import ROOT, inner

__all__ = ["inner"]

STAND_INS = """
import sys
import pytest
import optreg
from optreg.registry import default_registry
from tests.fake_site import CONTRACT_STAND_IN, LYNX

MODULES = {"contract_stand_in.py": CONTRACT_STAND_IN, "lynx_pack/__init__.py": "", "lynx_pack/lynx.py": LYNX}
POINT = {"lynx": "lynx_pack.lynx:Lynx"}
_namespace = {"__name__": "stand_in"}
exec(CONTRACT_STAND_IN, _namespace)

class Lynx(_namespace["Optimizer"]):
    def __init__(self, name="Lynx"):
        super().__init__(name)

class OtherLynx(Lynx):
    pass
"""


def test_the_plugin_of_pytest_imports_neither_optreg_nor_tensorflow():
    program = "import sys, optreg_pytest.plugin; assert not {'optreg', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def test_a_run_that_uses_no_fixture_imports_neither_optreg_nor_tensorflow(inner):
    inner.pass_(
        """
        import sys

        def test_nothing_is_loaded(request):
            assert request.config.pluginmanager.hasplugin("optreg_pytest.plugin")
            assert not {"optreg", "tensorflow"} & set(sys.modules)
        """,
        1,
    )


def test_pytest_finds_the_fixtures_where_optreg_is_installed(inner):
    inner.write("test_inner.py", "def test_it(optreg_registry):\n    assert optreg_registry.list_optimizers() == []\n")
    done = inner.run(autoload=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_examples_of_the_documentation_pass(inner):
    page = (ROOT / "docs" / "testing.md").read_text()
    examples = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", page, re.DOTALL)
    for name, source in examples:
        inner.write(name, source)
    done = inner.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n{sum(source.count('def test_') for _, source in examples)} passed in" in done.stdout
    assert len(examples) == 3


def test_the_isolated_registry_is_in_use_for_one_test_only(inner):
    inner.pass_(
        STAND_INS
        + """
def test_inside(optreg_registry):
    assert default_registry() is optreg_registry
    assert optreg_registry.entries(kind=None) == []
    optreg.register("lynx", Lynx)
    assert optreg.list_optimizers() == ["lynx"]
    assert type(optreg.get_optimizer("lynx")) is Lynx

def test_after():
    assert "lynx" not in optreg.list_optimizers()
    assert "sgd" in optreg.list_optimizers()
""",
        2,
    )


def test_the_isolated_registry_says_what_it_lacks_and_lets_in_what_it_is_told(inner):
    inner.pass_(
        STAND_INS
        + """
def message(ask):
    with pytest.raises(optreg.UnknownOptimizer) as caught:
        ask()
    return str(caught.value)

def test_messages(optreg_registry):
    text = message(lambda: optreg.get_optimizer("Adam"))
    assert "isolated by the fixture optreg_registry: of what is installed it holds nothing" in text
    assert "optreg_registry.register('Adam', cls), or optreg_registry.include('optreg') for optreg/adam" in text
    assert "include" not in message(lambda: optreg.get_optimizer("lynx"))
    keras = {"class_name": "Adam", "config": {}}
    assert "include('optreg')" in message(lambda: optreg.get_optimizer(keras))
    transformer = message(lambda: optreg_registry.build("transformer", "noise", {}))
    assert "register('noise', cls, kind='transformer'), or optreg_registry.include('optreg')" in transformer

def test_including(optreg_registry):
    assert "Did you mean 'optreg'? Installed: " in message(lambda: optreg_registry.include("opreg"))
    optreg_registry.include("optreg")
    assert optreg.optimizer_info("adam").built_in
    assert "it holds only optreg" in message(lambda: optreg.get_optimizer("lynx"))
    optreg_registry.exclude("optreg")
    assert optreg.list_optimizers() == []

def test_settings_of_the_user_do_not_count(optreg_registry, monkeypatch):
    monkeypatch.setenv("OPTREG_REQUIRE_PLUGINS", "not-there")
    assert optreg.list_optimizers() == []
    optreg_registry.include("optreg")
    assert "adam" in optreg.list_optimizers()
""",
        3,
    )


def test_a_name_lasts_as_long_as_the_test(inner):
    inner.pass_(
        STAND_INS
        + """
def test_in_the_usual_registry(optreg_plugin):
    assert optreg_plugin("lynx", Lynx) is Lynx
    assert type(optreg.get_optimizer("lynx")) is Lynx
    with pytest.raises(optreg.NameTaken):
        optreg_plugin("lynx", OtherLynx)
    with pytest.raises(optreg.NameTaken, match="optreg/sgd"):
        optreg_plugin("sgd", OtherLynx)
    optreg_plugin("sgd", OtherLynx, replace=True)
    assert type(optreg.get_optimizer("sgd")) is OtherLynx
    optreg_plugin("twice", lambda: (lambda pairs: pairs), kind="transformer")
    assert default_registry().optimizer_info("twice", kind="transformer").distribution == "session"

def test_it_is_taken_back():
    assert "lynx" not in optreg.list_optimizers()
    assert optreg.optimizer_info("sgd").built_in
    with pytest.raises(optreg.UnknownOptimizer):
        default_registry().optimizer_info("twice", kind="transformer")

@pytest.fixture
def registered():
    optreg.register("lynx", Lynx)
    yield
    assert default_registry().get_class("lynx") is Lynx
    optreg.unregister("lynx")

def test_what_was_registered_before_comes_back(registered, optreg_plugin):
    optreg_plugin("lynx", OtherLynx, replace=True)
    optreg_plugin("Lynx", Lynx, replace=True)
    optreg_plugin("lynx", OtherLynx, replace=True)
    assert default_registry().get_class("lynx") is OtherLynx

def test_a_name_that_the_test_takes_back_itself_is_no_error(optreg_plugin):
    optreg_plugin("lynx", Lynx)
    optreg.unregister("lynx")

def test_in_an_isolated_registry(optreg_registry, optreg_plugin):
    optreg_plugin("sgd", Lynx)
    assert optreg.list_optimizers() == ["sgd"]
""",
        5,
    )


def test_a_distribution_is_installed_replaced_and_removed(inner):
    inner.pass_(
        STAND_INS
        + """
PLACES = []

def test_found_read_and_loaded(optreg_distribution):
    PLACES.append(optreg_distribution("Lynx.Pack", MODULES, optimizers=POINT, version="2.0"))
    info = optreg.optimizer_info("lynx")
    assert (info.qualified_name, info.origin) == ("lynx-pack/lynx", "lynx-pack 2.0")
    assert info.card.summary == "Steps by the sign of a momentum."
    assert "lynx_pack.lynx" not in sys.modules
    assert optreg.get_optimizer("lynx", beta=0.5).beta == 0.5
    assert "lynx_pack.lynx" in sys.modules

def test_nothing_of_it_is_left():
    assert "lynx" not in optreg.list_optimizers()
    assert not {"lynx_pack", "lynx_pack.lynx", "contract_stand_in"} & set(sys.modules)
    assert str(PLACES[0]) not in sys.path
    assert str(PLACES[0]) not in sys.path_importer_cache

def test_an_upgrade_replaces_what_was_loaded(optreg_distribution):
    for version, default in (("1.0", "0.99"), ("1.1", "0.55")):
        source = LYNX.replace("beta=0.99", f"beta={default}")  # of one size, within one second
        optreg_distribution("lynx-pack", {**MODULES, "lynx_pack/lynx.py": source}, optimizers=POINT, version=version)
        assert optreg.get_optimizer("lynx").beta == float(default)
        assert optreg.optimizer_info("lynx").version == version
    optreg_distribution.remove("lynx_pack")
    assert "lynx" not in optreg.list_optimizers()
    optreg_distribution.remove("lynx_pack")  # again: nothing happens

def test_the_class_of_an_earlier_test_is_not_met_again(optreg_distribution):
    source = LYNX.replace("beta=0.99", "beta=0.11")
    optreg_distribution("lynx-pack", {**MODULES, "lynx_pack/lynx.py": source}, optimizers=POINT)
    assert optreg.get_optimizer("lynx").beta == 0.11

def test_what_it_registers_while_it_is_imported_goes_with_it(optreg_distribution):
    source = LYNX + "import optreg\\noptreg.register('more', Lynx)\\n"
    optreg_distribution("lynx-pack", {**MODULES, "lynx_pack/lynx.py": source}, optimizers=POINT)
    optreg.get_optimizer("lynx")
    assert optreg.optimizer_info("more").distribution == "session"

def test_it_has_gone():
    assert "more" not in optreg.list_optimizers()

def test_every_kind_and_the_gates(optreg_distribution):
    optreg_distribution(
        "lynx-pack", MODULES, optimizers=POINT, transformers={"purr": "lynx_pack:purr"},
        aggregators={"pride": "lynx_pack:pride"}, plugins={"tools": "lynx_pack"},
    )
    assert {(e.kind, e.name) for e in default_registry().entries(kind=None) if e.distribution == "lynx-pack"} == {
        ("optimizer", "lynx"), ("transformer", "purr"), ("aggregator", "pride"), ("plugin", "tools")
    }
    optreg_distribution("lynx-pack", MODULES, optimizers=POINT, requires=["not-there>=1", "numpy"])
    assert optreg.optimizer_info("lynx").state == "missing dependency"
    optreg_distribution("lynx-pack", MODULES, optimizers=POINT, requires_python=">=99")
    assert optreg.optimizer_info("lynx").reason.startswith("it works with Python >=99")

def test_in_an_isolated_registry(optreg_registry, optreg_distribution):
    optreg_distribution("lynx-pack", MODULES, optimizers=POINT)
    assert optreg.list_optimizers() == ["lynx"]
    optreg_distribution.remove("lynx-pack")
    assert optreg.list_optimizers() == []

def test_settings_are_those_of_the_test(optreg_distribution, monkeypatch):
    optreg_distribution("lynx-pack", MODULES, optimizers=POINT)
    assert optreg.optimizer_info("lynx").usable
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "lynx-*")
    optreg.refresh()
    assert optreg.optimizer_info("lynx").state == "disabled"

@pytest.mark.parametrize("path", ["../lynx.py", "/lynx.py", "", "a\\\\b.py"])
def test_a_path_that_leads_out_is_refused(optreg_distribution, path):
    with pytest.raises(optreg.InvalidProject, match="by its path in the distribution"):
        optreg_distribution("lynx-pack", {path: ""})

def test_a_module_that_would_not_be_imported_is_refused(optreg_distribution):
    with pytest.raises(optreg.InvalidProject, match="'optreg' is imported already, from .*Choose another name"):
        optreg_distribution("lynx-pack", {"optreg/more.py": ""})
""",
        14,
    )


@pytest.mark.slow
def test_keras_learns_the_names_of_a_test_and_forgets_them(inner):
    inner.pass_(
        """
        import keras
        import optreg
        import pytest

        class Halving(optreg.UpdateRule):
            card = optreg.Card(dtypes=("float32",))

            def update(self, gradient, value):
                return value - 0.5 * gradient

        def offered():
            return [name for name in keras.utils.get_custom_objects() if name.startswith("optreg>halving")]

        def test_in_an_isolated_registry(optreg_registry, optreg_plugin):
            optreg_plugin("halving", Halving)
            assert offered() == ["optreg>halving"]
            assert keras.optimizers.get("optreg>halving").name == "Halving"

        def test_forgotten():
            assert offered() == []
            assert "optreg>sgd" in keras.utils.get_custom_objects()

        def test_in_the_usual_registry(optreg_plugin):
            optreg_plugin("halving", Halving)
            assert offered() == ["optreg>halving"]

        def test_forgotten_again():
            assert offered() == []
            assert "optreg>sgd" in keras.utils.get_custom_objects()
        """,
        4,
    )
