"""Who answers to a name, in which state, and why: decided from metadata, whatever the order of things."""

from __future__ import annotations

import itertools
import sys

import pytest

import optreg
from optreg.discovery.distributions import distributions, installed_versions
from optreg.discovery.entries import GROUPS, State
from optreg.registry import Registry


def states(registry):
    return {entry.qualified_name: entry.state.value for entry in registry.entries() if not entry.built_in}


def test_a_plugin_is_found_with_its_distribution_and_version_and_nothing_is_imported(site):
    site.install_lynx("Lynx_Pack", module="lynx_module", version="2.5")
    entry = Registry().optimizer_info("lynx")
    assert (entry.qualified_name, entry.origin, entry.target) == ("lynx-pack/lynx", "lynx-pack 2.5", "lynx_module:Lynx")
    assert (entry.state, entry.reason, entry.next_step) == (State.READY, "", "")
    assert entry.card.summary == "Steps by the sign of a momentum."
    assert entry.path == site.folder / "lynx_module.py"
    assert "lynx_module" not in sys.modules


@pytest.mark.parametrize("spelling", ["lynx_cub", "LYNX-cub", " Lynx_Cub ", "pack/lynx-cub", "PACK/Lynx_Cub"])
def test_spelling_is_folded(site, spelling):
    site.install_lynx("pack", module="lynx_module", name="Lynx-Cub")
    assert Registry().optimizer_info(spelling).qualified_name == "pack/lynx_cub"


def test_a_direct_name_is_found_without_reading_any_card(site, monkeypatch):
    site.install_lynx("pack", module="lynx_module")
    site.install_lynx("rival", module="lynx_rival", name="adam")
    monkeypatch.setattr("optreg.cards.reader.read_card", lambda *_: pytest.fail("a card was read"))
    assert Registry().optimizer_info("lynx").distribution == "pack"
    assert Registry().optimizer_info("adam").distribution == "optreg"


def test_an_alias_leads_to_the_optimizer_but_never_before_a_name(site):
    card = 'class X:\n    card = Card(aliases=("the-best", "adam"))\n'
    site.install("pack", {"x.py": card}, x="x:X")
    assert Registry().optimizer_info("The_Best").name == "x"
    assert Registry().optimizer_info("adam").distribution == "optreg"


def test_two_plugins_with_one_alias_are_ambiguous(site):
    card = 'class X:\n    card = Card(aliases=("best",))\n'
    site.install("a", {"x.py": card}, x="x:X")
    site.install("b", {"y.py": card}, y="y:X")
    with pytest.raises(optreg.AmbiguousOptimizer, match=r"'a/x' \(1.0\), 'b/y' \(1.0\)"):
        Registry().optimizer_info("best")


def test_the_same_distribution_twice_on_the_path_counts_once_and_the_first_wins(site, tmp_path):
    site.install_lynx("Twice.Seen", module="lynx_module", version="2.0")
    other = type(site)(tmp_path / "other")
    other.install_lynx("twice-seen", module="lynx_module", version="1.0")
    registry = Registry([str(site.folder), str(other.folder), str(site.folder)])
    assert [entry.origin for entry in registry.entries()] == ["twice-seen 2.0"]


def test_a_built_in_keeps_its_name_and_the_plugin_is_shadowed(site):
    site.install_lynx("pack", module="lynx_module", name="adam")
    registry = Registry()
    assert registry.optimizer_info("adam").distribution == "optreg"
    shadowed = registry.optimizer_info("pack/adam")
    assert shadowed.state is State.SHADOWED
    assert shadowed.reason == "'adam' is optreg/adam"
    assert shadowed.next_step == "use 'pack/adam', or pin it: OPTREG_PINS=adam=pack"
    assert {"adam", "pack/adam"} <= set(registry.list_optimizers())
    assert registry.get_class("pack/adam").__name__ == "Lynx"


def test_two_plugins_with_one_name_are_both_ambiguous_and_the_error_says_how_to_choose(site):
    site.install_lynx("b-pack", module="lynx_b", version="2.0")
    site.install_lynx("a-pack", module="lynx_a")
    registry = Registry()
    with pytest.raises(optreg.AmbiguousOptimizer) as caught:
        registry.get_optimizer("lynx")
    assert str(caught.value) == (
        "The optimizer 'lynx' is offered by several distributions: 'a-pack/lynx' (1.0), 'b-pack/lynx' (2.0). "
        "Ask for one by that qualified name, or pin one: OPTREG_PINS=lynx=a-pack."
    )
    assert states(registry) == {"a-pack/lynx": "ambiguous", "b-pack/lynx": "ambiguous"}
    assert registry.optimizer_info("a-pack/lynx").reason == "also offered by b-pack 2.0"
    assert registry.get_class("b-pack/lynx").__module__ == "lynx_b"


