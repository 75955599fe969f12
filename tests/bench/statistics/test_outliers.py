from __future__ import annotations

from optreg.bench.statistics import Outliers, outlier_classes, outliers


def test_tukeys_fences_tell_mild_from_severe_on_both_sides() -> None:
    values = [float(number) for number in range(101)]  # quartiles 25 and 75: fences at -50, 150 and -125, 225
    assert outliers(values) == Outliers()
    # Each value added moves the quartiles by a quarter of a rank: 24..76 at most, fences near the same places.
    assert outliers([*values, 170.0]) == Outliers(high_mild=1)
    assert outliers([*values, 400.0]) == Outliers(high_severe=1)
    assert outliers([*values, -70.0, -300.0]) == Outliers(low_mild=1, low_severe=1)
    assert outliers([*values, -70.0, -300.0, 400.0]).count == 3


def test_no_values_have_no_outliers() -> None:
    assert outliers([]) == Outliers()
    assert list(outlier_classes([])) == []


def test_each_value_has_its_class_and_side() -> None:
    values = [float(number) for number in range(101)]
    found = outlier_classes([170.0, *values, -70.0, -300.0, 400.0])
    assert [int(kind) for kind in found] == [1, *[0] * 101, -1, -2, 2]
