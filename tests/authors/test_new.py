"""``optreg new``: what it writes, what it refuses, and that a refusal leaves everything as it was."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fake_site import site
from typer.testing import CliRunner

import optreg
from optreg.registry import Registry, default_registry
from optreg.scaffold import LICENSES, STYLES, Project, create
from optreg.scaffold.package import rendered
from optreg_cli.main import app
from optreg_pytest.distributions import Metadata, write_distribution

__all__ = ["site"]

LONGEST = "a-name-of-exactly-forty-characters-to-se"


@pytest.fixture
def new(site, tmp_path, monkeypatch):
    """Run ``optreg new`` in an empty folder, over a fresh scan."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        default_registry().refresh()
        return CliRunner().invoke(app, ["new", *arguments], prog_name="optreg")

    yield run
    default_registry().refresh()


def files_below(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("style", STYLES)
def test_a_package_is_written_and_the_next_steps_are_told(new, style):
    done = new("heavy-ball", "--style", style, "--author", "Ada Lovelace <ada@example.org>", "--license", "mit")
    assert done.exit_code == 0, done.stderr
    assert "optreg validate heavy_ball" in done.stdout
    assert "cd optreg-heavy-ball" in done.stdout
    written = files_below(Path("optreg-heavy-ball"))
    assert set(written) == {
        ".github/workflows/tests.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src/optreg_heavy_ball/__init__.py",
        "src/optreg_heavy_ball/optimizer.py",
        "src/optreg_heavy_ball/py.typed",
        "src/optreg_heavy_ball/reference.py",
        "tests/conftest.py",
        "tests/test_optimizer.py",
    }
    assert 'heavy_ball = "optreg_heavy_ball.optimizer:HeavyBall"' in written["pyproject.toml"]
    assert 'authors = [{ name = "Ada Lovelace", email = "ada@example.org" }]' in written["pyproject.toml"]
    assert "Ada Lovelace\n" in written["LICENSE"]
    base = {"rule": "UpdateRule", "class": "Optimizer"}[style]
    assert f"class HeavyBall({base}):" in written["src/optreg_heavy_ball/optimizer.py"]


def test_the_json_says_the_same_and_has_a_schema(new):
    document = json.loads(new("AdamLike", "--json", "--folder", "here").stdout)
    assert document["schema"] == "optreg.new/1"
    assert (document["folder"], document["name"], document["class"]) == ("here", "adamlike", "AdamLike")
    assert (document["distribution"], document["package"]) == ("optreg-adamlike", "optreg_adamlike")
    assert set(document["files"]) == set(files_below(Path("here")))
    assert document["next_steps"][0] == "cd here"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["x", "Sign-SGD_2", LONGEST])
def test_what_is_written_is_formatted_and_free_of_complaints(tmp_path, name, style):
    create(Project(name, style=style, folder=tmp_path / "new", author="Zoë Ångström"))
    for command in (
        ["format", "--check"],
        ["check", "--select", "A,B,C4,E,F,I,N,PT,RET,SIM,UP,W"],
    ):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(tmp_path / "new")]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("word", LICENSES)
def test_each_license_is_written_whole(word):
    texts = {path.as_posix(): text for path, text in rendered(Project("x", license=word, author="Ada")).items()}
    assert f'license = "{word}"' in texts["pyproject.toml"]
    assert "AS IS" in texts["LICENSE"]
    assert "$" not in texts["LICENSE"]


def test_no_field_is_left_open_and_every_module_parses():
    for style in STYLES:
        for path, text in rendered(Project("heavy-ball", style=style)).items():
            assert "$" not in text.replace("${{ matrix.python }}", ""), path
            if path.suffix == ".py":
                ast.parse(text)


