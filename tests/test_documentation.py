"""What the documentation shows is run: its Python, its commands, and the whole plugin of CONTRIBUTING."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A block below a marker belongs to another test.
FENCE = re.compile(r"(?<!-->\n)```python\n(.*?)```", re.DOTALL)
EXAMPLES = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(FENCE.findall(page.read_text()))
]


def optreg(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with further plugins on ``path``."""
    environment = {**os.environ, "PYTHONPATH": str(path or "")}
    command = [sys.executable, "-c", "import optreg_cli.main; optreg_cli.main.run()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs(code):
    exec(compile(code, "example", "exec"), {"__name__": "example"})


def test_the_first_example_trains(capsys):
    exec(FENCE.findall((ROOT / "README.md").read_text())[0], {"__name__": "example"})
    assert re.fullmatch(r"\[-?0\. +-?0\.\]\n", capsys.readouterr().out)


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_holds_the_two_commands_that_ci_runs():
    readme = (ROOT / "README.md").read_text()
    for name in ("main", "test"):
        assert re.search(rf"<!-- command: {name} -->\n```sh\n.+\n```", readme)


def test_exported_names_are_documented():
    import optreg as package

    text = "".join(page.read_text() for page in [*PAGES, ROOT / "CONTRIBUTING.md"])
    undocumented = [
        name
        for name in package.__all__
        if name not in text
        and not (isinstance(getattr(package, name), type) and issubclass(getattr(package, name), Exception))
    ]
    assert undocumented == []


@pytest.fixture
def installed_plugin(tmp_path):
    """Build the plugin of CONTRIBUTING from its text, install its wheel and return the folder."""
    files = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    for name, text in files:
        (project / name).write_text(text)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(project)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--target",
        str(site),
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    return site


@pytest.mark.slow
def test_the_plugin_of_contributing_is_listed_explained_and_valid(installed_plugin):
    listed = json.loads(optreg("list", "--json", path=installed_plugin).stdout)
    assert {"adam", "heavy_ball", "sgd"} <= {entry["name"] for entry in listed["entries"]}
    assert "fading sum b of gradients" in optreg("info", "heavy_ball", path=installed_plugin).stdout
    validated = optreg("validate", "heavy_ball", "--json", path=installed_plugin)
    assert validated.returncode == 0, validated.stdout + validated.stderr