def test_a_broken_rival_does_not_make_a_name_ambiguous(site):
    site.install_lynx("good", module="lynx_good")
    site.install("bad", {"lynx_bad.py": "class Lynx(:"}, lynx="lynx_bad:Lynx")
    registry = Registry()
    assert registry.optimizer_info("lynx").distribution == "good"
    assert states(registry) == {"good/lynx": "ready", "bad/lynx": "broken"}


@pytest.mark.parametrize("by_argument", [True, False])
def test_the_user_pins_the_winner(site, monkeypatch, by_argument):
    site.install_lynx("a-pack", module="lynx_a", name="adam")
    site.install_lynx("b-pack", module="lynx_b", name="adam")
    if not by_argument:
        monkeypatch.setenv("OPTREG_PINS", "adam = B_Pack")
    registry = Registry(pins={"Adam": "b.pack"}) if by_argument else Registry()
    assert registry.optimizer_info("adam").qualified_name == "b-pack/adam"
    assert registry.optimizer_info("optreg/adam").state is State.SHADOWED


def test_a_pin_to_what_is_not_installed_is_an_error_and_never_another_optimizer(site):
    with pytest.raises(optreg.UnusableOptimizer, match="'adam' is pinned to the distribution 'gone', which does not"):
        Registry(pins={"adam": "gone"}).get_optimizer("adam")


def test_a_pin_to_a_disabled_plugin_is_an_error(site, monkeypatch):
    site.install_lynx("pack", module="lynx_module", name="adam")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "pack")
    with pytest.raises(optreg.UnusableOptimizer, match=r"pack/adam .* is disabled"):
        Registry(pins={"adam": "pack"}).get_optimizer("adam")


def test_malformed_pins_are_told(site, monkeypatch):
    monkeypatch.setenv("OPTREG_PINS", "adam")
    with pytest.raises(optreg.InvalidFilter, match="OPTREG_PINS: 'adam' is not of the form name=distribution"):
        Registry().list_optimizers()


@pytest.mark.parametrize(
    ("variable", "value", "disabled"),
    [
        ("OPTREG_DISABLE_PLUGINS", "one", {"one"}),
        ("OPTREG_DISABLE_PLUGINS", "O*,two", {"one", "two"}),
        ("OPTREG_DISABLE_PLUGINS", "*", {"one", "two"}),
        ("OPTREG_DISABLE_PLUGINS", "", set()),
        ("OPTREG_PLUGINS", "", {"one", "two"}),
        ("OPTREG_PLUGINS", "One", {"two"}),
        ("OPTREG_PLUGINS", "*", set()),
    ],
)
def test_plugins_are_disabled_by_the_environment_and_built_ins_never(site, monkeypatch, variable, value, disabled):
    site.install_lynx("one", module="lynx_one", name="lynx_1")
    site.install_lynx("two", module="lynx_two", name="lynx_2")
    monkeypatch.setenv(variable, value)
    registry = Registry()
    assert {entry.distribution for entry in registry.entries() if entry.state is State.DISABLED} == disabled
    assert registry.optimizer_info("adam").state is State.READY


def test_a_disabled_plugin_is_never_imported_nor_read(site, monkeypatch):
    site.install("slow", {"slow.py": "raise SystemExit('imported')"}, slow="slow:Slow")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "slow")
    monkeypatch.setattr("optreg.cards.reader.read_card", lambda *_: pytest.fail("the card was read"))
    for way in ("slow", "slow/slow", "slow:Slow"):
        with pytest.raises(optreg.UnusableOptimizer) as caught:
            Registry().get_optimizer(way)
        assert str(caught.value) == (
            "slow/slow (slow 1.0) is disabled: disabled by OPTREG_DISABLE_PLUGINS. "
            "Next step: take slow out of OPTREG_DISABLE_PLUGINS."
        )


def test_a_plugin_disabled_after_it_was_loaded_is_refused(site, monkeypatch):
    site.install_lynx("pack", module="lynx_module")
    registry = Registry()
    registry.get_optimizer("lynx")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "pack")
    registry.refresh()
    with pytest.raises(optreg.UnusableOptimizer, match="is disabled"):
        registry.get_optimizer("lynx")


def test_a_disabled_rival_leaves_the_name_to_the_other(site, monkeypatch):
    site.install_lynx("one", module="lynx_one")
    site.install_lynx("two", module="lynx_two")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "two")
    assert Registry().optimizer_info("lynx").distribution == "one"


