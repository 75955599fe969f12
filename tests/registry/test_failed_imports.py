"""What a failed import leaves behind: its own error as the cause, and a plugin that can be repaired."""

from __future__ import annotations

import subprocess
import sys

import pytest

import optreg
from optreg.discovery.entries import State
from optreg.registry import Registry


@pytest.mark.parametrize(
    ("source", "cause"),
    [("raise OSError", OSError), ("raise SystemExit(7)", SystemExit), ("import of_tomorrow", ModuleNotFoundError)],
)
def test_the_original_error_is_the_cause(site, source, cause):
    site.install("pack", {"weak_module.py": f"{source}\nclass X: ..."}, weak="weak_module:X")
    with pytest.raises(optreg.UnusableOptimizer) as caught:
        Registry().get_optimizer("weak")
    assert isinstance(caught.value.__cause__, cause)


def test_interrupting_an_import_is_left_to_the_user(site):
    ctrl_c = "import signal\nsignal.raise_signal(signal.SIGINT)\nclass X: ..."
    site.install("slow", {"slow_module.py": ctrl_c}, slow="slow_module:X")
    # In a process of its own: a test run in the background ignores the signal, and a test outside of the main thread
    # never sees it.
    code = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(site.folder)!r})
from optreg.registry import Registry
try:
    Registry().get_optimizer("slow")
except KeyboardInterrupt:
    print("left to the user")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr) == ("left to the user\n", "")


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
