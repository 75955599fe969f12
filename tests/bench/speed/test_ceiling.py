from __future__ import annotations

import numpy as np
import pytest

from optreg.bench import run
from optreg.bench.results import Results, SlotBytes
from optreg.bench.run import Options
from optreg.bench.speed.ceiling import Ceiling, ladder
from optreg.bench.speed.traffic import StateTraffic
from optreg.bench.summary import speed_rows


@pytest.mark.parametrize(("state", "traffic"), [(0, 12), (400, 20), (800, 28), (40, 12.8)])
def test_the_kernel_moves_what_a_step_has_to(state: int, traffic: float) -> None:
    # 100 floats: float32 SGD 12 bytes each, momentum 20, Adam 28; a tenth of a slot 0.8 more than SGD.
    assert Ceiling(400, StateTraffic(state)).traffic == traffic * 100


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_byte_is_passed_once_by_any_number_of_threads(threads: int) -> None:
    kernel = Ceiling(4 * 200_001, StateTraffic(4 * 200_001 + 4 * 10), threads)
    kernel.step()
    assert [array.size for array in kernel._updated] == [200_001, 200_001, 10]
    for array in kernel._updated:
        assert (array == array[0]).all()
        assert array[0] > 1
    kernel.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_step_only_reads_or_only_writes_is_passed_once_and_no_other_way(threads: int) -> None:
    size = 100_001
    kernel = Ceiling(4 * size, StateTraffic(0, 4 * size + 40, 4 * size + 80), threads)
    assert kernel.traffic == 12 * 4 * size // 4 + 4 * size + 40 + 4 * size + 80
    assert [[array.size for array in of] for of in (kernel._read, kernel._written)] == [[size, 10], [size, 20]]
    kernel._gradient[:], kernel._updated[0][:] = 0.5, 0
    kernel._read[0][:], kernel._read[1][:] = np.arange(size) % 7, 100
    before = [array.copy() for array in kernel._read]
    kernel.step()
    expected = 0.5 + np.arange(size) % 7
    expected[:10] += 100
    np.testing.assert_array_equal(kernel._updated[0], expected)
    assert all((array == 0.5).all() for array in kernel._written)
    assert all((old == new).all() for old, new in zip(before, kernel._read, strict=True))
    kernel.close()


def test_the_ladder_has_each_footprint_in_three_mixes() -> None:
    assert ladder([1200]) == [(600, 0), (400, 400), (300, 600)]


def test_the_share_of_the_limit_divides_the_rates(make_entry: object) -> None:
    ours = make_entry(seconds=[2.0] * 6, traffic=100, build=0.1)  # type: ignore[operator]
    limit = make_entry("ceiling", execution="probe", seconds=[1.0] * 6, traffic=200)  # type: ignore[operator]
    ours.parameters = limit.parameters = 10
    ours.slots = [SlotBytes("m", 4)]
    row, _ = speed_rows(Results("", speed=[ours, limit]))
    assert row.ceiling == pytest.approx(0.25)  # 50 bytes a second of 200


def test_the_limit_is_sampled_beside_the_step_in_the_same_rounds(quick: Options) -> None:
    from dataclasses import replace

    results = run(["adam"], replace(quick, modes=("speed",), executions=("graph",)))
    by = {entry.implementation: entry for entry in results.speed}
    assert by["ceiling"].traffic == by["optreg"].traffic
    assert [sample.round for sample in by["ceiling"].samples] == [sample.round for sample in by["optreg"].samples]
