"""A new plugin package: an optimizer to start from, with its tests, ready to install, validate and publish.

::

    package = optreg.scaffold.create(Project("heavy-ball", style="class"))
    print(package.folder, package.notes, package.next_steps)

``optreg new`` is the same on the command line. Nothing here prints, and nothing loads TensorFlow.
"""

from __future__ import annotations

from optreg.scaffold.package import Package, create
from optreg.scaffold.project import LICENSES, STYLES, Project

__all__ = ["LICENSES", "STYLES", "Package", "Project", "create"]
