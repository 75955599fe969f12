from __future__ import annotations

import math

import numpy as np
import pytest

from optreg.bench.statistics import between, median_interval, ratio_of_medians, replicated_interval, replicated_ratio


def test_the_share_of_variance_between_processes_matches_the_sums_of_squares() -> None:
    # Mean 4: (9 + 1 + 1 + 9) = 20 in all, 2 * 2^2 + 2 * 2^2 = 16 of it between the groups. Ranks 1 2 | 3 4: H = 2.4.
    found = between([[1.0, 3.0], [5.0, 7.0]])
    assert found is not None
    assert (found.processes, found.share) == (2, pytest.approx(0.8))
    assert found.chance == pytest.approx(math.erfc(math.sqrt(2.4 / 2)))  # chi squared with one degree of freedom


def test_a_bias_of_one_process_is_detected_and_its_absence_is_not() -> None:
    alike = [[1.00, 1.01, 1.02, 0.99, 0.98, 1.03], [1.005, 1.015, 0.985, 0.995, 1.025, 1.001]]
    biased = [alike[0], [1.1 * value for value in alike[1]]]
    assert not between(alike).differ  # type: ignore[union-attr]
    assert between(biased).differ  # type: ignore[union-attr]


def test_one_process_cannot_differ_and_constant_times_do_not() -> None:
    assert between([[1.0, 2.0]]) is None
    assert between([[2.0, 2.0], [2.0, 2.0]]).share == 0.0  # type: ignore[union-attr]


def test_the_interval_over_processes_is_students_over_logarithms() -> None:
    # Medians 1, 2 and 4, as below: mean log 2, half width 2.484138 log 2.
    interval = replicated_interval([[1.0, 1.0, 9.0], [2.0], [4.0, 4.0]])
    assert (interval.low, interval.high) == (pytest.approx(2**-1.484138), pytest.approx(2**3.484138))


def test_no_time_is_below_zero_where_two_processes_differ_much() -> None:
    # On one host the medians of two were 14.1 and 81 ms.
    interval = replicated_interval([[0.0141, 0.0141], [0.081, 0.081]])
    assert 0 < interval.low < 0.0141
    assert interval.high > 0.081
    with pytest.raises(ValueError, match="must be above 0, received medians of"):
        replicated_interval([[0.0], [1.0]])


def test_the_interval_of_a_time_covers_it_as_often_as_it_says_where_processes_differ() -> None:
    random = np.random.default_rng(1)
    processes = np.exp(0.05 * random.standard_normal((4000, 5, 1)) + 0.03 * random.standard_normal((4000, 5, 15)))
    intervals = [replicated_interval(samples) for samples in processes.tolist()]
    assert np.mean([it.low <= 1 <= it.high for it in intervals]) == pytest.approx(0.95, abs=0.01)


def test_with_one_process_it_is_the_interval_of_its_median() -> None:
    values = [float(number) for number in range(10)]
    assert replicated_interval([values, []]) == median_interval(values)


def test_the_ratio_over_processes_is_the_geometric_mean_of_theirs_with_students_interval() -> None:
    # Logarithms of 1, 2 and 4: mean log 2, deviation log 2; half width 4.302653 log 2 / sqrt(3) = 2.484138 log 2.
    ratio, interval = replicated_ratio([[(3.0, 3.0), (5.0, 5.0)], [], [(2.0, 1.0)], [(4.0, 1.0), (8.0, 2.0)]])
    assert interval is not None
    assert ratio == pytest.approx(2.0)
    assert (interval.low, interval.high) == (pytest.approx(2**-1.484138), pytest.approx(2**3.484138))


def test_the_ratio_of_one_process_is_that_of_its_medians() -> None:
    above, below = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0], [2.0, 7.0, 1.0, 8.0, 2.5, 8.5]
    assert replicated_ratio([list(zip(above, below, strict=True))]) == ratio_of_medians(above, below)
    with pytest.raises(ValueError, match="paired samples are needed"):
        replicated_ratio([[]])


def test_the_interval_of_the_ratio_covers_it_as_often_as_it_says_where_processes_are_biased() -> None:
    random = np.random.default_rng(0)
    samples = np.exp(0.03 * random.standard_normal((500, 5, 15, 2)))
    samples[..., 0] *= np.exp(0.05 * random.standard_normal((500, 5, 1)))  # the bias of a process
    intervals = [replicated_ratio(processes)[1] for processes in samples.tolist()]
    assert np.mean([it is not None and it.low <= 1 <= it.high for it in intervals]) == pytest.approx(0.95, abs=0.02)
