"""What a run would do, without doing any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optreg.bench.progress import Clock
from optreg.bench.results import History
from optreg.bench.run import Options, prepare
from optreg.bench.speed.plan import admit


@dataclass(frozen=True)
class Piece:
    """One piece of work: seconds until it has its fewest samples, and until it has all that it may take."""

    label: str
    least: float
    likely: float
    note: str = ""


@dataclass(frozen=True)
class Outline:
    """All pieces of a run, and the seconds of all of them that fit into the budget."""

    pieces: tuple[Piece, ...]
    seconds: float
    notes: tuple[str, ...]


def outline(names: Sequence[str] = (), options: Options | None = None) -> Outline:
    """Return what ``run`` would do, with its forecasts.

    Raises:
        OptregError: As ``run`` does for names and options that do not exist.
    """
    options = options or Options()
    ready = prepare(names, options, Clock(options.budget), History())
    campaign = ready.campaign
    entries = ready.results.speed
    others = {"memory": ready.survey.seconds_ahead(), "replicas": ready.drill.seconds_ahead()}
    admitted = admit(campaign.groups, options.budget, campaign.forecast)
    quality = ready.quality.seconds_ahead()
    pieces = [Piece("training, functions and probes", quality, quality)] if quality else []
    pieces += [Piece(label, seconds, seconds) for label, seconds in others.items() if seconds]
    for entry in entries:
        note = "" if entry in admitted else "does not fit into the budget"
        least = campaign.forecast.least_seconds(entry)
        pieces.append(Piece(entry.label, least, campaign.forecast.likely_seconds(entry, options.effort), note))
    seconds = sum(piece.likely for piece in pieces if not piece.note)
    return Outline(tuple(pieces), seconds, tuple(ready.results.notes))
