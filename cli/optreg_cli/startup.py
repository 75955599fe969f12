"""Commands that start quickly.

Since 0.28 typer converts every argument through pydantic, whose import takes longer than all of ``optreg list``.
Text and flags need no conversion, so what takes nothing else does without it. Under other versions of typer the
attribute set here is not looked at, and the command is only slower.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand


class TextCommand(TyperCommand):
    """A command that takes its text arguments as they are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, without converting text."""
        take_text_unconverted(self.get_params(ctx))
        return super().parse_args(ctx, args)


def take_text_unconverted(params: Iterable[Any]) -> None:
    """Spare the parameters that are text, lists of text or flags the conversion."""
    for param in params:
        described = getattr(param, "type_descriptor", None)
        if getattr(described, "annotation", None) in (str, list[str], bool):
            param.__dict__["_runtime_param"] = _Unconverted()


class _Unconverted:
    """Stands in for typer's conversion of one parameter."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ARG002 - the signature is typer's
        """Return the text, texts or flag; none given is an empty sequence where several are allowed."""
        several = param.multiple or param.nargs == -1
        return (() if value is None else list(value)) if several else value
