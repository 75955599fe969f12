"""Deprecated names: they work with one warning, say what replaces them, and are refused once they are gone."""

from __future__ import annotations

import warnings

import pytest
from tests.fake_site import LYNX

import optreg
from optreg.discovery.entries import State
from optreg.registry import Registry


def install(site, deprecated, *, version="1.0", name="pack", optimizer="lynx", module="lynx_module"):
    source = LYNX.replace("class Lynx(Optimizer):", "class Lynx(Optimizer):").replace(
        "    def __init__", f"    card = Card(deprecated=({deprecated},))\n\n    def __init__"
    )
    source = source.replace("from contract_stand_in", "from optreg import Card, Deprecated\nfrom contract_stand_in")
    site.install(name, {f"{module}.py": source}, version=version, **{optimizer: f"{module}:Lynx"})
    return Registry()


OLD = "Deprecated('Old-Lynx', since='0.9', removal='2.0')"


def test_an_old_name_is_an_entry_of_its_own_and_leads_to_the_new_one(site):
    registry = install(site, OLD)
    entry = registry.optimizer_info("old_lynx")
    assert (entry.qualified_name, entry.state) == ("pack/old_lynx", State.DEPRECATED)
    assert entry.reason == "an old name since 0.9; it goes in 2.0"
    assert entry.next_step == "use 'lynx'"
    assert {"lynx", "old_lynx"} <= set(registry.list_optimizers())
    assert registry.list_optimizers(state="deprecated") == ["old_lynx"]
    assert registry.optimizer_info("pack/OLD-lynx") == entry
    assert registry.optimizer_info("lynx").state is State.READY


def test_using_an_old_name_warns_once_at_the_line_that_uses_it(site):
    registry = install(site, OLD)
    with pytest.warns(optreg.DeprecatedName) as caught:
        assert type(registry.get_optimizer("old_lynx")).__name__ == "Lynx"
    [warning] = caught
    assert warning.filename == __file__
    assert str(warning.message) == (
        "'old_lynx' is an old name since 0.9; it goes in 2.0 of pack 1.0 and means 'pack/lynx'. Next step: use 'lynx'."
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.get_optimizer("old_lynx")
        registry.get_optimizer("lynx")


@pytest.mark.parametrize("version", ["2.0", "2.0.1", "10.0"])
def test_past_its_removal_an_old_name_is_refused_with_the_replacement(site, version):
    registry = install(site, OLD, version=version)
    with pytest.raises(optreg.UnusableOptimizer) as caught:
        registry.get_optimizer("old_lynx")
    assert str(caught.value) == (
        f"pack/old_lynx (pack {version}) is deprecated: it was removed in pack 2.0. Next step: use 'lynx'."
    )


@pytest.mark.parametrize("version", ["1.99", "2.0rc1", "2.0.dev3", "2.0b2"])
def test_before_its_removal_an_old_name_works(site, version):
    assert install(site, OLD, version=version).optimizer_info("old_lynx").usable


def test_a_replacement_may_be_another_optimizer(site):
    registry = install(site, "Deprecated('old_lynx', replacement='optreg/adam')")
    assert registry.optimizer_info("old_lynx").next_step == "use 'optreg/adam'"
    with pytest.warns(optreg.DeprecatedName, match="means 'optreg/adam'"):
        assert registry.get_class("old_lynx").__name__ == "Adam"


@pytest.mark.parametrize("nowhere", ["gone", "pack/gone", "gone/lynx", "older_lynx"])
def test_an_old_name_that_points_nowhere_is_broken(site, nowhere):
    registry = install(site, f"Deprecated('old_lynx', replacement='{nowhere}'), Deprecated('older_lynx')")
    entry = registry.optimizer_info("old_lynx")
    assert entry.state is State.BROKEN
    assert entry.reason == f"an old name of {nowhere!r}, which nothing installed offers under a present name"
    with pytest.raises(optreg.UnusableOptimizer, match="report it to the authors of pack"):
        registry.get_optimizer("old_lynx")


def test_a_present_name_or_alias_comes_before_an_old_one(site):
    registry = install(site, "Deprecated('adam')")
    assert registry.optimizer_info("adam").qualified_name == "optreg/adam"
    shown = registry.optimizer_info("pack/adam")
    assert (shown.state, shown.reason) == (State.SHADOWED, "'adam' is now optreg/adam")


def test_two_plugins_with_one_old_name_are_ambiguous(site):
    install(site, OLD)
    registry = install(site, OLD, name="rival", optimizer="tiger", module="tiger_module")
    with pytest.raises(optreg.AmbiguousOptimizer, match=r"'pack/old_lynx' \(1.0\), 'rival/old_lynx'"):
        registry.get_optimizer("old_lynx")
    assert registry.optimizer_info("rival/old_lynx").state is State.AMBIGUOUS
    with pytest.warns(optreg.DeprecatedName):
        registry.get_optimizer("rival/old_lynx")


def test_an_optimizer_may_itself_be_deprecated(site):
    registry = install(site, "Deprecated('lynx', since='1.0', replacement='optreg/sgd')")
    entry = registry.optimizer_info("lynx")
    assert (entry.state, entry.reason) == (State.DEPRECATED, "an old name since 1.0")
    with pytest.warns(optreg.DeprecatedName, match="Next step: use 'optreg/sgd'"):
        assert type(registry.get_optimizer("lynx")).__name__ == "Lynx"


def test_a_misspelt_old_name_is_suggested(site):
    registry = install(site, "Deprecated('panthera_leo')")
    with pytest.raises(optreg.UnknownOptimizer, match="Did you mean 'panthera_leo'"):
        registry.get_optimizer("panthera_lea")


@pytest.mark.parametrize("wrong", ["Deprecated(3)", "'old'", "Deprecated('a', 'b', 'c', 'd', 'e')"])
def test_a_declaration_that_is_none_makes_the_card_unreadable(site, wrong):
    site.install("pack", {"x.py": f"class X:\n    card = Card(deprecated=({wrong},))\n"}, x="x:X")
    assert Registry().optimizer_info("x").state is State.BROKEN
