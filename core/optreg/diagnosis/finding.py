"""The two things a diagnosis is made of."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["problem", "note"]


class Fact(NamedTuple):
    """Something about this installation, for a report."""

    about: str
    value: str


class Finding(NamedTuple):
    """Something that is wrong (``problem``) or that one might not expect (``note``), and what to do about it.

    ``trace`` is the traceback of a plugin's own error, where it was loaded for the diagnosis.
    """

    severity: Severity
    about: str
    text: str
    next_step: str = ""
    trace: str = ""
