from __future__ import annotations

import copy
import hashlib
import json
import uuid
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest

import optreg
from optreg.bench import (
    Options,
    Progress,
    Results,
    State,
    document,
    ranked,
    results_schema,
    run,
    speed_rows,
    training_rows,
)
from optreg.bench.landscapes.descent import Descent
from optreg.bench.machine import UnknownDevice, select_devices
from optreg.bench.results import SpeedEntry, TrainingRun
from optreg.bench.results.machine import Machine, Moment
from optreg.errors import InvalidFilter


@pytest.fixture(scope="module")
def results() -> Results:
    from optreg.bench import Effort, Layout

    tiny = Layout("tiny", ((3, 4), (5,)), "two small tensors")
    effort = Effort(sample_seconds=0.0005, warm_ups=1, fewest=6, most=6)
    executions = ("eager", "graph", "xla")
    options = Options(
        [tiny],
        executions=executions,
        against=("tf_keras", "keras"),
        tasks=("digits",),
        seeds=2,
        epochs=1,
        budget=900,
        effort=effort,
    )
    return run(["adam", "sgd[momentum=0.9]"], options, argv=["bench", "adam"])


def test_every_implementation_is_measured_in_every_kind_of_execution(results: Results) -> None:
    found = {(entry.optimizer, entry.execution, entry.implementation) for entry in results.speed}
    expected = {
        (optimizer, execution, implementation)
        for optimizer in ("adam", "sgd[momentum=0.9]")
        for execution in ("eager", "graph", "xla")
        for implementation in ("optreg", "tf_keras", "keras")
    }
    limits = {(optimizer, "probe", "ceiling") for optimizer in ("adam", "sgd[momentum=0.9]")}
    assert found == expected | limits | {("-", execution, "harness") for execution in ("eager", "graph", "xla")}
    assert {entry.state.name for entry in results.speed} == {"finished"}
    assert all(len(entry.samples) == 6 for entry in results.speed)


def test_a_graph_is_traced_once_and_never_again(results: Results) -> None:
    assert {entry.traces for entry in results.speed if entry.execution in ("graph", "xla")} == {1}


def test_the_first_loss_of_a_seed_is_bit_equal_for_all_optimizers_and_differs_between_seeds(results: Results) -> None:
    first = {seed: {run.losses[0] for run in results.training if run.seed == seed} for seed in (0, 1)}
    assert {len(losses) for losses in first.values()} == {1}
    assert first[0] != first[1]


def test_ours_and_the_legacy_optimizer_train_alike(results: Results) -> None:
    rows = {(row.optimizer, row.implementation): row for row in training_rows(results)}
    assert rows["adam", "tf_keras"].difference == pytest.approx(0, abs=1e-5)
    assert rows["sgd[momentum=0.9]", "keras"].difference == pytest.approx(0, abs=1e-3)
    assert rows["adam", "optreg"].difference is None


def test_speed_rows_compare_peers_with_ours_of_the_same_execution(results: Results) -> None:
    for row in speed_rows(results):
        peer = row.entry.implementation in ("tf_keras", "keras")
        assert (row.ratio is not None) == peer
        assert (row.ratio_interval is not None) == peer


def test_state_traffic_and_rates_follow_from_the_slots(results: Results) -> None:
    rows = {(row.entry.optimizer, row.entry.implementation): row for row in speed_rows(results)}
    adam, momentum = rows["adam", "optreg"], rows["sgd[momentum=0.9]", "optreg"]
    assert (adam.state_bytes_per_parameter, momentum.state_bytes_per_parameter) == (8, 4)
    assert (adam.entry.traffic, momentum.entry.traffic) == (28 * 17, 20 * 17)
    assert (adam.declared, momentum.declared) == (True, True)
    assert adam.spread is not None
    assert adam.bytes_per_second == pytest.approx(28 * 17 / adam.spread.median)
    assert adam.parameters_per_second == pytest.approx(17 / adam.spread.median)


def test_the_document_survives_json_and_holds_every_raw_sample(results: Results) -> None:
    plain = document(results)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["schema"] == "optreg.bench/1"
    assert [len(entry["samples"]) for entry in plain["speed"]] == [6] * len(results.speed)
    assert set(plain["speed"][0]["samples"][0]) == {"round", "position", "steps", "seconds", "process"}
    assert len(plain["training"][0]["losses"]) == 44


def test_the_document_says_where_when_and_what(results: Results) -> None:
    plain = document(results)
    expected = {"schema", "started", "finished", "argv", "options", "machine", "subjects", "training", "speed"}
    quality = {"tasks", "searches", "descents", "properties", "memory", "replicas", "splits"}
    general = {"minor", "run_id", "names", "layouts", "resumed", "notes", "interrupted", "summary"}
    assert set(plain) == expected | quality | general
    assert set(plain["machine"]) == {field.name for field in fields(Machine)}
    jsonschema.validate(plain["machine"], {**results_schema()["$defs"]["Machine"], "$defs": results_schema()["$defs"]})
    assert {"optreg", "tensorflow", "keras", "tf_keras", "numpy"} <= set(plain["machine"]["versions"])
    assert plain["interrupted"] is False
    assert {subject["implementation"] for subject in plain["subjects"]} == {"optreg", "tf_keras", "keras"}
    assert plain["subjects"][0]["hyperparameters"]["learning_rate"] == 0.001


