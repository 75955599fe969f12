"""Gates need an effect and significance; what is exact needs neither."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from optreg.bench import Results
from optreg.bench.comparison import Gate, InvalidGate, compare_results, judge, parse_gate
from optreg.bench.quality.records import TaskRecord
from optreg.bench.results import SlotBytes, SpeedEntry, State
from optreg.bench.results.records import Evaluation, TrainingRun

Entries = Callable[..., SpeedEntry]
STEADY = [1.0 + 0.001 * number for number in range(10)]


def results(*entries: SpeedEntry, **fields: object) -> Results:
    return Results("", speed=list(entries), **fields)  # type: ignore[arg-type]


def scaled(factor: float) -> list[float]:
    return [factor * value for value in STEADY]


def test_a_gate_is_read_as_it_is_written() -> None:
    assert parse_gate("step_time:p95 > 7.5%") == Gate("step_time:p95 > 7.5%", "step_time", "p95", 0.075, True)
    assert parse_gate("state_bytes>0") == Gate("state_bytes>0", "state_bytes", "median", 0.0, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step_time", "cannot read the gate 'step_time'; write it as step_time:median>5%"),
        ("step_time>-5%", "cannot read"),
        ("steptime>5%", r"unknown metric 'steptime'; allowed: .*state_bytes.* Did you mean 'step_time'\?"),
        ("step_time:meen>5%", "unknown statistic 'meen'; allowed: mean, median, min, p95"),
    ],
)
def test_a_gate_that_cannot_be_read_says_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(InvalidGate, match=message):
        parse_gate(text)


@pytest.mark.parametrize(
    ("factor", "failed", "unclear"),
    [(1.0, False, False), (1.04, False, False), (1.08, True, False), (0.5, False, False)],
)
def test_a_slowdown_beyond_the_limit_fails(make_entry: Entries, factor: float, failed: bool, unclear: bool) -> None:
    old, new = results(make_entry(seconds=STEADY)), results(make_entry(seconds=scaled(factor)))
    [verdict] = judge(old, new, [parse_gate("step_time:median>5%")])
    assert (verdict.failed, verdict.unclear) == (failed, unclear)
    assert verdict.growth == pytest.approx(factor - 1)


def test_noise_that_hides_the_answer_is_unclear_and_no_failure(make_entry: Entries) -> None:
    noisy = [1.0, 3.0, 0.5, 2.0, 0.7, 4.0]
    old, new = results(make_entry(seconds=noisy)), results(make_entry(seconds=[1.3 * it for it in noisy]))
    [verdict] = judge(old, new, [parse_gate("step_time>5%")])
    assert (verdict.failed, verdict.unclear) == (False, True)


@pytest.mark.parametrize(("measured", "failed"), [(400, False), (401, True), (399, False)])
def test_one_stray_byte_of_state_fails(make_entry: Entries, measured: int, failed: bool) -> None:
    old, new = make_entry(build=0.1), make_entry(build=0.1)
    old.slots, new.slots = [SlotBytes("m", 400)], [SlotBytes("m", measured)]
    [verdict] = judge(results(old), results(new), [parse_gate("state_bytes>0")])
    assert (verdict.failed, verdict.unclear) == (failed, False)


def test_entries_of_one_side_only_are_told_and_not_judged(make_entry: Entries) -> None:
    old = results(make_entry(seconds=STEADY), make_entry("keras", seconds=STEADY))
    broken = make_entry("keras", seconds=STEADY)
    broken.state = State("failed", "it broke")
    new = results(make_entry(seconds=STEADY), broken, make_entry("torch", seconds=STEADY))
    comparison = compare_results(old, new, metrics=["step_time"])
    assert [row.label for row in comparison.rows] == ["adam graph optreg on tiny, cpu:0"]
    assert comparison.only_old == ("adam graph keras on tiny, cpu:0",)
    assert comparison.only_new == ("adam graph torch on tiny, cpu:0",)


def test_another_machine_or_version_is_a_warning() -> None:
    old = results(machine={"processor": "A", "versions": {"numpy": "1"}})
    new = results(machine={"processor": "B", "versions": {"numpy": "2"}})
    assert compare_results(old, new).warnings == ("processor: 'A' then, 'B' now", "numpy: 1 then, 2 now")


def test_steps_to_the_target_count_a_miss_as_twice_the_length() -> None:
    def trained(steps: list[int | None]) -> Results:
        runs = []
        for seed, step in enumerate(steps):
            run = TrainingRun("adam", "optreg", "digits", "cpu:0", seed, planned=100, losses=[1.0])
            run.evaluations = [Evaluation(0, 1.0, 0.1), Evaluation(step or 100, 0.5, 0.95 if step else 0.5)]
            runs.append(run)
        return Results("", training=runs, tasks=[TaskRecord("digits", "", "", target=0.9)])

    old, new = trained([10, 11, 12, 13, 14, 15]), trained([20, 21, None, 22, None, 23])
    [row] = compare_results(old, new, metrics=["time_to_target"]).rows
    assert (row.old_samples, row.new_samples) == ([[10, 11, 12, 13, 14, 15]], [[20, 21, 200, 22, 200, 23]])
    assert row.worse
