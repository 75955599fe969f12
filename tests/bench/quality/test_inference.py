from __future__ import annotations

import math

import numpy as np
import pytest

from optreg.bench.quality.inference import estimate, interquartile_mean, probability_of_improvement
from optreg.bench.quality.rates import InvalidGrid, Rates, edge_of, expected_best, search_rates
from optreg.bench.quality.times import anchored_speed_up, profiles, time_to_target


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    # By hand: of 1 .. 8 the lowest and highest two fall away, (3 + 4 + 5 + 6) / 4 = 4.5, whatever the outliers are.
    assert interquartile_mean([[1, 2, 3, 4], [5, 6, 7, 8]]) == 4.5
    assert interquartile_mean([[-1e9, 2, 3, 4], [5, 6, 7, 1e9]]) == 4.5


def test_the_interval_of_two_equal_tasks_is_a_point_and_of_one_run_is_none() -> None:
    same = estimate([[2.0, 2.0], [2.0, 2.0]])
    assert (same.value, same.low, same.high, same.runs, same.tasks) == (2, 2, 2, 4, 2)
    assert estimate([[1.0], [3.0]]).low is None


def test_runs_are_resampled_within_their_task() -> None:
    # Two tasks on very different scales, without spread in either: resampling across tasks would give a wide interval.
    found = estimate([[0.0] * 4, [100.0] * 4])
    assert found.low == found.high == found.value == 50


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    hits = 0
    for seed in range(80):
        found = estimate([list(random.normal(size=12)) for _ in range(3)], seed=seed)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0 <= found.high
    assert hits >= 66  # 95 % of 80 is 76; percentile intervals of few runs are somewhat too narrow


def test_the_probability_of_improvement_counts_pairs_and_half_the_ties() -> None:
    # By hand: task 1 has the pairs (1,0) (1,2) (3,0) (3,2): three wins of four; task 2 is a tie: (3/4 + 1/2) / 2.
    found = probability_of_improvement([[1, 3], [5]], [[0, 2], [5]])
    assert found.value == 0.625
    with pytest.raises(ValueError, match="the same tasks are needed, received 1 and 2"):
        probability_of_improvement([[1]], [[1], [2]])


def test_misses_are_kept_in_median_count_and_expected_time() -> None:
    # By hand: hits at 10 and 30, one miss that spent 100: (10 + 30 + 100) / 2 = 70; the median of 10, 30, inf is 30.
    found = time_to_target(0.9, [10, None, 30], [50, 100, 50])
    assert (found.reached, found.median, found.expected) == (2, 30, 70)
    assert found.times == (10, None, 30)


def test_where_half_of_the_runs_miss_there_is_no_median_and_without_a_hit_no_expectation() -> None:
    assert time_to_target(0.9, [10, None], [50, 100]).median is None
    nothing = time_to_target(0.9, [None, None], [50, 100])
    assert (nothing.reached, nothing.median, nothing.expected) == (0, None, None)


def test_a_profile_is_the_share_of_tasks_within_a_ratio_of_the_best() -> None:
    # By hand: ratios of a are 1, 2, inf; of b 2, 1, 1. On 1 .. 4: a = (3 + 2 + 0) / 9, b = (2 + 3 + 3) / 9.
    found = profiles({"a": [[10], [40], [math.inf]], "b": [[20], [20], [5]]})
    assert found["a"].score == pytest.approx(5 / 9)
    assert found["b"].score == pytest.approx(8 / 9)
    assert (found["a"].ratios[0], found["a"].shares[0]) == (1, pytest.approx(1 / 3))
    assert found["a"].shares[found["a"].ratios.index(2.0)] == pytest.approx(2 / 3)
    assert found["b"].shares[-1] == 1


def test_a_task_that_nobody_solved_counts_for_nobody() -> None:
    found = profiles({"a": [[math.inf], [1]], "b": [[math.inf], [2]]})
    assert (found["a"].shares[-1], found["b"].shares[-1]) == (0.5, 0.5)


def test_the_speed_up_is_a_geometric_mean_against_the_anchor_with_misses_at_twice_the_budget() -> None:
    # By hand: 100/50 = 2 and 80/(2*100) = 0.4: sqrt(0.8).
    assert anchored_speed_up([50, math.inf], [100, 80], [100, 100]) == pytest.approx(math.sqrt(0.8))
    assert anchored_speed_up([7, 9], [7, 9], [10, 10]) == 1


def test_the_expected_best_of_k_trials_is_that_of_all_draws() -> None:
    # By hand for 1, 2, 4: k = 1 the mean 7/3; k = 2 the pairs (1,2) (1,4) (2,4) give (2 + 4 + 4) / 3; k = 3 gives 4.
    assert expected_best([2, 4, 1], higher_is_better=True) == pytest.approx([7 / 3, 10 / 3, 4])
    assert expected_best([2, 4, 1], higher_is_better=False) == pytest.approx([7 / 3, 4 / 3, 1])


@pytest.mark.parametrize("optimum", [0.02, 3e-6, 70.0])
def test_a_search_walks_off_the_edge_and_then_closes_in(optimum: float) -> None:
    tried: list[float] = []

    def rank(rate: float) -> float:
        tried.append(rate)
        return abs(math.log(rate / optimum))

    best = search_rates(rank, Rates(trials=14))
    assert abs(math.log10(best / optimum)) < 0.25
    assert edge_of(tried, best) == ""
    assert len(tried) == len(set(tried)) <= 14


def test_a_search_that_is_too_short_ends_on_the_edge_and_says_so() -> None:
    tried: list[float] = []
    best = search_rates(lambda rate: tried.append(rate) or -rate, Rates(trials=4))
    assert edge_of(tried, best) == "highest"
    assert edge_of([0.1], 0.1) == ""


def test_a_grid_is_tried_exactly() -> None:
    tried: list[float] = []
    assert search_rates(lambda rate: tried.append(rate) or rate, Rates(grid=(0.5, 0.25))) == 0.25
    assert tried == [0.5, 0.25]


@pytest.mark.parametrize("grid", [(0.1, -1.0), (math.nan,), (0.0,)])
def test_a_rate_that_is_no_positive_number_is_refused(grid: tuple[float, ...]) -> None:
    with pytest.raises(InvalidGrid, match="must be a positive number, received"):
        Rates(grid=grid)
    with pytest.raises(InvalidGrid, match="at least one trial, received 0"):
        Rates(trials=0)