def test_the_run_has_a_name_of_its_own_and_says_what_happened_at_both_of_its_ends(results: Results) -> None:
    assert str(uuid.UUID(results.run_id)) == results.run_id
    begin, end = results.machine["begin"], results.machine["end"]
    assert set(begin) == set(end) == {field.name for field in fields(Moment)}
    assert begin["load"] == results.machine["load"] == pytest.approx(list(begin["load"]))
    assert begin["accelerators"] == end["accelerators"] == []
    if begin["stolen_seconds"] is not None:
        assert results.machine["stolen_seconds"] == end["stolen_seconds"] - begin["stolen_seconds"] >= 0


def test_workloads_are_known_by_what_they_are(results: Results) -> None:
    shapes = "[[[3, 4], [5]], 0]"
    assert results.layouts == {"tiny": hashlib.sha256(shapes.encode()).hexdigest()}
    [digits] = results.tasks
    source = Path(optreg.__file__).parent / "bench" / "tasks" / "digits.py"
    assert digits.code == hashlib.sha256(source.read_bytes()).hexdigest()
    targets = {it.implementation: it.target for it in results.subjects if it.optimizer == "adam"}
    assert targets["optreg"] == "optreg_classic.adam:Adam"
    assert targets["keras"].endswith(":Adam")


def test_devices_that_are_absent_are_said(results: Results) -> None:
    assert results.machine["absent_devices"] == ["gpu", "tpu"]
    assert "TensorFlow sees no GPU and no TPU here; nothing was measured there" in results.notes


@pytest.mark.usefixtures("misbehaving")
def test_optimizers_that_misbehave_are_rows_with_their_reasons(quick: Options) -> None:
    found = run(["raising", "diverging", "hoarding", "refusing", "sgd"], replace(quick, seeds=1))
    training = {run.optimizer: run.state for run in found.training}
    assert (training["raising"].name, training["raising"].reason) == (
        "failed",
        "RuntimeError: the kernel is on holiday",
    )
    assert training["diverging"].name == "diverged"
    assert (training["refusing"].name, training["refusing"].reason) == ("failed", "OSError: no licence server")
    assert training["sgd"].name == "finished"
    speed = {(entry.optimizer, entry.execution): entry.state.name for entry in found.speed}
    assert (speed["raising", "graph"], speed["diverging", "eager"], speed["sgd", "eager"]) == (
        "failed",
        "diverged",
        "finished",
    )
    assert found.unusable == ["diverging", "raising", "refusing"]
    ours = [row for row in speed_rows(found) if row.entry.implementation == "optreg"]
    declared = {row.entry.optimizer: row.declared for row in ours}
    assert (declared["hoarding"], declared["sgd"]) == (False, True)
    text = json.dumps(document(found), allow_nan=False)
    assert json.loads(text)["training"][1]["losses"][-1] is None  # JSON has no NaN


def test_what_a_search_tries_and_what_others_do_makes_no_optimizer_unusable() -> None:
    state = State("diverged", "the loss is nan")
    runs = [TrainingRun("a", "optreg", "digits", "cpu:0", 0, setting, state=state) for setting in ("search", "tuned")]
    runs += [TrainingRun("b", "keras", "digits", "cpu:0", 0, state=state)]
    steep = Descent("c", "optreg", "sphere", "default", state=state)
    assert Results("", training=runs, descents=[steep]).unusable == []
    chosen = TrainingRun("d", "optreg", "digits", "cpu:0", 0, state=state)
    lost = Descent("e", "optreg", "sphere", "tuned", state=State("failed", "it broke"))
    lost_step = SpeedEntry("f", "optreg", "graph", "tiny", "cpu:0", state=state)
    found = Results("", training=[*runs, chosen], descents=[steep, lost], speed=[lost_step])
    assert found.unusable == ["d", "e", "f"]


def test_an_interrupt_leaves_what_was_measured(quick: Options) -> None:
    def stop_in_the_middle(progress: Progress) -> None:
        if progress.doing.startswith("tiny"):
            raise KeyboardInterrupt

    found = run(["sgd"], quick, observer=stop_in_the_middle)
    assert found.interrupted
    assert {run.state.name for run in found.training} == {"finished"}
    assert {(entry.state.name, entry.state.reason) for entry in found.speed} == {("skipped", "interrupted")}
    assert document(found)["interrupted"] is True
    assert found.finished


def test_an_interrupt_while_training_keeps_the_steps_made(quick: Options) -> None:
    def stop_in_the_second_seed(progress: Progress) -> None:
        if "seed 2" in progress.doing:
            raise KeyboardInterrupt

    found = run(["sgd"], quick, observer=stop_in_the_second_seed)
    assert [(run.state.name, bool(run.losses)) for run in found.training] == [("finished", True), ("skipped", False)]
    assert training_rows(found)[0].finished == 1


