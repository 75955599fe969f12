"""What ``import optreg`` costs and offers, and what the type checker sees of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import optreg

ROOT = Path(__file__).parents[2]


def modules_after(code):
    """The top-level modules loaded after running some code in a fresh process."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_listing_and_asking_imports_neither_tensorflow_nor_a_plugin():
    code = (
        "import optreg\n"
        "for name in optreg.list_optimizers(capability='sparse'): optreg.optimizer_info(name).card\n"
        "try: optreg.get_optimizer('adamm')\n"
        "except optreg.UnknownOptimizer: pass\n"
        "optreg.Card, optreg.hookimpl, optreg.__version__, dir(optreg)"
    )
    assert not {"tensorflow", "keras", "tf_keras", "numpy", "optreg_classic"} & modules_after(code)


def test_a_bare_import_is_light():
    loaded = modules_after("import optreg")
    assert not {"dataclasses", "inspect", "ast", "pluggy", "difflib", "numpy", "email"} & loaded


def test_every_public_name_is_there_and_listed():
    missing = [name for name in optreg.__all__ if getattr(optreg, name, None) is None]
    assert missing == []
    assert set(optreg.__all__) <= set(dir(optreg))
    defined = {
        name for name, value in vars(optreg.errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined <= set(optreg.__all__)


def test_a_misspelt_public_name_gets_a_suggestion():
    with pytest.raises(AttributeError, match=r"no attribute 'get_optimiser'\. Did you mean 'get_optimizer'"):
        _ = optreg.get_optimiser


def test_the_version_is_that_of_the_installed_distribution():
    import importlib.metadata

    assert optreg.__version__ == importlib.metadata.version("optreg")


@pytest.mark.slow
def test_typed_usage_is_accepted_by_the_type_checker(tmp_path):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), "tests/typed_usage.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stdout.splitlines() if line.startswith("tests/")]
    assert complaints == [], done.stdout + done.stderr
    assert "Success" in done.stdout or "Found" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_the_type_checker_refuses_wrong_usage(tmp_path):
    pytest.importorskip("mypy")
    wrong = tmp_path / "wrong_usage.py"
    wrong.write_text("import optreg\nname: int = optreg.get_optimizer('adam')\noptreg.list_optimizers(sate='ready')\n")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), str(wrong)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.count("wrong_usage.py:") >= 2, done.stdout + done.stderr
