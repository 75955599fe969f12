from __future__ import annotations

import pytest

from optreg.bench import run
from optreg.bench.results import Results, SlotBytes
from optreg.bench.run import Options
from optreg.bench.speed.ceiling import Ceiling, ladder
from optreg.bench.summary import speed_rows


@pytest.mark.parametrize(("state", "traffic"), [(0, 12), (400, 20), (800, 28), (40, 12.8)])
def test_the_kernel_moves_what_a_step_has_to(state: int, traffic: float) -> None:
    # 100 floats: float32 SGD 12 bytes each, momentum 20, Adam 28; a tenth of a slot 0.8 more than SGD.
    assert Ceiling(400, state).traffic == traffic * 100


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_byte_is_passed_once_by_any_number_of_threads(threads: int) -> None:
    kernel = Ceiling(4 * 200_001, 4 * 200_001 + 4 * 10, threads)
    kernel.step()
    assert [array.size for array in kernel._written] == [200_001, 200_001, 10]
    for array in kernel._written:
        assert (array == array[0]).all()
        assert array[0] > 1
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
