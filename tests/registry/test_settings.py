"""The user's settings: from arguments, the environment and a file, in this order, with lines named in errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import optreg
from optreg.discovery.entries import State
from optreg.discovery.settings import settings_path
from optreg.registry import Registry


@pytest.fixture
def configure(tmp_path, monkeypatch):
    def write(text):
        path = tmp_path / "config.ini"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("OPTREG_CONFIG", str(path))
        return path

    return write


def test_the_file_lies_where_the_platform_keeps_settings(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", "linux")
    assert settings_path({}) == "/home/me/.config/optreg/config.ini"
    assert settings_path({"XDG_CONFIG_HOME": "/etc/me"}) == "/etc/me/optreg/config.ini"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert settings_path({}) == "/home/me/Library/Application Support/optreg/config.ini"
    assert settings_path({"OPTREG_CONFIG": "/x.ini"}) == "/x.ini"
    assert settings_path({"OPTREG_CONFIG": ""}) == ""


def test_pins_come_from_the_argument_before_the_environment_before_the_file(site, configure, monkeypatch):
    for pack in ("a-pack", "b-pack", "c-pack"):
        site.install_lynx(pack, module=f"lynx_{pack[0]}", name="adam")
    path = configure("[pins]\nAdam = A_Pack\n")
    assert Registry().optimizer_info("adam").distribution == "a-pack"
    assert f"pinned by {path}, line 2" in Registry().resolution("adam").steps[-1].result
    monkeypatch.setenv("OPTREG_PINS", "adam=b-pack")
    assert Registry().optimizer_info("adam").distribution == "b-pack"
    assert Registry(pins={"adam": "c-pack"}).optimizer_info("adam").distribution == "c-pack"


def test_the_file_disables_and_allows_and_a_variable_replaces_its_setting(site, configure, monkeypatch):
    site.install_lynx("one", module="lynx_one", name="lynx_1")
    site.install_lynx("two", module="lynx_two", name="lynx_2")
    path = configure("# mine\n[plugins]\ndisable = o*\n")
    entry = Registry().optimizer_info("lynx_1")
    assert (entry.state, entry.reason) == (State.DISABLED, f"disabled by 'disable' in {path}, line 3")
    assert entry.next_step == f"take one out of 'disable' in {path}, line 3"
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "two")
    assert Registry().list_optimizers(state="disabled") == ["two/lynx_2"]
    monkeypatch.delenv("OPTREG_DISABLE_PLUGINS")
    configure("[plugins]\nallow =\n")
    assert Registry().list_optimizers(state="disabled") == ["one/lynx_1", "two/lynx_2"]
    monkeypatch.setenv("OPTREG_PLUGINS", "*")
    assert Registry().list_optimizers(state="disabled") == []


def test_names_of_the_users_own_come_before_all_others(site, configure):
    site.install_lynx("pack", module="lynx_module")
    configure("[aliases]\nMy-Cat = favourite\nfavourite = pack/lynx\nadam = optreg/sgd\nlost = nowhere\n")
    registry = Registry()
    assert registry.optimizer_info("my_cat").qualified_name == "pack/lynx"
    assert type(registry.get_optimizer("Favourite")).__name__ == "Lynx"
    assert registry.optimizer_info("adam").qualified_name == "optreg/sgd"
    assert registry.optimizer_info("optreg/adam").qualified_name == "optreg/adam"
    assert registry.aliases_of(registry.optimizer_info("lynx")) == ("my_cat", "favourite")
    with pytest.raises(optreg.UnknownOptimizer):
        registry.optimizer_info("lost")
    with pytest.raises(optreg.UnknownOptimizer, match="Did you mean 'favourite'"):
        registry.optimizer_info("favorite")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[plugin]\n", 1, "there is no section 'plugin'. Did you mean 'plugins'? Allowed: aliases, pins, plugins"),
        ("[plugins]\nalow = x\n", 2, "there is no setting 'alow'. Did you mean 'allow'?"),
        ("allow = x\n", 1, "'allow = x' is not understood; expected a section such as [plugins] first"),
        ("[pins]\n\nadam\n", 3, "'adam' is not understood; expected key = value"),
        ("[pins]\nadam =\n", 2, "'adam=' is not of the form name=distribution"),
        ("[pins]\nadam = a\nadam = b\n", 3, "'adam' is given already in line 2; take one of them out"),
        ("[plugins]\nstrict = perhaps\n", 2, "'perhaps' is not understood; write yes or no"),
        ("[plugins]\nrequire = 3 lions\n", 2, "'3 lions' is not a requirement such as 'lynx-pack>=1.2'"),
        ("[aliases]\na = b\nb = c\nc = a\n", 2, "the alias leads in a circle, a -> b -> c -> a"),
        ("[aliases]\na = A\n", 2, "the alias leads in a circle, a -> a"),
        ("[aliases]\nmy cat = lynx\n", 2, "an alias has the form 'my_name = optimizer', received 'my cat'"),
        (b"[plugins]\n# caf\xe9\n", 2, "not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_a_line_that_means_nothing_is_told_with_file_and_line(configure, text, line, message):
    path = configure(text)
    with pytest.raises(optreg.InvalidFilter) as caught:
        Registry().list_optimizers()
    assert str(path) in str(caught.value)
    assert f"line {line}: {message}" in str(caught.value)


def test_a_file_that_is_named_and_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("OPTREG_CONFIG", str(tmp_path / "gone.ini"))
    with pytest.raises(optreg.InvalidFilter, match=r"gone.ini cannot be read .*; correct OPTREG_CONFIG"):
        Registry().list_optimizers()


def test_without_a_file_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("OPTREG_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    assert "adam" in Registry().list_optimizers()


def test_a_required_plugin_must_be_there_in_its_range_before_anything_is_imported(site, monkeypatch):
    site.install_lynx("lynx-pack", module="lynx_module", version="1.5")
    for wanted in ("lynx-pack", "Lynx_Pack>=1.2", "lynx-pack>=1.2,<2", "lynx-pack>=1, lynx-pack<9"):
        monkeypatch.setenv("OPTREG_REQUIRE_PLUGINS", wanted)
        assert "lynx" in Registry().list_optimizers()
    monkeypatch.setenv("OPTREG_REQUIRE_PLUGINS", "lynx-pack>=2, tiger-pack")
    registry = Registry()
    for ask in (registry.list_optimizers, lambda: registry.get_optimizer("lynx"), lambda: registry.get_class("a:B")):
        with pytest.raises(optreg.PolicyViolation) as caught:
            ask()
        assert str(caught.value) == (
            "The plugin 'lynx-pack>=2' is required by OPTREG_REQUIRE_PLUGINS; installed is 1.5. "
            'Next step: pip install "lynx-pack>=2", or take it out of OPTREG_REQUIRE_PLUGINS. '
            "The plugin 'tiger-pack' is required by OPTREG_REQUIRE_PLUGINS and is not installed. "
            'Next step: pip install "tiger-pack", or take it out of OPTREG_REQUIRE_PLUGINS.'
        )
    assert "lynx_module" not in sys.modules
    monkeypatch.setenv("OPTREG_REQUIRE_PLUGINS", "lynx-pack")
    monkeypatch.setenv("OPTREG_PLUGINS", "")
    with pytest.raises(optreg.PolicyViolation, match="but not among the plugins in OPTREG_PLUGINS"):
        Registry().list_optimizers()


def test_strict_mode_lists_everything_it_does_not_tolerate(site, monkeypatch):
    site.install_lynx("a-pack", module="lynx_a")
    monkeypatch.setenv("OPTREG_STRICT", "1")
    assert "lynx" in Registry().list_optimizers()
    site.install_lynx("b-pack", module="lynx_b")
    site.install_lynx("c-pack", module="lynx_c", name="adam")
    site.install("bad", {"bad.py": "class X(:"}, bad="bad:X")
    registry = Registry()
    with pytest.raises(optreg.PolicyViolation) as caught:
        registry.get_optimizer("sgd")
    message = str(caught.value)
    assert message.startswith("Strict mode (OPTREG_STRICT) does not tolerate: ")
    for part in ("a-pack/lynx is ambiguous", "b-pack/lynx is amb", "c-pack/adam is shadowed", "bad/bad is broken"):
        assert part in message
    assert message.endswith("Next step: repair, pin or disable a-pack, b-pack, bad, c-pack.")
    assert {entry.qualified_name for entry in registry.entries()} >= {"a-pack/lynx", "bad/bad"}  # a listing still lists
    monkeypatch.setenv("OPTREG_STRICT", "no")
    assert Registry().optimizer_info("sgd").state is State.READY


def test_strict_mode_tolerates_what_the_user_pinned_or_disabled(site, monkeypatch):
    site.install_lynx("a-pack", module="lynx_a")
    site.install_lynx("b-pack", module="lynx_b")
    site.install("bad", {"bad.py": "class X(:"}, bad="bad:X")
    monkeypatch.setenv("OPTREG_STRICT", "yes")
    monkeypatch.setenv("OPTREG_PINS", "lynx=a-pack")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "bad")
    assert Registry().optimizer_info("lynx").distribution == "a-pack"
