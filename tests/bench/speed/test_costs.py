from __future__ import annotations

from collections.abc import Callable

import pytest

from optreg.bench.results import SpeedEntry
from optreg.bench.speed.costs import fit_costs

SIZES = [(12e9, 1), (2e9, 161), (12e6, 1000), (1e6, 10)]


def test_the_parts_of_a_time_made_of_known_parts_are_found(make_entry: Callable[..., SpeedEntry]) -> None:
    entries = []
    for number, (traffic, tensors) in enumerate(SIZES):
        noise = 1 + 0.01 * (-1) ** number
        seconds = (1e-4 + traffic / 20e9 + tensors * 40e-6) * noise
        entries.append(make_entry(layout=str(number), traffic=int(traffic), tensors=tensors, seconds=[seconds] * 6))
    [costs] = fit_costs(entries)
    assert costs.seconds_per_tensor == pytest.approx(40e-6, rel=0.1)
    assert costs.bytes_per_second == pytest.approx(20e9, rel=0.1)
    assert costs.fixed == pytest.approx(1e-4, rel=0.2)
    assert costs.error < 0.02


def test_two_layouts_cannot_tell_three_parts_apart(make_entry: Callable[..., SpeedEntry]) -> None:
    entries = [make_entry(layout=name, traffic=100, tensors=3, seconds=[1.0]) for name in ("a", "b")]
    assert fit_costs(entries) == []
