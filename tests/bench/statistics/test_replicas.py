from __future__ import annotations

import math

import pytest

from optreg.bench.statistics import between, median_interval, replicated_interval


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


def test_the_interval_over_processes_is_students() -> None:
    # Medians 1, 2, 3: mean 2, deviation 1, t of 2 degrees of freedom 4.302653; half width 4.302653 / sqrt(3).
    interval = replicated_interval([[1.0, 1.0, 9.0], [2.0], [3.0, 3.0]])
    assert (interval.low, interval.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)


def test_with_one_process_it_is_the_interval_of_its_median() -> None:
    values = [float(number) for number in range(10)]
    assert replicated_interval([values, []]) == median_interval(values)
