"""Registering in a running process, as in a notebook."""

from __future__ import annotations

import pytest

import optreg
from optreg.cards import Card
from optreg.discovery.entries import State
from optreg.registry import Registry


@pytest.fixture
def registry(site):
    site.install_lynx("pack", module="lynx_module")
    return Registry()


@pytest.fixture
def lynx(registry):
    return registry.get_class("lynx")


def test_a_registered_class_is_found_by_its_name_and_shown_as_of_the_session(registry, lynx):
    class Cub(lynx):
        """A small one."""

        card = Card(aliases=("kitten",), sparse="lazy")

    assert registry.register("My-Cub", Cub) is Cub
    assert type(registry.get_optimizer("my_cub", beta=0.5)) is Cub
    assert type(registry.get_optimizer("session/my-cub")) is Cub
    assert type(registry.get_optimizer("kitten")) is Cub
    info = registry.optimizer_info("my_cub")
    assert (info.distribution, info.state, info.card.summary) == ("session", State.READY, "A small one.")
    assert registry.qualified_name_of(Cub) == "session/my_cub"
    assert "my_cub" in registry.list_optimizers(capability="sparse-lazy")
    registry.unregister("My-Cub")
    with pytest.raises(optreg.UnknownOptimizer):
        registry.get_optimizer("my_cub")


def test_running_the_cell_again_replaces_the_class(registry, lynx):
    def cell():
        class Cub(lynx):
            pass

        return registry.register("cub", Cub)

    first, second = cell(), cell()
    assert first is not second
    assert registry.get_class("cub") is second


@pytest.mark.parametrize("name", ["adam", "lynx", "Adam"])
def test_a_taken_name_is_refused_unless_replaced_and_comes_back(registry, lynx, name):
    class Mine(lynx):
        pass

    with pytest.raises(optreg.NameTaken, match=r"The name '(adam|lynx)' belongs to .* or pass replace=True"):
        registry.register(name, Mine)
    owner = registry.optimizer_info(name).qualified_name
    registry.register(name, Mine, replace=True)
    assert registry.get_class(name) is Mine
    replaced = registry.optimizer_info(owner)
    assert (replaced.state, replaced.reason) == (State.SHADOWED, "replaced in this session")
    registry.unregister(name)
    assert registry.optimizer_info(name).qualified_name == owner
    assert registry.optimizer_info(owner).state is State.READY


def test_an_alias_is_taken_too(site, registry, lynx):
    site.install("x", {"x.py": 'class X:\n    card = Card(aliases=("best",))\n'}, x="x:X")
    registry.refresh()
    with pytest.raises(optreg.NameTaken, match="The name 'best' belongs to x/x"):
        registry.register("best", lynx)


def test_a_registration_outlives_refresh(registry, lynx):
    registry.register("cub", lynx)
    registry.refresh()
    assert registry.get_class("cub") is lynx


@pytest.mark.parametrize("name", ["two words", "", "9", "a/b", None])
def test_a_bad_name_is_refused(registry, lynx, name):
    with pytest.raises(optreg.InvalidName, match=r"A registered name has the form \[a-z\]"):
        registry.register(name, lynx)


@pytest.mark.parametrize("wrong", [int, 3, "lynx_module:Lynx"])
def test_only_optimizers_are_registered_as_optimizers(registry, wrong):
    with pytest.raises(optreg.NotAnOptimizer, match="is not a"):
        registry.register("wrong", wrong)


def test_any_callable_may_be_a_transformer(registry):
    registry.register("double", lambda: 2, kind="transformer")
    assert registry.build("transformer", "double", {}) == 2
    with pytest.raises(optreg.NotAnOptimizer, match="is not callable"):
        registry.register("wrong", 3, kind="transformer")


def test_unregistering_what_is_not_registered_is_an_error(registry):
    with pytest.raises(optreg.UnknownOptimizer, match="'adam' is not registered in this session"):
        registry.unregister("adam")


def test_registries_share_nothing(registry, lynx):
    registry.register("cub", lynx)
    with pytest.raises(optreg.UnknownOptimizer):
        Registry().optimizer_info("cub")


def test_the_public_functions_use_one_registry_and_register_decorates(lynx):
    @optreg.register("notebook_cub")
    class Cub(lynx):
        pass

    try:
        assert type(optreg.get_optimizer("notebook_cub")) is Cub
        assert optreg.optimizer_info("notebook-cub").distribution == "session"
        assert "notebook_cub" in optreg.list_optimizers("note*")
        optreg.refresh()
        assert "notebook_cub" in optreg.list_optimizers("note*")
    finally:
        optreg.unregister("notebook_cub")
    assert optreg.list_optimizers("note*") == []
