"""A third party's plugin as a real wheel: built, installed by pip, found and used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.fake_site import LYNX

import optreg
from optreg.registry import Registry

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "Lynx.Pack"
version = "3.1"

[project.entry-points."optreg.optimizers"]
lynx = "lynx_pack.lynx:Lynx"

[tool.hatch.build.targets.wheel]
packages = ["lynx_pack"]
"""


@pytest.mark.slow
def test_a_plugin_installed_from_its_wheel_is_found_and_used(site, tmp_path):
    project = tmp_path / "project"
    (project / "lynx_pack").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "lynx_pack" / "__init__.py").write_text("")
    (project / "lynx_pack" / "lynx.py").write_text(LYNX)
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
    info = registry.optimizer_info("lynx")
    assert (info.qualified_name, info.origin) == ("lynx-pack/lynx", "lynx-pack 3.1")
    assert info.card.summary == "Steps by the sign of a momentum."
    assert "lynx_pack" not in sys.modules
    assert registry.get_optimizer("lynx", beta=0.5).beta == 0.5
    with pytest.raises(optreg.UnknownHyperparameter):
        registry.get_optimizer("lynx", bta=0.5)
