"""The life of a plugin as its author sees it: ``optreg new``, edit, build, install, use, uninstall.

Every command runs in a fresh virtual environment, into which optreg and the plugin are installed as wheels. TensorFlow
and the rest are those of the running environment, so that nothing is downloaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SECONDS = 900


@dataclass(frozen=True)
class Step:
    """A command of the session, and how it ends."""

    name: str
    command: str
    code: int = 0


def steps(name: str, options: str) -> tuple[Step, ...]:
    """Return the session of a plugin of that name, one word in lower case."""
    return (
        Step("new", f"optreg new {name} {options}"),
        Step("build", "python -m pip wheel --quiet --no-deps --wheel-dir dist ."),
        Step("install", f"python -m pip install --quiet dist/optreg_{name}-0.1.0-py3-none-any.whl"),
        Step("list", f"optreg list {name}"),
        Step("info", f"optreg info {name}"),
        Step("validate", f"optreg validate {name}"),
        Step("train", "python train.py"),
        Step("bench", f"optreg bench {name} sgd --mode speed --layout resnet50 --execution graph"),
        Step("test", 'python -m pytest -q -k "not conforms"'),
        Step("uninstall", f"python -m pip uninstall --quiet --yes optreg-{name}"),
        Step("gone", f"optreg info {name}", code=3),
    )


@dataclass
class Author:
    """Somebody with a folder and an environment of their own."""

    folder: Path

    def __post_init__(self) -> None:
        self._environment = self.folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", str(self._environment)], check=True, timeout=_SECONDS)
        python = self._environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
        shared = [
            path for path in sys.path if Path(path).is_dir() and Path(path).name in ("site-packages", "dist-packages")
        ]
        (site / "shared.pth").write_text("\n".join(shared) + "\n")
        # TensorFlow 2.16 imports distutils, which Python 3.12 has from setuptools, by a line like this one.
        for line in (found for folder in shared for found in Path(folder).glob("distutils-precedence.pth")):
            (site / "shared_distutils.pth").write_text(line.read_text())  # read after the folders are known
        self.run(f'python -m pip wheel --quiet --no-deps --wheel-dir wheels "{ROOT}"', where=self.folder)
        [wheel] = (self.folder / "wheels").glob("optreg-*.whl")
        # Where the running environment holds the same version, pip would leave it at that.
        self.run(f'python -m pip install --quiet --ignore-installed "{wheel}"', where=self.folder)

    def run(self, command: str, *, where: Path, code: int = 0) -> str:
        """Run a command in the author's environment and return what it printed, the author's folder as ``~``.

        Raises:
            AssertionError: It ended with another exit code than the expected one.
        """
        variables = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PYTEST_ADDOPTS": "-W 'ignore:Type google._upb:DeprecationWarning'",  # protobuf 4 on Python 3.12
            "PATH": os.pathsep.join(
                [str(self._environment / "bin"), str(self._environment / "Scripts"), os.environ["PATH"]]
            ),
            "VIRTUAL_ENV": str(self._environment),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the flag, not its negation: this switches isolation off
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "COLUMNS": "110",
            "NO_COLOR": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        done = subprocess.run(
            command,
            shell=True,
            cwd=where,
            env=variables,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        shown = done.stdout if code == 0 else done.stdout + done.stderr
        return shown.replace(str(self.folder), "~")

    def live(self, session: Sequence[Step], edit: Callable[[Path], None]) -> dict[str, str]:
        """Go through all steps, editing the package after the first, and return what each printed."""
        printed: dict[str, str] = {}
        package = self.folder
        for step in session:
            printed[step.name] = self.run(step.command, where=package, code=step.code)
            if step.name == "new":
                [package] = self.folder.glob("optreg-*")
                edit(package)
        return printed
