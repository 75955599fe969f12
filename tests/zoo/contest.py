"""What becomes of the good plugin, and of the process, when one loader meets animals of the zoo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from .animal import MARKERS, OPTIMIZERS, Animal
from .enclosure import install

LIMIT = 120.0
"""Seconds for a child, far more than any harmless import takes."""

HANG_LIMIT = 20.0
"""Seconds for a child that meets an animal which may hang; optreg gives that animal five of them."""

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Verdict:
    """What became of one loader beside some animals.

    Args:
        good: Whether the good plugin was found and worked.
        told: Whether the reason was shown; None where none of the animals has one.
        ending: What ended the process; empty where it came to its end.
        imported: Modules imported by the time that the loader knew what there is.
    """

    good: bool
    told: bool | None
    ending: str
    imported: int


def meet(loader: str, animals: Sequence[Animal]) -> Verdict:
    """Install the good plugin and the animals in a temporary place, and let a loader meet them in a child process."""
    with tempfile.TemporaryDirectory(prefix="optreg-zoo-") as name:
        root = Path(name)
        markers = root / "markers"
        markers.mkdir()
        path = [*install(root, animals), _stand_ins(root / "built_in")]
        output, ending = _run(loader, animals, path, root)
        left = sum(1 for _ in markers.iterdir())
    imported = re.search(r"^::imported (\d+)$", output, re.MULTILINE)
    raised = re.search(r"^::raised (\w+)$", output, re.MULTILINE)
    if raised:
        ending = f"raised {raised[1]}"
    reasons = [_clue(loader, animal) for animal in animals if not animal.harmless]
    told = all(reason in output for reason in reasons) if reasons else None
    return Verdict("::good True" in output and not ending, told, ending, int(imported[1]) if imported else left)


def _stand_ins(folder: Path) -> str:
    """Write an empty class for each optimizer of optreg itself: importing TensorFlow a hundred times takes an hour."""
    for point in distribution("optreg").entry_points.select(group=OPTIMIZERS):
        package, _, module = point.module.partition(".")
        (folder / package).mkdir(parents=True, exist_ok=True)
        (folder / package / "__init__.py").touch()
        (folder / package / f"{module}.py").write_text(f"class {point.attr}: ...\n")
    return str(folder)


def _clue(loader: str, animal: Animal) -> str:
    """Return the text that gives the reason away: of optreg its own sentence is demanded, of others a word of it."""
    return (animal.message or animal.danger) if loader == "optreg" else animal.clue or animal.message


def _run(loader: str, animals: Sequence[Animal], path: Sequence[str], root: Path) -> tuple[str, str]:
    """Return the output of the child and what ended it."""
    asked = [(animal.kind, animal.wish, _way(animal)) for animal in animals]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OPTREG_")},
        "PYTHONPATH": os.pathsep.join([*path, str(_ROOT)]),
        "XDG_CACHE_HOME": str(root / "cache"),  # stevedore keeps entry points there
        "OPTREG_CONFIG": "",
        "OPTREG_CACHE": "off",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        MARKERS: str(root / "markers"),
    }
    command = [sys.executable, "-m", "tests.zoo.contestants", loader, json.dumps(asked)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=root, start_new_session=True
    )
    limit = HANG_LIMIT if any("running" in animal.danger for animal in animals) and len(animals) == 1 else LIMIT
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0].decode(errors="replace"), "hung"
    return output.decode(errors="replace"), _ending(process.returncode, output)


def _way(animal: Animal) -> str:
    if animal.danger:
        return "child"
    return "build" if animal.name == "kwargs" else "import"


def _ending(code: int, output: bytes) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return "" if b"::end reached" in output else f"exit code {code}"
