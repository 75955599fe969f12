"""One broken plugin never disturbs the others, and asking for it shows its own error."""

from __future__ import annotations

import sys

import pytest

import optreg
from optreg.discovery.entries import State
from optreg.registry import Registry

ANIMALS = {
    "raises": ("raise OSError('disk on fire')\nclass X: ...", "broken", "OSError: disk on fire"),
    "exits": ("raise SystemExit(7)\nclass X: ...", "broken", "SystemExit: 7"),
    "interrupts": ("def f():\n    raise KeyboardInterrupt('me')\nf()\nclass X: ...", "broken", "KeyboardInterrupt: me"),
    "syntax": ("class X(:\n", "broken", "syntax error in syntax_module.py, line 1"),
    "absent": (None, "broken", "there is no package 'absent_module'"),
    "wrong_type": ("def X(): ...", "broken", "wrong_type_module:X is not a class but an object of type function"),
    "not_ours": ("class X: ...", "broken", "not_ours_module:X is not a subclass of optreg.Optimizer"),
    "dynamic_card": ("class X:\n    card = Card(xla=guess())", "broken", "'guess()' is a call"),
    "needs_more": (
        "import torch_of_tomorrow\nclass X: ...",
        "missing dependency",
        "needs the package 'torch_of_tomorrow'",
    ),
    "no_class": ("class Y: ...", "broken", "module 'no_class_module' defines no 'X'"),
    "hostile": ('class X:\n    """[red]bold[/red] \\x1b[31m summary."""', "broken", "is not a subclass"),
}

FOUND_BY_READING = {"syntax", "absent", "dynamic_card", "no_class"}


@pytest.fixture
def zoo(site):
    for name, (source, *_) in ANIMALS.items():
        site.install(name, {f"{name}_module.py": source} if source else {}, **{name: f"{name}_module:X"})
    site.install_lynx("good", module="lynx_module")
    return Registry()


def test_the_whole_zoo_is_listed_and_nothing_of_it_is_imported(zoo):
    shown = {entry.name: entry.state for entry in zoo.entries()}
    assert set(ANIMALS) | {"lynx", "adam", "sgd"} <= set(shown)
    assert {name for name in ANIMALS if shown[name] is State.BROKEN} == FOUND_BY_READING
    assert all(entry.reason and entry.next_step for entry in zoo.entries() if entry.name in FOUND_BY_READING)
    assert not [name for name in sys.modules if name.endswith("_module")]


def test_the_good_one_works_among_them_before_and_after_each_of_them_failed(zoo):
    assert type(zoo.get_optimizer("lynx")).__name__ == "Lynx"
    for name in ANIMALS:
        with pytest.raises(optreg.UnusableOptimizer):
            zoo.get_optimizer(name)
    assert type(zoo.get_optimizer("lynx")).__name__ == "Lynx"


@pytest.mark.parametrize("name", ANIMALS)
def test_asking_for_a_broken_one_shows_its_own_error_and_marks_it(zoo, name):
    _, state, text = ANIMALS[name]
    with pytest.raises(optreg.UnusableOptimizer) as caught:
        zoo.get_optimizer(name)
    message = str(caught.value)
    dashed = name.replace("_", "-")
    assert message.startswith(f"{dashed}/{name} ({dashed} 1.0) is {state}: ")
    assert text in message
    assert "Next step: " in message
    entry = zoo.optimizer_info(name)
    assert (entry.state.value, entry.state.usable) == (state, False)
    assert text in entry.reason
    with pytest.raises(optreg.UnusableOptimizer, match="is "):
        zoo.get_optimizer(name)


@pytest.mark.parametrize(
    ("name", "cause"), [("raises", OSError), ("exits", SystemExit), ("needs_more", ModuleNotFoundError)]
)
def test_the_original_error_is_the_cause(zoo, name, cause):
    with pytest.raises(optreg.UnusableOptimizer) as caught:
        zoo.get_optimizer(name)
    assert isinstance(caught.value.__cause__, cause)


def test_a_missing_package_is_told_with_the_pip_command(zoo):
    with pytest.raises(
        optreg.UnusableOptimizer, match=r"Next step: pip install torch_of_tomorrow, then optreg.refresh"
    ):
        zoo.get_optimizer("needs_more")


def test_interrupting_an_import_is_left_to_the_user(site):
    ctrl_c = "import signal\nsignal.raise_signal(signal.SIGINT)\nclass X: ..."
    site.install("slow", {"slow_module.py": ctrl_c}, slow="slow_module:X")
    with pytest.raises(KeyboardInterrupt):
        Registry().get_optimizer("slow")


def test_a_repaired_plugin_works_after_refresh(site):
    site.install("weak", {"weak_module.py": "raise OSError\nclass Lynx: ..."}, weak="weak_module:Lynx")
    registry = Registry()
    with pytest.raises(optreg.UnusableOptimizer):
        registry.get_optimizer("weak")
    site.install_lynx("weak", module="weak_module", name="weak")
    with pytest.raises(optreg.UnusableOptimizer):
        registry.get_optimizer("weak")
    registry.refresh()
    assert type(registry.get_optimizer("weak")).__name__ == "Lynx"


def test_an_import_finder_that_raises_breaks_only_what_it_looks_for(site, monkeypatch):
    class Hostile:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "haunted":
                raise RuntimeError("boo")

    monkeypatch.setattr(sys, "meta_path", [Hostile, *sys.meta_path])
    site.install("haunted", {"haunted.py": ""}, ghost="haunted:X")
    site.install_lynx("good", module="lynx_module")
    registry = Registry()
    assert "RuntimeError: boo" in registry.optimizer_info("ghost").reason
    assert registry.optimizer_info("lynx").state is State.READY


def test_files_that_are_not_text_do_not_stop_the_scan(site):
    site.install_lynx("good", module="lynx_module")
    bad = site.folder / "bad-1.dist-info"
    bad.mkdir()
    (bad / "entry_points.txt").write_bytes(b"[optreg.optimizers]\nx\xff = m:X\n")
    registry = Registry()
    assert registry.optimizer_info("lynx").state is State.READY
    [broken] = [entry for entry in registry.entries() if entry.distribution == "bad"]
    assert (broken.state, broken.version) == (State.BROKEN, "1")


def test_several_threads_load_one_class_once(site):
    import threading

    site.install_lynx("good", module="lynx_module")
    registry = Registry()
    classes = []
    threads = [threading.Thread(target=lambda: classes.append(registry.get_class("lynx"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(classes) == 8
    assert len(set(classes)) == 1