def test_a_plugin_for_a_newer_api_is_incompatible_and_not_imported(site):
    site.install("new", {"new.py": "raise RuntimeError\nclass New:\n    card = Card(api=99)\n"}, new="new:New")
    registry = Registry()
    with pytest.raises(optreg.UnusableOptimizer, match=r"new/new .* is incompatible: written for plugin API 99"):
        registry.get_optimizer("new")
    assert registry.optimizer_info("new").next_step == "pip install --upgrade optreg"


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        ("9lives = m:C", "9lives", "the registered name '9lives' is not of the form [a-z][a-z0-9_]*"),
        ("my opt = m:C", "my opt", "the registered name 'my opt' is not of the form [a-z][a-z0-9_]*"),
        ("fine = m", "fine", "the entry point 'm' is not of the form module:Class"),
        ("fine = m:C:D", "fine", "the entry point 'm:C:D' is not of the form module:Class"),
        ("fine", "fine", "the entry point '' is not of the form module:Class"),
        ("one = m:C\nOne = m:D", "one", "its metadata gives the name two targets: m:C and m:D"),
    ],
)
def test_a_malformed_entry_point_is_shown_as_broken(site, line, name, reason):
    site.install("pack", {"m.py": "class C: ...\nclass D: ..."}, entry_points=f"[optreg.optimizers]\n{line}\n")
    entry = Registry().optimizer_info(f"pack/{name}")
    assert entry.state is State.BROKEN
    assert sorted(entry.reason.replace(" and ", ": ").split(": ")) == sorted(reason.replace(" and ", ": ").split(": "))


def test_extras_and_comments_in_entry_points_are_understood(site):
    text = "# a comment\n[other]\nx = y:Z\n[ optreg.optimizers ]\n; another\nlynx = lynx_module:Lynx [gpu]\n"
    site.install("pack", {"lynx_module.py": "class Lynx: ..."}, entry_points=text)
    assert Registry().optimizer_info("lynx").target == "lynx_module:Lynx"


def test_transformers_and_aggregators_are_found_the_same_way(site):
    text = "[optreg.transformers]\ncentre = t:centre\n[optreg.aggregators]\nmode = t:mode\n"
    site.install("pack", {"t.py": 'def centre(axis=0):\n    """Centres."""\n\ndef mode(): ...\n'}, entry_points=text)
    registry = Registry()
    assert "pack/centre" in [entry.qualified_name for entry in registry.entries(kind="transformer")]
    assert registry.optimizer_info("centre", kind="transformer").card.summary == "Centres."
    assert registry.optimizer_info("mode", kind="aggregator").state is State.READY
    with pytest.raises(optreg.UnknownOptimizer, match=r"There is no aggregator 'moed'. Did you mean 'mode'"):
        registry.optimizer_info("moed", kind="aggregator")


def test_nothing_depends_on_the_order_of_the_path(site, tmp_path):
    folders = []
    for number, name in enumerate(["lynx", "lynx", "adam"]):
        other = type(site)(tmp_path / f"site-{number}")
        other.install_lynx(f"pack-{number}", module=f"lynx_{number}", name=name)
        folders.append(str(other.folder))
    seen = {
        tuple((e.qualified_name, e.verdict) for e in Registry(order).entries())
        for order in itertools.permutations(folders)
    }
    assert len(seen) == 1


def test_a_zipped_distribution_is_found(site, tmp_path):
    import shutil

    site.install_lynx("zipped", module="lynx_module")
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", site.folder)
    [found] = distributions([archive], group_prefix="optreg.")
    assert (found.name, found.version, found.entry_points[0].value) == ("zipped", "1.0", "lynx_module:Lynx")


def test_our_reading_of_the_metadata_agrees_with_importlib(site):
    import importlib.metadata

    site.install_lynx("Some.Pack", module="lynx_module")
    ours = {
        (d.version, p.name, p.value) for d in distributions(sys.path, group_prefix="optreg.") for p in d.entry_points
    }
    theirs = {
        (point.dist.version, point.name, point.value)
        for group in GROUPS
        for point in importlib.metadata.entry_points(group=group)
    }
    assert ours == theirs
    names = ["numpy", "tf-keras", "typer", "not-installed"]
    versions = {name: importlib.metadata.version(name) for name in names[:-1]}
    assert installed_versions(sys.path, names) == versions


def test_a_folder_that_is_gone_or_is_no_folder_is_passed_over(site, tmp_path):
    (tmp_path / "file.dist-info").write_text("no folder")
    assert distributions([str(tmp_path), str(tmp_path / "gone"), ""], group_prefix="none.") == []


def test_names_that_differ_only_in_case_are_one_name(site):
    site.install_lynx("a-pack", module="lynx_a", name="Lynx")
    site.install_lynx("b-pack", module="lynx_b", name="LYNX")
    site.install_lynx("c-pack", module="lynx_c", name="SGD")
    registry = Registry()
    assert states(registry) == {"a-pack/lynx": "ambiguous", "b-pack/lynx": "ambiguous", "c-pack/sgd": "shadowed"}
    assert registry.optimizer_info("Sgd").built_in
