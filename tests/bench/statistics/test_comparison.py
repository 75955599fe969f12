"""Known answers of the statistics of a comparison, computed by hand or taken from tables."""

from __future__ import annotations

import numpy as np
import pytest

from optreg.bench.statistics import Pair, compare_all
from optreg.bench.statistics.comparison import fewest_samples, holm, rank_test, ratio_interval


def test_the_rank_test_of_separated_samples_counts_the_orders() -> None:
    # Of the 10! / (5! 5!) = 252 ways to mix five and five, one and its mirror image are as extreme.
    assert rank_test([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)


def test_the_rank_test_of_a_small_case_matches_the_count_by_hand() -> None:
    # U = 1 of at most 6: of the 10 ways to choose ranks, sums 3 and 4 (one each) and their mirrors are as extreme.
    assert rank_test([1, 3], [2, 4, 5]) == pytest.approx(4 / 10)


def test_equal_samples_differ_by_chance_alone() -> None:
    assert rank_test([2.0, 2.0], [2.0, 2.0, 2.0]) == 1.0


def test_ties_and_many_samples_use_the_normal_approximation() -> None:
    # n = m = 30, all separated: U = 0, mean 450, variance 30 * 30 * 61 / 12 = 4575; z = 449.5 / 67.639 = 6.6456
    p = rank_test(list(range(30)), list(range(100, 130)))
    assert p == pytest.approx(3.02e-11, rel=0.01)


def test_holm_multiplies_the_least_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("entries", "fewest"),
    # One, five and five: exact 2 / 252, but normal z = (12.5 - 0.5) / 4.787 = 2.507, p = 0.0122; six pass both.
    # Two, six and six: exact 2 / 924 passes, normal z = 17.5 / 6.245 = 2.802, twice p = 0.0102; seven pass both.
    [(1, 6), (2, 7), (10, 8)],
)
def test_how_many_samples_any_change_takes_grows_with_the_entries(entries: int, fewest: int) -> None:
    assert fewest_samples(entries) == fewest
    apart = [rank_test(range(count), range(count, 2 * count)) for count in (fewest - 2, fewest)]
    assert entries * apart[0] > 0.01 > entries * apart[1]


def around(middle: float, count: int = 10) -> list[float]:
    return [middle * (1 + 0.001 * number) for number in range(-(count // 2), count - count // 2)]


@pytest.mark.parametrize(
    ("factor", "direction"), [(1.0, "same"), (1.03, "same"), (1.1, "slower"), (0.8, "faster"), (2.0, "slower")]
)
def test_a_change_needs_significance_and_size(factor: float, direction: str) -> None:
    [change] = compare_all([Pair([around(1.0)], [around(factor)])])
    assert change.direction == direction
    assert change.ratio == pytest.approx(factor)
    assert change.interval.low <= factor <= change.interval.high


def test_a_large_change_among_noise_is_unclear_and_not_an_alarm() -> None:
    noisy = [1.0, 3.0, 0.5, 2.0, 0.7, 4.0]
    [change] = compare_all([Pair([noisy], [[1.3 * value for value in noisy]])])
    assert change.direction == "unclear"


def test_four_samples_can_never_be_clear() -> None:
    [change] = compare_all([Pair([around(1.0, 4)], [around(2.0, 4)])])
    assert change.direction == "unclear"


def test_the_same_difference_counts_for_less_among_many_entries() -> None:
    one = Pair([around(1.0, 5)], [around(1.2, 5)])  # p = 2 / 252 = 0.0079
    nothing = Pair([around(1.0)], [around(1.0)])
    assert compare_all([one])[0].direction == "slower"
    assert compare_all([one, nothing])[0].direction == "unclear"


def test_what_differs_between_processes_widens_the_interval() -> None:
    random = np.random.default_rng(0)
    steady = [list(random.normal(1.0, 0.01, 10)) for _ in range(6)]
    factors = (0.9, 0.94, 0.98, 1.02, 1.06, 1.1)
    moody = [list(np.array(samples) * factor) for samples, factor in zip(steady, factors, strict=True)]
    together = [[value for samples in moody for value in samples]]
    apart = ratio_interval(steady, moody)
    pooled = ratio_interval(steady, together)
    assert apart.high - apart.low > 1.5 * (pooled.high - pooled.low)


def test_a_side_without_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs samples on both sides"):
        compare_all([Pair([[]], [[1.0]])])


def test_samples_whose_slow_part_alone_moved_are_unclear() -> None:
    quick_part = around(1.0, 4)
    [change] = compare_all([Pair([around(1.0, 20)], [[*quick_part, *around(1.5, 16)]])])
    assert change.ratio == pytest.approx(1.5, rel=0.01)
    assert change.quick == pytest.approx(1.0, rel=0.01)
    assert change.direction == "unclear"
    [back] = compare_all([Pair([[*quick_part, *around(1.5, 16)]], [around(1.0, 20)])])
    assert back.direction == "unclear"
    [outcome] = compare_all([Pair([around(1.0, 20)], [[*quick_part, *around(1.5, 16)]])], times=False)
    assert outcome.direction == "slower"


def test_samples_that_repeat_each_other_are_the_same_however_few() -> None:
    assert compare_all([Pair([[1.0, 2.0]], [[2.0, 1.0]])])[0].direction == "same"


def test_a_median_of_zero_is_compared_without_dividing_by_it() -> None:
    [grown, gone] = compare_all([Pair([[0.0] * 8], [around(1.0, 8)]), Pair([around(1.0, 8)], [[0.0] * 8])])
    assert (grown.direction, grown.ratio) == ("slower", np.inf)
    assert (gone.direction, gone.ratio) == ("faster", 0.0)


@pytest.mark.parametrize(
    ("factor", "machine", "direction"),
    [
        (1.2, 1.2, "unclear"),
        (1.2, 1.16, "unclear"),  # 1.2 / 1.16 = 1.034, below the threshold
        (1.2, 1.1, "slower"),  # 1.2 / 1.1 = 1.091
        (1.2, 0.8, "slower"),
        (0.8, 0.8, "unclear"),
        (0.8, 0.9, "faster"),  # 0.8 / 0.9 = 0.889, below 1 / 1.05 = 0.952
        (1.0, 1.2, "same"),
    ],
)
def test_what_the_machine_itself_changed_by_is_no_change_of_the_entry(
    factor: float, machine: float, direction: str
) -> None:
    pair = Pair([around(1.0)], [around(factor)], ([around(5.0)], [around(5.0 * machine)]))
    [change] = compare_all([pair])
    assert change.direction == direction
    assert change.drift == pytest.approx(machine)
