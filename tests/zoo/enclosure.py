"""Installing the zoo: folders on the path, filled in any order."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterable
from pathlib import Path

from tests.fake_site import CONTRACT_STAND_IN

from .animal import CONTRACT, OPTIMIZERS, PLUGINS, Animal, Fake, marked, optimizer

WITH_TENSORFLOW = "from optreg import Optimizer\n"
WITHOUT_TENSORFLOW = CONTRACT_STAND_IN
"""What the module that animals take ``Optimizer`` from may hold."""

_HOOKS = '''
"""Looks after the optimizer."""
import optreg
@optreg.hookimpl
def doctor_checks():
    return [len]
'''

GOOD = Fake(
    "good-cats",
    {"good_puma.py": optimizer(summary="Works among all others."), "good_vet.py": marked(_HOOKS)},
    f"[{OPTIMIZERS}]\npuma = good_puma:X\n[{PLUGINS}]\nvet = good_vet\n",
    copy=3,  # behind the animals, which loaders thus meet first
)
"""The third-party plugin that no other may disturb: the optimizer ``puma`` and the hook object ``vet``."""

FOLDERS = 4


def install(
    root: Path, animals: Iterable[Animal], *, contract: str = WITHOUT_TENSORFLOW, shuffled: random.Random | None = None
) -> list[str]:
    """Write the good plugin and the animals into folders, and return these in the order of the path.

    Args:
        root: Where the folders are made.
        animals: What is installed beside the good plugin.
        contract: Source text of the module with the base class.
        shuffled: Draws folders, order of installation and order of the path.
    """
    fakes = [GOOD, Fake("", {f"{CONTRACT}.py": contract}), *(fake for animal in animals for fake in animal.fakes)]
    folders = [root / f"site_{number}" for number in range(FOLDERS)]
    first = dict.fromkeys((fake.distribution for fake in fakes), 0)
    if shuffled:
        shuffled.shuffle(fakes)
        first = {name: shuffled.randrange(FOLDERS) for name in first}
    for fake in fakes:
        _write(folders[(first[fake.distribution] + fake.copy) % FOLDERS], fake)
    if shuffled:
        shuffled.shuffle(folders)
    importlib.invalidate_caches()
    return [str(folder) for folder in folders]


def _write(folder: Path, fake: Fake) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, source in fake.modules.items():
        (folder / path).write_text(source, encoding="utf-8")
    if not fake.distribution:
        return
    metadata = f"Metadata-Version: 2.1\nName: {fake.distribution}\nVersion: 1.0\n{fake.headers}"
    info = folder / f"{fake.distribution.replace('-', '_')}-1.0.{fake.suffix}"
    info.mkdir()
    file = "METADATA" if fake.suffix == "dist-info" else "PKG-INFO"
    (info / file).write_bytes(metadata.encode() if fake.metadata is None else fake.metadata)
    points = fake.points if isinstance(fake.points, bytes) else fake.points.encode()
    (info / "entry_points.txt").write_bytes(points)
