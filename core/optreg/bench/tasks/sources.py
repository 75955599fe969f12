"""Where data come from: wheels and the standard library, never the network."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optreg.errors import MissingExtra, OptregError


class ForeignData(OptregError, ValueError):
    """The data are not those that the task was made for."""


@dataclass(frozen=True)
class Need:
    """A distribution that holds data, the modules of it that are imported, and the extra of optreg that brings it.

    Without ``module`` the distribution is only looked up, and never imported.
    """

    distribution: str
    extra: str = "bench"
    module: str = ""

    def absent(self) -> str:
        """Return what is missing and how to get it, or an empty string."""
        present = _importable(self.module) if self.module else _installed(self.distribution)
        return "" if present else f"needs {self.distribution}: pip install 'optreg[{self.extra}]'"

    def require(self) -> None:
        """Do nothing where it is installed.

        Raises:
            MissingExtra: It is not.
        """
        reason = self.absent()
        if reason:
            raise MissingExtra(f"optreg bench {reason}")


def read_checked(distribution: str, name: str, *, sha256: str) -> bytes:
    """Return a file of an installed distribution without importing anything of it.

    Raises:
        MissingExtra: The distribution or its file is not there.
        ForeignData: The file holds other bytes than those with this checksum.
    """
    content = _locate(distribution, name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ForeignData(
            f"{name} of {distribution} {importlib.metadata.version(distribution)} has sha256 {found}, expected "
            f"{sha256}; results on other data cannot be compared: install the version that optreg[mnist] names"
        )
    return content


def fingerprint(*arrays: np.ndarray) -> str:
    """Return the sha256 of arrays: their shapes, dtypes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def require_bench_extra(*modules: str) -> None:
    """Do nothing when the modules can be imported.

    Raises:
        MissingExtra: One of them is not installed.
    """
    missing = [name for name in modules if not _importable(name)]
    if missing:
        raise MissingExtra(f"optreg bench needs {' and '.join(missing)}: pip install 'optreg[bench]'")


def _locate(distribution: str, name: str) -> Path:
    try:
        files = importlib.metadata.distribution(distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())) for file in files if file.name == name]
    if not found or not found[0].is_file():
        raise MissingExtra(f"optreg bench needs {name} of {distribution}: pip install 'optreg[mnist]'")
    return found[0]


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # sys.modules holds None: the import is blocked
        return False
