"""Hook objects of plugins: found like everything else, loaded when a hook is called, and never able to disturb."""

from __future__ import annotations

import logging
import sys

import pytest

from optreg.discovery.entries import State
from optreg.registry import Registry
from optreg.registry.contributions import contributed, contribution_failures

GOOD = '''
"""Looks after the GPU."""

import optreg

@optreg.hookimpl
def doctor_checks():
    return ["first", "second"]

@optreg.hookimpl
def cli_commands():
    return {"greet": print}
'''


def install(site, name, source, *, target=None):
    site.install(
        name, {f"{name}_hooks.py": source}, entry_points=f"[optreg.plugins]\n{name} = {target or name}_hooks\n"
    )


def test_a_plugin_is_listed_as_its_own_kind_and_not_imported(site):
    install(site, "good", GOOD)
    registry = Registry()
    [entry] = registry.entries(kind="plugin")
    assert (entry.qualified_name, entry.state, entry.target) == ("good/good", State.READY, "good_hooks")
    assert entry.card.summary == "Looks after the GPU."
    assert "good_hooks" not in sys.modules
    assert "good" not in registry.list_optimizers()


def test_each_value_comes_with_its_plugin_and_version(site):
    install(site, "good", GOOD)
    registry = Registry()
    assert contributed("doctor_checks", registry=registry) == [
        ("good", "1.0", "good", "first"),
        ("good", "1.0", "good", "second"),
    ]
    assert contributed("cli_commands", registry=registry) == [("good", "1.0", "good", ("greet", print))]
    assert contributed("bench_workloads", registry=registry) == []
    assert contribution_failures(registry) == []


@pytest.mark.parametrize("target", ["pack_hooks:Tools", "pack_hooks:tools"])
def test_a_class_or_an_instance_may_carry_the_hooks(site, target):
    source = (
        "import optreg\nclass Tools:\n    @optreg.hookimpl\n    def bench_workloads(self):\n"
        "        yield 7\ntools = Tools()\n"
    )
    site.install("pack", {"pack_hooks.py": source}, entry_points=f"[optreg.plugins]\ntools = {target}\n")
    assert [found.value for found in contributed("bench_workloads", registry=Registry())] == [7]


BAD = {
    "raises_in_import": ("raise OSError('disk on fire')", "", "OSError: disk on fire"),
    "exits": ("raise SystemExit(7)", "", "SystemExit: 7"),
    "no_hook": ("x = 1", "", "it implements no hook: mark its functions with @optreg.hookimpl"),
    "unknown_hook": (
        "import optreg\n@optreg.hookimpl\ndef doctor_check(): ...",
        "",
        "unknown hook 'doctor_check'. Did you mean 'doctor_checks'?",
    ),
    "wrong_argument": ("import optreg\n@optreg.hookimpl\ndef doctor_checks(patient): ...", "", "'patient'"),
    "wrapper": (
        "import optreg\n@optreg.hookimpl(wrapper=True)\ndef doctor_checks():\n    return (yield)",
        "",
        "a contribution cannot be a wrapper",
    ),
    "hook_raises": (
        "import optreg\n@optreg.hookimpl\ndef doctor_checks(): raise KeyError('x')",
        "doctor_checks",
        "KeyError: 'x'",
    ),
    "hook_exits": (
        "import optreg\n@optreg.hookimpl\ndef doctor_checks(): raise SystemExit",
        "doctor_checks",
        "SystemExit",
    ),
    "rubbish": (
        "import optreg\n@optreg.hookimpl\ndef doctor_checks(): return 3",
        "doctor_checks",
        "this one returned 3",
    ),
    "late": (
        "import optreg\n@optreg.hookimpl\ndef doctor_checks():\n    yield 'first'\n    raise OSError('late')",
        "doctor_checks",
        "OSError: late",
    ),
    "refused": ("import optreg\n@optreg.hookimpl\ndef doctor_checks(): return ['bad']", "doctor_checks", "is bad"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_failure_is_told_with_plugin_version_and_hook_and_spoils_no_other(site, caplog, name):
    source, hook, reason = BAD[name]
    install(site, name, source)
    install(site, "good", GOOD)
    registry = Registry()

    def ask():
        found = contributed(
            "doctor_checks", objection=lambda value: "is bad" if value == "bad" else "", registry=registry
        )
        return [contribution.value for contribution in found]

    with caplog.at_level(logging.WARNING, "optreg"):
        assert ask() == ["first", "second"]
        assert ask() == ["first", "second"]
    [failure] = contribution_failures(registry)
    assert (failure.distribution, failure.version, failure.plugin) == (name.replace("_", "-"), "1.0", name)
    assert failure.hook == hook
    assert reason in failure.reason
    assert [record.message for record in caplog.records] == [str(failure)]
    state = registry.optimizer_info(name, kind="plugin").state
    assert state is (State.READY if hook else State.BROKEN)


def test_a_hook_object_of_a_disabled_distribution_is_never_imported(site, monkeypatch):
    install(site, "good", GOOD)
    monkeypatch.setenv("OPTREG_PLUGINS", "")
    assert contributed("doctor_checks", registry=Registry()) == []
    assert "good_hooks" not in sys.modules


def test_a_repaired_hook_object_works_after_refresh(site):
    install(site, "weak", "import optreg\n@optreg.hookimpl\ndef doctor_check(): ...")
    registry = Registry()
    assert contributed("doctor_checks", registry=registry) == []
    install(site, "weak", GOOD + "\n# longer, so that its compiled form is not mistaken for the old one\n")
    sys.modules.pop("weak_hooks")
    registry.refresh()
    assert [found.value for found in contributed("doctor_checks", registry=registry)] == ["first", "second"]
    assert contribution_failures(registry) == []


def test_a_hook_object_can_be_registered_for_the_session(site):
    import optreg

    class Tools:
        """Mine."""

        @optreg.hookimpl
        def bench_workloads(self):
            return [1]

    registry = Registry()
    registry.register("mine", Tools(), kind="plugin")
    assert [found.value for found in contributed("bench_workloads", registry=registry)] == [1]
    assert registry.optimizer_info("mine", kind="plugin").card.summary == "Mine."
    registry.register("wrong", object(), kind="plugin")
    contributed("bench_workloads", registry=registry)
    assert registry.optimizer_info("wrong", kind="plugin").state is State.BROKEN


def test_control_characters_of_a_plugin_do_not_reach_the_message(site):
    install(site, "hostile", "raise OSError('\\x1b[31m red \\x07')")
    registry = Registry()
    contributed("doctor_checks", registry=registry)
    [failure] = contribution_failures(registry)
    assert str(failure).isprintable()