def test_names_of_its_own_are_kept(new):
    assert new("lynx-2", "--distribution", "Lynx.Pack", "--package", "lynx_pack", "--folder", "a b").exit_code == 0
    written = files_below(Path("a b"))
    assert 'name = "Lynx.Pack"' in written["pyproject.toml"]
    assert "class Lynx2(" in written["src/lynx_pack/optimizer.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["3d"], "starting with a letter"),
        (["../etc"], "letters a-z and digits"),
        (["heavy ball"], "received 'heavy ball'"),
        (["heavy--ball"], "single '-' or '_' between"),
        (["-x"], None),
        ([""], "received ''"),
        (["é"], "letters a-z"),
        (["a" * 41], "at most 40 characters, received 41"),
        (["none"], "would name the class None"),
        (["optimizer"], "Choose another name, such as 'optimizer-descent'"),
        (["value-error-", "--style", "class"], "single '-' or '_' between"),
        (["x", "--style", "rulle"], "There is no style 'rulle'. Did you mean 'rule'? Allowed: class, rule"),
        (["x", "--license", "GPL"], "Allowed: Apache-2.0, BSD-3-Clause, MIT"),
        (["x", "--distribution", "a b"], "The name of a distribution"),
        (["x", "--package", "My-Pack"], "received 'My-Pack'"),
        (["x", "--package", "class"], "no word of Python's"),
        (["x", "--package", "json"], "a module of Python itself"),
        (["x", "--package", "numpy"], "A module 'numpy' is installed already"),
        (["x", "--author", 'A"da'], "without quotes"),
        (["x", "--author", "A\nda"], "printable text"),
        (["x", "--author", "Ada <nowhere>"], "Name <name@host>"),
        (["adam"], "'adam' belongs to the built-in optreg/adam"),
        (["classic"], "A module 'optreg_classic' is installed already"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason_and_leaves_nothing(new, arguments, message, tmp_path):
    before = set(tmp_path.iterdir())
    done = new(*arguments)
    assert done.exit_code == 2
    assert message is None or message in done.stderr
    assert set(tmp_path.iterdir()) == before


def test_a_name_that_another_plugin_offers_is_allowed_with_a_note(new, site):
    site.install_lynx("lynx-pack", module="lynx_module")
    done = new("lynx")
    assert done.exit_code == 0
    assert "'lynx' is offered by lynx-pack 1.0 too" in done.stderr
    assert "optreg-lynx/lynx" in done.stderr


def test_a_package_may_be_written_anew_while_it_is_installed(new, site):
    site.install_lynx("optreg-lynx", module="optreg_lynx")
    done = new("lynx")
    assert (done.exit_code, done.stderr) == (0, "")


def test_files_that_exist_are_kept_unless_forced_and_others_always(new):
    folder = Path("mine")
    folder.mkdir()
    (folder / "README.md").write_text("precious")
    (folder / "notes.txt").write_text("mine")
    refused = new("x", "--folder", "mine")
    assert refused.exit_code == 2
    assert "mine holds README.md already" in refused.stderr
    assert files_below(folder) == {"README.md": "precious", "notes.txt": "mine"}
    assert new("x", "--folder", "mine", "--force").exit_code == 0
    assert files_below(folder)["README.md"].startswith("# optreg-x")
    assert files_below(folder)["notes.txt"] == "mine"


def test_a_folder_that_is_a_file_is_refused(new):
    Path("taken").write_text("")
    done = new("x", "--folder", "taken")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_writing_a_package_from_python_asks_the_registry_it_is_given(tmp_path):
    with pytest.raises(optreg.NameTaken):
        create(Project("sgd", folder=tmp_path / "x"), registry=Registry())
    assert not (tmp_path / "x").exists()
    made = create(Project("sgd", folder=tmp_path / "x"), registry=Registry(path=[]))
    assert made.notes == ()


@pytest.mark.slow
def test_the_tests_of_a_new_package_pass(tmp_path):
    create(Project("heavy-ball", folder=tmp_path / "new"))
    sources = {path.name: path.read_text() for path in (tmp_path / "new/src/optreg_heavy_ball").iterdir()}
    modules = {f"optreg_heavy_ball/{name}": source for name, source in sources.items()}
    points = "[optreg.optimizers]\nheavy_ball = optreg_heavy_ball.optimizer:HeavyBall\n"
    write_distribution(tmp_path / "site", modules, Metadata("optreg-heavy-ball", "0.1.0", points))
    # The checks of conformance have tests of their own, and take most of the time.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not conforms"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path / "new", env=environment, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
