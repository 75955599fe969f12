"""Each step of loading is guarded and taken back when it fails; plugins may look up others while they are imported."""

from __future__ import annotations

import sys
import threading

import pytest
from tests.fake_site import LYNX

import optreg
from optreg.discovery.entries import State
from optreg.registry import Registry, default_registry


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import abc\nclass X(Optimizer, abc.ABC):\n    @abc.abstractmethod\n    def step(self): ...\n",
            "lynx:X is abstract: it does not define step",
        ),
        ("class X(Optimizer):\n    __signature__ = 3\n", "lynx:X has a constructor that cannot be inspected"),
        ("class X(Optimizer):\n    from_config = 3\n", "lynx:X has a from_config that is no method"),
        (
            "class X(Optimizer):\n    def __init__(self, lr, /, name='X'): ...\n",
            "lynx:X takes lr by position only, and arguments are given by name",
        ),
        ("X = None\n", "lynx:X is not a class but None"),
        ("X = Optimizer('x')\n", "lynx:X is not a class but an object of type Optimizer"),
        ("def __getattr__(name):\n    raise RuntimeError('no ' + name)\n", "RuntimeError: no X"),
    ],
)
def test_what_is_no_working_class_is_broken(site, source, reason):
    site.install("pack", {"lynx.py": f"from contract_stand_in import Optimizer\n{source}"}, x="lynx:X")
    registry = Registry()
    with pytest.raises(optreg.UnusableOptimizer) as caught:
        registry.get_optimizer("x")
    assert reason in str(caught.value)
    assert registry.optimizer_info("x").state is State.BROKEN


def test_a_constructor_that_calls_another_wrongly_is_laid_at_its_class(site):
    source = "from contract_stand_in import Optimizer\nclass X(Optimizer):\n    def __init__(self, **kwargs):\n"
    site.install("pack", {"cat.py": source + "        super().__init__(**kwargs)\n"}, x="cat:X")
    with pytest.raises(optreg.HyperparameterTypeError) as caught:
        Registry().get_optimizer("x")
    assert str(caught.value).startswith("X: the constructor of cat:X calls another wrongly (")
    assert str(caught.value).endswith(
        "missing 1 required positional argument: 'name'). Next step: report it to its authors"
    )


def test_a_failed_import_leaves_no_half_done_modules_behind(site):
    modules = {
        "half/__init__.py": "",
        "half/part.py": "",
        "half/main.py": "import half.part\nraise OSError\nclass X: ...",
    }
    site.install("pack", {**modules, "half/lynx.py": LYNX}, x="half.main:X", lynx="half.lynx:Lynx")
    registry = Registry()
    with pytest.raises(optreg.UnusableOptimizer):
        registry.get_optimizer("x")
    assert [name for name in sys.modules if name.startswith("half")] == []
    assert type(registry.get_optimizer("lynx")).__name__ == "Lynx"
    with pytest.raises(optreg.UnusableOptimizer):
        registry.get_class("half.main:X")
    assert {"half", "half.lynx"} <= set(sys.modules)  # what worked before stays


def test_what_a_plugin_registered_before_it_failed_is_taken_back(site):
    source = (
        "import optreg\nclass Cub(Optimizer): ...\noptreg.register('failed_cub', Cub)\n"
        "raise OSError('late')\nclass X: ...\n"
    )
    site.install("pack", {"cub_module.py": f"from contract_stand_in import Optimizer\n{source}"}, x="cub_module:X")
    registry = default_registry()
    registry.refresh()
    try:
        with pytest.raises(optreg.UnusableOptimizer, match="late"):
            optreg.get_optimizer("x")
        with pytest.raises(optreg.UnknownOptimizer):
            optreg.get_optimizer("failed_cub")
        registry.register("other", registry.get_class("contract_stand_in:Optimizer"))
    finally:
        registry.unregister("other")
        site.folder.rename(site.folder.with_name("gone"))
        registry.refresh()


def test_a_failing_plugin_takes_nothing_back_that_others_registered(site):
    site.install_lynx("pack", module="lynx_module")
    site.install("bad", {"bad_module.py": "raise OSError\nclass X: ..."}, bad="bad_module:X")
    registry = Registry()

    class Mine(registry.get_class("lynx")):
        __module__ = "typed_at_a_prompt"

    registry.register("mine", Mine)
    with pytest.raises(optreg.UnusableOptimizer):
        registry.get_optimizer("bad")
    assert registry.get_class("mine") is Mine


def test_a_failure_while_another_thread_refreshes_is_kept_beside_what_is_registered(site):
    site.install_lynx("pack", module="lynx_module")
    registry = Registry()
    source = "import refreshing\nrefreshing.now()\nraise OSError('late')\nclass X: ..."
    site.install("bad", {"bad_module.py": source, "refreshing.py": "now = None"}, bad="bad_module:X")
    import refreshing

    refreshing.now = registry.refresh
    registry.refresh()
    registry.register("cub", registry.get_class("lynx"))
    with pytest.raises(optreg.UnusableOptimizer):
        registry.get_optimizer("bad")
    assert registry.optimizer_info("bad").state is State.BROKEN
    assert [entry.name for entry in registry.entries() if entry.distribution == "session"] == ["cub"]


