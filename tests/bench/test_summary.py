"""What a summary concludes from samples, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from optreg.bench import Results, SpeedRow, speed_rows
from optreg.bench.results import Sample, SpeedEntry

Entries = Callable[..., SpeedEntry]


@pytest.fixture
def peer_row(make_entry: Entries) -> Callable[[Sequence[float]], SpeedRow]:
    """Return the row of a peer whose steps take this multiple of ours, one multiple for each process."""

    def make(multiples: Sequence[float]) -> SpeedRow:
        noise = 1 + 0.01 * np.random.default_rng(0).random((len(multiples), 10, 2))
        ours, theirs = make_entry(), make_entry("keras")
        for process, multiple in enumerate(multiples):
            for number, (our, their) in enumerate(noise[process].tolist()):
                ours.samples.append(Sample(number, 0, 1, our, process))
                theirs.samples.append(Sample(number, 1, 1, multiple * their, process))
        return speed_rows(Results("", speed=[ours, theirs]))[1]

    return make


def test_the_interval_of_a_ratio_holds_what_differs_between_processes(
    peer_row: Callable[[Sequence[float]], SpeedRow],
) -> None:
    alike, biased = peer_row([1.0] * 5), peer_row([0.9, 0.95, 1.0, 1.05, 1.1])
    assert alike.ratio == pytest.approx(1.0, abs=0.01)
    assert biased.ratio == pytest.approx(1.0, abs=0.01)
    assert alike.ratio_interval is not None
    assert biased.ratio_interval is not None
    assert alike.ratio_interval.high - alike.ratio_interval.low < 0.02
    assert biased.ratio_interval.low < 0.92
    assert biased.ratio_interval.high > 1.08
