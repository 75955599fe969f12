"""The bands of performance profiles: what the seeds leave open, against binomial distributions."""

from __future__ import annotations

import math

import pytest
import scipy.stats

from optreg.bench.quality.ranking import standings
from optreg.bench.quality.records import TaskRecord
from optreg.bench.quality.times import Band, Profile, profiles
from optreg.bench.results import Evaluation, TrainingRun


def ends(found: Profile, ratio: float) -> tuple[float, float]:
    """Return the band at the ratio."""
    assert found.band is not None
    place = min(range(len(found.ratios)), key=lambda it: abs(found.ratios[it] - ratio))
    return found.band.low[place], found.band.high[place]


def test_the_band_is_that_of_the_distribution_which_two_seeds_on_four_tasks_have() -> None:
    # By hand: of the seeds 10 and 40 a resample has the median 10, 25 or 40, with 1/4, 1/2 and 1/4, on each task for
    # itself; the best is 10. Within a factor of 1 are then B(4, 1/4) of four tasks, within 2.6 are B(4, 3/4), within 4
    # all. The area is 1, 1/2 or 0 on each task: B(8, 1/2) halves of a task.
    found = profiles({"steady": [[10, 10]] * 4, "mixed": [[10, 40]] * 4})
    assert ends(found["mixed"], 1.0) == (0, 0.75)
    assert ends(found["mixed"], 2.6) == (0.25, 1)
    assert ends(found["mixed"], 4.0) == (1, 1)
    by_scipy = {share: scipy.stats.binom(4, share).ppf([0.025, 0.975]) / 4 for share in (0.25, 0.75)}
    assert [tuple(by_scipy[0.25]), tuple(by_scipy[0.75])] == [(0, 0.75), (0.25, 1)]
    band = found["mixed"].band
    assert band is not None
    assert (band.score_low, band.score_high) == (1 / 8, 7 / 8)
    assert tuple(scipy.stats.binom(8, 0.5).ppf([0.025, 0.975]) / 8) == (1 / 8, 7 / 8)
    assert found["steady"].band == Band((1.0,) * 61, (1.0,) * 61, 1.0, 1.0)


def test_the_profile_itself_is_that_of_the_medians() -> None:
    found = profiles({"steady": [[10, 10]] * 4, "mixed": [[10, 40]] * 4})["mixed"]
    assert (found.shares[0], found.shares[-1], found.score) == (0, 1, 0.5)  # 25 is 2.5 times the best


def test_seeds_are_resampled_within_their_task() -> None:
    # Without spread in any task there is none to see; across tasks 10 and 40 would be mixed.
    found = profiles({"steady": [[10, 10, 10]] * 2, "uneven": [[10, 10, 10], [40, 40, 40]]})["uneven"]
    assert ends(found, 2.0) == (0.5, 0.5)
    assert ends(found, 4.0) == (1, 1)


def test_seeds_are_paired_where_both_have_them() -> None:
    # Equal seed by seed, so equal in every resample: both are always the best. Drawn apart, each would often be second.
    found = profiles({"one": [[10, 40, 80]] * 2, "other": [[10, 40, 80]] * 2})
    assert ends(found["one"], 1.0) == ends(found["other"], 1.0) == (1, 1)


def test_misses_are_drawn_as_every_other_seed() -> None:
    # The median of two seeds is a hit only where both drawn are: again B(4, 1/4) of four tasks, up to any factor.
    found = profiles({"steady": [[10, 10]] * 4, "lucky": [[10, math.inf]] * 4})["lucky"]
    assert ends(found, 1.0) == ends(found, 4.0) == (0, 0.75)


def test_one_with_other_numbers_of_seeds_has_a_band_too_and_so_has_one_of_a_single_seed() -> None:
    found = profiles({"two": [[10, 40]], "three": [[20, 20, 20]], "single": [[20]]})
    # The best of the task is 10 or 20, as the seeds of the first fall: 20 is within 1 or 2 of it.
    assert ends(found["single"], 1.0) == ends(found["three"], 1.0) == (0, 1)
    assert ends(found["single"], 2.0) == (1, 1)


def test_without_a_second_seed_there_is_no_band() -> None:
    assert {it.band for it in profiles({"a": [[10], [40]], "b": [[20], [math.inf]]}).values()} == {None}


@pytest.mark.parametrize("seeds", [1, 2])
def test_standings_have_the_band_of_their_runs(seeds: int) -> None:
    tasks = [TaskRecord(name, "", "optreg", metric="accuracy", steps=100, target=0.9) for name in "abcd"]

    def run_of(optimizer: str, task: str, seed: int, hit: int) -> TrainingRun:
        looks = [Evaluation(0, 1.0, 0.5), Evaluation(hit, 1.0, 0.92), Evaluation(100, 1.0, 0.95)]
        made = TrainingRun(optimizer, "optreg", task, "cpu:0", seed, planned=100)
        made.losses, made.evaluations = [1.0] * 100, looks
        return made

    steps = {"steady": (10, 10), "mixed": (10, 40)}
    training = [
        run_of(name, task, seed, hits[seed]) for name, hits in steps.items() for task in "abcd" for seed in range(seeds)
    ]
    found = {it.optimizer: it.profile for it in standings(training, tasks)}
    if seeds == 1:
        assert found["mixed"].band is None
    else:
        assert ends(found["mixed"], 1.0) == (0, 0.75)