def test_a_plugin_may_ask_for_another_while_it_is_imported(site):
    site.install_lynx("inner", module="inner_module", name="inner_lynx")
    outer = "import optreg\nfriend = optreg.get_optimizer('inner_lynx')\n" + LYNX
    site.install("outer", {"outer_module.py": outer}, outer_lynx="outer_module:Lynx")
    default_registry().refresh()
    try:
        assert type(optreg.get_optimizer("outer_lynx")).__name__ == "Lynx"
        assert type(sys.modules["outer_module"].friend).__module__ == "inner_module"
    finally:
        site.folder.rename(site.folder.with_name("gone"))
        default_registry().refresh()


def test_a_plugin_that_asks_for_itself_gets_an_error_and_still_works(site):
    source = (
        "import optreg\ntry:\n    optreg.get_optimizer('narcissus')\nexcept optreg.UnusableOptimizer as error:\n"
        f"    met = str(error)\n{LYNX}"
    )
    site.install("mirror", {"mirror_module.py": source}, narcissus="mirror_module:Lynx")
    default_registry().refresh()
    try:
        assert type(optreg.get_optimizer("narcissus")).__name__ == "Lynx"
        assert "Lynx" in sys.modules["mirror_module"].met
        assert optreg.optimizer_info("narcissus").state is State.READY
    finally:
        site.folder.rename(site.folder.with_name("gone"))
        default_registry().refresh()


def in_threads(count, work):
    """Run work in several threads at once, and return what each returned or raised."""
    barrier, results = threading.Barrier(count), []

    def run(number):
        barrier.wait()
        try:
            results.append(work(number))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == count
    return results


def test_many_threads_import_many_optimizers_of_one_slow_package(site):
    modules = {f"herd/lynx_{n}.py": f"import time\ntime.sleep(0.02)\n{LYNX}" for n in range(6)}
    targets = {f"lynx_{n}": f"herd.lynx_{n}:Lynx" for n in range(6)}
    broken = {"herd/bad.py": "import time\ntime.sleep(0.01)\nraise OSError('bad')\nclass X: ..."}
    site.install("herd", {"herd/__init__.py": "", **modules, **broken}, **targets, bad="herd.bad:X")
    registry = Registry()
    names = [*targets, "bad"] * 3
    results = in_threads(len(names), lambda number: registry.get_class(names[number]))
    classes = {found for found in results if isinstance(found, type)}
    errors = [found for found in results if not isinstance(found, type)]
    assert len(classes) == 6
    assert [type(error) for error in errors] == [optreg.UnusableOptimizer] * 3
    assert all(registry.get_class(name) in classes for name in targets)
    assert registry.optimizer_info("bad").state is State.BROKEN


def test_threads_may_register_refresh_list_and_look_up_at_once(site):
    site.install_lynx("pack", module="lynx_module")
    registry = Registry([str(site.folder)])
    lynx = registry.get_class("lynx")

    def work(number):
        for _ in range(8):
            name = f"cub_{number}"
            registry.register(name, lynx)
            assert registry.get_class(name) is lynx
            registry.refresh()
            assert {"lynx", name} <= set(registry.list_optimizers())
            registry.unregister(name)
        return "fine"

    assert in_threads(6, work) == ["fine"] * 6
    assert not [name for name in registry.list_optimizers() if name.startswith("cub")]


def test_a_plugin_installed_in_the_process_is_there_after_refresh(site):
    registry = Registry()
    assert "lynx" not in registry.list_optimizers()
    site.install_lynx("late", module="late_module")
    assert "lynx" not in registry.list_optimizers()
    registry.refresh()
    assert type(registry.get_optimizer("lynx")).__module__ == "late_module"


def test_an_editable_and_a_wheel_of_one_distribution_are_one(site, tmp_path):
    site.install_lynx("lynx-pack", module="lynx_module", version="1.0")
    checkout = tmp_path / "checkout"
    (checkout / "lynx_pack.egg-info").mkdir(parents=True)
    (checkout / "lynx_pack.egg-info" / "PKG-INFO").write_text("Name: Lynx.Pack\nVersion: 2.0.dev1\n")
    (checkout / "lynx_pack.egg-info" / "entry_points.txt").write_text("[optreg.optimizers]\nlynx = lynx_module:Lynx\n")
    for order, version in (([site.folder, checkout], "1.0"), ([checkout, site.folder], "2.0.dev1")):
        [entry] = Registry([str(folder) for folder in order]).entries()
        assert (entry.name, entry.version, entry.state) == ("lynx", version, State.READY)


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        ("1.9", "1.10", "1.10"),
        ("2.0rc1", "2.0", "2.0"),
        ("2.0", "2.0.1", "2.0.1"),
        ("1.0", "2.0", "2.0"),
        ("2.0.dev1", "2.0", "2.0"),
    ],
)
def test_of_two_copies_in_one_folder_the_newer_counts(site, one, other, newer):
    site.install_lynx("lynx-pack", module="lynx_module", version=one)
    site.install_lynx("lynx-pack", module="lynx_module", version=other)
    [entry] = Registry([str(site.folder)]).entries()
    assert entry.version == newer


def test_several_threads_load_one_class_once(site):
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