def test_a_budget_that_is_too_small_is_said_for_every_entry(quick: Options) -> None:
    found = run(["sgd"], replace(quick, budget=0.0))
    states = {entry.state.name for entry in found.speed} | {run.state.name for run in found.training}
    assert states == {"skipped"}
    assert all("budget" in entry.state.reason for entry in found.speed)


def test_what_was_skipped_holds_no_zero_that_could_be_taken_for_a_measurement(quick: Options) -> None:
    modes = ("speed", "training", "memory", "landscapes", "replicas")
    options = replace(quick, modes=modes, landscapes=["sphere"], replicated_layouts=quick.layouts, against=["tf_keras"])
    found = json.loads(json.dumps(document(run(["sgd"], replace(options, budget=0.0, split=True)))))
    jsonschema.validate(found, results_schema())
    skipped = {
        section: [entry for entry in found[section] if entry["state"]["name"] == "skipped"]
        for section in ("speed", "training", "memory", "descents", "replicas", "splits")
    }
    assert all(skipped.values()), {section: len(entries) for section, entries in skipped.items()}
    rows = [row for section in ("speed", "replicas", "splits") for row in found["summary"][section]]
    for entry in (*(entry for entries in skipped.values() for entry in entries), *rows):
        zeros = {key for key, value in entry.items() if value == 0 and value is not False}
        assert zeros <= {"seed", "seconds", "steps_spent"}, entry  # which one it is, and what was spent: nothing


def test_rows_compare_only_the_seeds_that_every_optimizer_had_time_for(results: Results) -> None:
    found = copy.deepcopy(results)
    late = next(run for run in found.training if run.seed == 1 and run.optimizer == "sgd[momentum=0.9]")
    late.state = State("skipped", "late")
    rows = training_rows(found)
    assert {row.started for row in rows} == {1}
    [ours] = [row for row in rows if (row.optimizer, row.implementation) == ("adam", "optreg")]
    assert ours.loss is not None
    assert ours.loss.median == found.training[0].evaluations[-1].loss


def test_peers_train_from_the_first_seed_alone_which_shows_whether_they_train_alike(results: Results) -> None:
    seeds = {it: [run.seed for run in results.training if run.implementation == it] for it in ("optreg", "keras")}
    assert seeds == {"optreg": [0, 0, 1, 1], "keras": [0, 0]}
    assert {standing.implementation for standing in ranked(results)} == {"optreg"}


def test_modes_and_executions_limit_what_is_measured(quick: Options) -> None:
    found = run(["sgd"], replace(quick, modes=("speed",), executions=("graph",)))
    assert found.training == []
    assert {entry.execution for entry in found.speed} == {"graph", "probe"}
    assert run(["sgd"], replace(quick, modes=("training",), seeds=1)).speed == []


def test_a_sparse_layout_gets_sparse_gradients_with_repeated_rows(quick: Options) -> None:
    from optreg.bench import Layout
    from optreg.bench.speed.stand import make_gradients

    table = Layout("table", ((50, 4),), gradient_rows=8)
    (gradient,) = make_gradients(table)
    assert len(set(gradient.indices.numpy())) == 6
    found = run(["sgd"], replace(quick, layouts=[table], modes=("speed",), against=("tf_keras", "keras")))
    assert {entry.state.name for entry in found.speed} == {"finished"}


def test_by_default_the_first_device_of_each_kind_is_measured_and_the_others_are_named(results: Results) -> None:
    assert {entry.device for entry in results.speed} == {"cpu:0"}
    assert "not measured: cpu:1; --device names them" in results.notes


def test_a_kind_of_device_stands_for_all_of_it() -> None:
    assert [device.name for device in select_devices(["CPU"])] == ["cpu:0", "cpu:1"]


def test_words_that_mean_nothing_are_refused_before_anything_runs(quick: Options) -> None:
    allowed = "landscapes, memory, properties, replicas, speed, training"
    with pytest.raises(InvalidFilter, match=rf"unknown mode 'sped'; allowed: {allowed}\. Did you mean 'speed'\?"):
        run(["sgd"], replace(quick, modes=("sped",)))
    with pytest.raises(UnknownDevice, match=r"sees no device 'gpu:7'; devices: cpu:0"):
        run(["sgd"], replace(quick, devices=("gpu:7",)))


def test_progress_says_what_is_done_and_how_much_time_is_left(quick: Options) -> None:
    seen: list[Progress] = []
    run(["sgd"], quick, observer=seen.append)
    assert {"preparing", "training sgd (optreg) on digits, seed 1 of 2", "tiny: sgd on cpu:0"} <= {
        it.doing for it in seen
    }
    assert all(it.elapsed + it.remaining < 901 for it in seen)
    assert seen[0].remaining > seen[-1].remaining
    assert seen[-1].remaining < 1
