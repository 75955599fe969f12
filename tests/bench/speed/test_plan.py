from __future__ import annotations

from collections.abc import Callable

import pytest

from optreg.bench.results import SpeedEntry
from optreg.bench.speed.forecast import Forecast
from optreg.bench.speed.plan import Group, admit, slice_of, turn_away

Entries = Callable[..., SpeedEntry]


class Priced(Forecast):
    """A forecast that reads its price off the number of parameters."""

    def least_seconds(self, entry: SpeedEntry) -> float:
        return float(entry.parameters)


def test_the_cheapest_peers_are_admitted_first(make_entry: Entries) -> None:
    ours, cheap, dear = (make_entry(name, parameters=cost) for name, cost in (("optreg", 5), ("b", 2), ("c", 30)))
    assert admit([Group((dear, cheap)), Group((ours,))], 20.0, Priced()) == [ours, cheap]


def test_ours_comes_before_a_cheaper_peer(make_entry: Entries) -> None:
    ours, peer = make_entry("optreg", parameters=9), make_entry("keras", parameters=2)
    assert admit([Group((peer, ours))], 10.0, Priced()) == [ours]


def test_what_is_compiled_comes_after_the_graph_whose_trace_it_needs(make_entry: Entries) -> None:
    graph, jit = make_entry("keras", parameters=9), make_entry("keras", execution="xla", parameters=2)
    assert admit([Group((graph, jit))], 10.0, Priced()) == [graph]


def test_what_is_turned_away_says_what_it_would_have_taken(make_entry: Entries) -> None:
    ours, dear = make_entry("optreg", parameters=1), make_entry("keras", parameters=30)
    group = Group((ours, dear))
    turn_away(group, [ours], Priced(), 20.0)
    assert ours.state.name == "finished"
    assert (dear.state.name, dear.state.forecast) == ("skipped", 30.0)
    assert dear.state.reason == "does not fit into the budget of 20 s; raise --budget"


def test_groups_share_what_nobody_needs_and_keep_a_reserve(make_entry: Entries) -> None:
    first, second = (Group((make_entry("optreg", parameters=10),)) for _ in range(2))
    # 100 s, a tenth kept back: 90 - 20 needed = 70 to share, half of it each.
    assert slice_of(first, [first, second], 100.0, Priced()) == pytest.approx(10 + 35)


def test_a_forecast_learns_from_a_layout_of_many_tensors(make_entry: Entries, measured: SpeedEntry) -> None:
    forecast, next_layout = Forecast(), make_entry(tensors=1000, parameters=1000)
    before = forecast.least_seconds(next_layout)
    forecast.learn([measured])
    # 20.3 s for 200 tensors, 0.3 s of it fixed: 100 s for 1000; a step of 0.2 s becomes 1 s, of which four are made.
    assert forecast.least_seconds(next_layout) == pytest.approx(0.3 + 100 + 4 * 1.0, rel=0.01)
    assert before < 20


def test_what_one_entry_takes_corrects_the_first_guess_of_others(make_entry: Entries, measured: SpeedEntry) -> None:
    forecast, other = Forecast(), make_entry("keras", tensors=1000)
    before = forecast.least_seconds(other)
    forecast.learn([measured])
    assert forecast.least_seconds(other) > 2 * before


@pytest.fixture
def measured(make_entry: Entries) -> SpeedEntry:
    entry = make_entry(tensors=200, seconds=[0.2] * 3)
    entry.build, entry.trace, entry.first = 0.3, 15.0, 5.0
    return entry
