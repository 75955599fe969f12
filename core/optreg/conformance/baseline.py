"""The baseline: checks that must not get lost, neither from optreg nor from the run of one plugin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from optreg.cards import Card
from optreg.conformance.promised import BASELINE
from optreg.conformance.report import RAN, Result

Baseline = int | Iterable[str]
"""What a run must hold at least: a number of checks that ran, or the identities of checks that must have run."""


def lost_from_catalogue(card: Card, known: Collection[str]) -> list[str]:
    """Return a sentence for each check that the API version of a card promises and the catalogue no longer has."""
    promised = [name for api, names in BASELINE.items() if api <= card.api for name in names]
    return [f"{name} is in the baseline and no longer among the checks" for name in promised if name not in known]


def short_of(baseline: Baseline | None, results: Sequence[Result], not_applicable: Mapping[str, str]) -> list[str]:
    """Return a sentence for each way in which a run is short of the baseline that its caller gave.

    Args:
        baseline: A number, identities, or None for nothing.
        results: What became of the checks.
        not_applicable: Identity to the capability that the card does not declare.
    """
    if baseline is None:
        return []
    if isinstance(baseline, int):
        ran = sum(result.status in RAN for result in results)
        return [f"{ran} checks ran, the baseline is {baseline}"] if ran < baseline else []
    became = {result.id: _became(result) for result in results}
    lacking = {name: f"needs {capability}" for name, capability in not_applicable.items()}
    fates = {name: became.get(name, lacking.get(name, "was not asked for, or does not exist")) for name in baseline}
    return [f"{name} is in the baseline and did not run: it {fate}" for name, fate in fates.items() if fate]


def _became(result: Result) -> str:
    return "" if result.status in RAN else f"was {result.status} ({result.message})"
