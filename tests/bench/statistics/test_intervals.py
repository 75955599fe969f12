from __future__ import annotations

import math

import numpy as np
import pytest

from optreg.bench.statistics import median_interval, ratio_of_medians, relative_half_width, spread


def test_ten_samples_enclose_the_median_between_the_second_and_the_ninth() -> None:
    # Tables of the sign test (Hollander and Wolfe): n = 10 gives the 2nd and 9th order statistic at 97.85 %.
    interval = median_interval([7, 1, 9, 3, 5, 2, 8, 4, 10, 6])
    assert (interval.low, interval.high) == (2, 9)
    assert interval.confidence == pytest.approx(1 - 2 * 11 / 1024)


def test_twenty_five_samples_enclose_the_median_between_the_eighth_and_the_eighteenth() -> None:
    interval = median_interval(list(range(1, 26)))
    assert (interval.low, interval.high) == (8, 18)
    assert interval.confidence == pytest.approx(0.9567, abs=5e-5)


@pytest.mark.parametrize(("count", "confidence"), [(1, 0.0), (3, 0.75), (5, 0.9375), (6, 0.96875)])
def test_few_samples_give_their_range_and_say_how_little_it_covers(count: int, confidence: float) -> None:
    interval = median_interval(list(range(count)))
    assert (interval.low, interval.high) == (0, count - 1)
    assert interval.confidence == pytest.approx(confidence)


def test_the_interval_of_the_median_covers_it_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    intervals = [median_interval(list(random.exponential(size=15))) for _ in range(4000)]
    covered = np.mean([interval.low <= math.log(2) <= interval.high for interval in intervals])
    assert covered == pytest.approx(intervals[0].confidence, abs=0.012)


def test_the_relative_half_width_is_infinite_where_no_interval_exists() -> None:
    assert relative_half_width([1.0] * 5) == math.inf
    assert relative_half_width([0.0] * 6) == 0.0  # as a coarse clock sees it
    assert relative_half_width([0.0] * 5 + [1.0]) == math.inf
    assert relative_half_width([9.0, 10.0, 10.0, 10.0, 10.0, 11.0]) == pytest.approx(0.1)


def test_the_spread_is_that_of_the_five_numbers_of_tukey() -> None:
    five = spread([1, 2, 3, 4, 100])
    assert (five.least, five.lower_quartile, five.median, five.upper_quartile, five.greatest) == (1, 2, 3, 4, 100)


def test_a_constant_factor_is_found_without_doubt() -> None:
    ours = [1.0, 1.3, 0.9, 1.1, 1.2, 1.05, 0.95]
    point, interval = ratio_of_medians([1.25 * value for value in ours], ours)
    assert point == pytest.approx(1.25)
    assert interval is not None
    assert (interval.low, interval.high) == (pytest.approx(1.25), pytest.approx(1.25))


def test_a_disturbed_round_does_not_widen_the_interval_because_rounds_are_paired() -> None:
    calm = [1.0] * 12
    disturbed = [1.0] * 6 + [3.0] * 6
    _, interval = ratio_of_medians([1.1 * value for value in disturbed], disturbed)
    assert interval is not None
    assert interval.high - interval.low < 1e-9
    _, unpaired = ratio_of_medians(disturbed, calm)
    assert unpaired is not None
    assert unpaired.high > 2.5


def test_noise_around_one_gives_an_interval_that_holds_one() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for seed in range(60):
        noise = 1 + 0.05 * random.standard_normal((2, 20))
        _, interval = ratio_of_medians(list(noise[0]), list(noise[1]), seed=seed)
        assert interval is not None
        hits += interval.low <= 1 <= interval.high
    assert hits >= 52  # 95 % of 60 is 57; fewer than 52 has a probability below 1 %


def test_five_pairs_are_too_few_for_an_interval() -> None:
    assert ratio_of_medians([2.0] * 5, [1.0] * 5) == (2.0, None)


def test_samples_that_are_not_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="received 2 and 1"):
        ratio_of_medians([1.0, 2.0], [1.0])


def test_deviation_and_upper_end_of_a_spread_match_the_hand_count() -> None:
    # Median 3; distances 2 1 0 1 97, whose median is 1. 95 % lie below 4 + 0.8 * (100 - 4).
    found = spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (found.median, found.deviation, found.nearly_all) == (3.0, 1.0, pytest.approx(80.8))
