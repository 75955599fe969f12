"""Gates need an effect and significance; what is exact needs neither."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from optreg.bench import Results
from optreg.bench.comparison import Gate, InvalidGate, compare_results, judge, parse_gate
from optreg.bench.comparison.metrics import GATED
from optreg.bench.memory.records import MemoryEntry
from optreg.bench.quality.records import TaskRecord
from optreg.bench.results import SlotBytes, SpeedEntry, State
from optreg.bench.results.records import Evaluation, TrainingRun

Entries = Callable[..., SpeedEntry]
STEADY = [1.0 + 0.001 * number for number in range(10)]


def results(*entries: SpeedEntry, **fields: object) -> Results:
    return Results("", speed=list(entries), **fields)  # type: ignore[arg-type]


def scaled(factor: float) -> list[float]:
    return [factor * value for value in STEADY]


def trained(*tasks: list[int | None]) -> Results:
    """Return runs that reach their target after so many steps, one list for each task; None is a miss."""
    runs = []
    for task, steps in enumerate(tasks):
        for seed, step in enumerate(steps):
            run = TrainingRun("adam", "optreg", f"task {task}", "cpu:0", seed, planned=100, losses=[1.0])
            run.evaluations = [
                Evaluation(0, 1.0, 0.1),
                Evaluation(step or 100, 0.01 * (step or 100), 0.95 if step else 0.5),
            ]
            runs.append(run)
    targets = [TaskRecord(f"task {number}", "", "", target=0.9) for number in range(len(tasks))]
    return Results("", training=runs, tasks=targets)


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
        (
            "compile_time>5%",
            "compile_time is one time of a run, of which none can say what is chance; metrics that can be gated: loss,",
        ),
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


def test_what_broke_is_told_as_broken_and_other_entries_of_one_side_are_not_judged(make_entry: Entries) -> None:
    old = results(make_entry(seconds=STEADY), make_entry("keras", seconds=STEADY))
    lost = make_entry("keras", seconds=STEADY)
    lost.state = State("failed", "it broke")
    new = results(make_entry(seconds=STEADY), lost, make_entry("torch", seconds=STEADY))
    comparison = compare_results(old, new, metrics=["step_time"])
    assert [row.label for row in comparison.rows] == ["adam graph optreg on tiny, cpu:0"]
    [broken] = comparison.broken
    assert str(broken) == "adam graph keras on tiny, cpu:0 finished before and failed: it broke"
    assert comparison.only_old == ()
    assert comparison.only_new == ("adam graph torch on tiny, cpu:0",)


def test_another_machine_or_version_is_a_warning() -> None:
    old = results(machine={"processor": "A", "versions": {"numpy": "1"}})
    new = results(machine={"processor": "B", "versions": {"numpy": "2"}})
    assert compare_results(old, new).warnings == ("processor: 'A' then, 'B' now", "numpy: 1 then, 2 now")


def test_steps_to_the_target_count_a_miss_as_twice_the_length() -> None:
    old, new = trained([10, 11, 12, 13, 14, 15]), trained([20, 21, None, 22, None, 23])
    [row] = compare_results(old, new, metrics=["time_to_target"]).rows
    assert (row.old_samples, row.new_samples) == ([[10, 11, 12, 13, 14, 15]], [[20, 21, 200, 22, 200, 23]])
    assert row.worse


@pytest.mark.parametrize("metric", GATED)
def test_a_tenfold_growth_fails_the_gate_of_every_metric_that_can_be_gated(make_entry: Entries, metric: str) -> None:
    def measured(factor: int) -> Results:
        entry = make_entry(seconds=scaled(factor), build=0.1, traces=factor)
        entry.slots = [SlotBytes("m", 400 * factor)]
        memory = MemoryEntry("adam", "optreg", "tiny", "cpu:0", allocated=100, step_extra=1000 * factor)
        steps: list[int | None] = [factor * (8 + place % 3) for place in range(10)]
        found = trained(steps)
        found.speed, found.memory = [entry], [memory]
        return found

    gate = parse_gate(f"{metric}>5%")
    [verdict] = judge(measured(1), measured(10), [gate])
    assert verdict.failed
    assert verdict.growth == pytest.approx(9)
    [verdict] = judge(measured(1), measured(1), [gate])
    assert (verdict.failed, verdict.unclear) == (False, False)


def test_one_value_that_is_no_exact_count_may_move_within_the_limit() -> None:
    def needs(size: int) -> Results:
        return Results("", memory=[MemoryEntry("adam", "optreg", "tiny", "cpu:0", allocated=1, step_extra=size)])

    gates = [parse_gate("step_extra_bytes>10%"), parse_gate("step_extra_bytes>40")]
    for size, failed in ((1040, [False, False]), (1041, [False, True]), (1110, [True, True]), (500, [False, False])):
        assert [verdict.failed for verdict in judge(needs(1000), needs(size), gates)] == failed
    [row] = compare_results(needs(1000), needs(1040), metrics=["step_extra_bytes"]).rows
    assert row.verdict == "same"


def test_one_time_of_a_run_is_not_judged(make_entry: Entries) -> None:
    old, new = results(make_entry(first=0.1)), results(make_entry(first=1.0))
    [row] = compare_results(old, new, metrics=["first_step"]).rows
    assert (row.verdict, row.worse, row.unclear) == ("not judged", False, False)


def test_training_that_became_slower_from_most_seeds_fails_though_the_quickest_tenth_stayed() -> None:
    before: list[int | None] = list(range(90, 100))
    after: list[int | None] = [20, 98, *range(190, 198)]  # the tenth between the first two is 90.2, and was 90.9
    for gate in ("time_to_target>10%", "loss>10%"):
        [slower, same] = judge(trained(before, before), trained(after, before), [parse_gate(gate)])
        assert (slower.failed, slower.row.change and slower.row.change.quick) == (True, pytest.approx(90.2 / 90.9))
        assert (same.failed, same.unclear) == (False, False)


def test_too_few_seeds_are_said_with_how_many_it_takes() -> None:
    def three(least: int) -> Results:
        return trained([least, least + 1, least + 2], [least, least + 1, least + 2])

    rows = [verdict.row for verdict in judge(three(10), three(90), [parse_gate("time_to_target>10%")])]
    assert [(row.unclear, row.fewest, row.needed, row.kind_of_samples) for row in rows] == [(True, 3, 7, "seeds")] * 2
    enough: list[int | None] = list(range(10, 17))
    late: list[int | None] = list(range(90, 97))
    assert all(it.failed for it in judge(trained(enough, enough), trained(late, late), [parse_gate("loss>10%")]))


def test_seeds_that_diverge_are_told_though_the_others_are_as_good() -> None:
    old, new = trained([10, 11, 12]), trained([10, 11, 12])
    for run in new.training[1:]:
        run.state = State("diverged", "the loss is nan after 3 steps")
    [broken] = compare_results(old, new).broken
    assert str(broken) == (
        "adam default optreg on task 0 finished before and diverged (2 runs): the loss is nan after 3 steps"
    )
    assert compare_results(new, new).broken == ()
    skipped = trained([10, 11, 12])
    skipped.training[0].state = State("skipped", "no time")
    assert compare_results(old, skipped).broken == ()
