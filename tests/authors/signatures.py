"""Signatures of what a plugin declares, defines, overrides or calls: ``python -m tests.authors.signatures``.

They are recorded in ``tests/golden/signatures.txt``; docs/api-policy.md says what a change of one means.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optreg
from optreg.hookspecs import ContributionHooks, StepHooks

GOLDEN = Path(__file__).parents[1] / "golden" / "signatures.txt"
CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"
CARDS = ("Card", "Slot", "Paper", "ExpectedFailure", "Deprecated")
BASES = ("Optimizer", "UpdateRule", "GradientTransformer", "GradientAggregator")
_PYTHONS_OWN = ("__init__", "__call__")


def signatures() -> list[str]:
    """Return a line for each hook, method of the base classes, class of cards, and function of ``optreg``."""
    lines = [*_of_class(StepHooks), *_of_class(ContributionHooks)]
    for name in BASES:
        lines += _of_class(getattr(optreg, name))
    inherited = {line.replace("Optimizer.", "UpdateRule.", 1) for line in lines if line.startswith("Optimizer.")}
    lines = [line for line in lines if line not in inherited]
    functions = (name for name in optreg.__all__ if inspect.isfunction(getattr(optreg, name)))
    lines += [f"optreg.{name}{parameters(getattr(optreg, name))}" for name in (*CARDS, *functions)]
    return lines


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield name and function or property: the public ones, and the protected that docs/contract.md names."""
    protected = set(
        re.findall(r"`(_\w+)", CONTRACT.read_text().partition("## Methods to override")[2].partition("## ")[0])
    )
    ours = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "optreg"]
    for name in sorted({name for base in ours for name in vars(base)}):
        if name.startswith("_") and name not in (*_PYTHONS_OWN, *protected):
            continue
        found = inspect.getattr_static(cls, name)
        function = found.__func__ if isinstance(found, classmethod | staticmethod) else found
        if isinstance(function, property) or inspect.isfunction(function):
            yield name, function


def _of_class(cls: type) -> Iterator[str]:
    for name, found in methods(cls):
        written = ": property" if isinstance(found, property) else parameters(found)
        yield f"{cls.__name__}.{name}{written}"


def parameters(function: object) -> str:
    """Return names, kinds and defaults; annotations may become more exact without breaking a plugin."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    plain = [item.replace(annotation=inspect.Parameter.empty) for item in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(signatures()) + "\n")
