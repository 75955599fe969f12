"""Test files of authors, run by a pytest of their own as on the author's machine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class InnerTests:
    """A folder with the tests of an author, and what came of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, source: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(source))

    def run(self, *options: str, autoload: bool = False) -> subprocess.CompletedProcess[str]:
        """Run pytest; with ``autoload`` as installed, entry points and all, else with our plugin only."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}  # options of the outer run
        strict = ["-W", "error", "-W", "ignore:Type google._upb:DeprecationWarning"]  # protobuf 4 on Python 3.12
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *strict, *options]
        if not autoload:
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            command += ["-p", "optreg_pytest.plugin"]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, env=environment, timeout=600, check=False
        )

    def pass_(self, source: str, number: int) -> None:
        """Run one file, and fail unless so many tests pass and none does anything else."""
        self.write("test_inner.py", source)
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"\n{number} passed in" in done.stdout, done.stdout


@pytest.fixture
def inner(tmp_path: Path) -> InnerTests:
    """An empty folder for the tests of an author; its ``pytest.ini`` keeps settings of folders above out."""
    built = InnerTests(tmp_path)
    built.write("pytest.ini", "[pytest]\n")
    return built
