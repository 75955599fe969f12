"""A third party's plugin as a real wheel: built, installed by pip, found and used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.fake_site import LION

import optreg
from optreg.registry import Registry

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "Lion.Pack"
version = "3.1"

[project.entry-points."optreg.optimizers"]
lion = "lion_pack.lion:Lion"

[tool.hatch.build.targets.wheel]
packages = ["lion_pack"]
"""


@pytest.mark.slow
def test_a_plugin_installed_from_its_wheel_is_found_and_used(site, tmp_path):
    project = tmp_path / "project"
    (project / "lion_pack").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "lion_pack" / "__init__.py").write_text("")
    (project / "lion_pack" / "lion.py").write_text(LION)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(project)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        str(site.folder),
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    registry = Registry()
    info = registry.optimizer_info("lion")
    assert (info.qualified_name, info.origin) == ("lion-pack/lion", "lion-pack 3.1")
    assert info.card.summary == "Steps by the sign of a momentum."
    assert "lion_pack" not in sys.modules
    assert registry.get_optimizer("lion", beta=0.5).beta == 0.5
    with pytest.raises(optreg.UnknownHyperparameter):
        registry.get_optimizer("lion", bta=0.5)
