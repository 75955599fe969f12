"""Replicas on logical processors and on workers of this machine: equal to each other and to one with the sum."""

from __future__ import annotations

import html
import json
import math
import socket
import sys
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from optreg.bench import Layout, Options, Results, document, results_schema, run
from optreg.bench.replicas import drill
from optreg.bench.replicas.drill import Formation
from optreg.bench.replicas.records import ReplicaEntry, alone_of
from optreg.bench.report import render
from optreg.errors import InvalidFilter
from optreg_cli.bench.tables import show

SMALL = Layout("small", ((30, 20), (20,)), "a matrix and a vector")
STATE = {"adam": 8 * 620, "sgd": 0}

PLUGIN = """
import os, signal
import tensorflow as tf
import optreg

class Straying(optreg.Optimizer):
    '''Adds the number of its replica to the weights, and keeps one byte more than its card declares.'''
    card = optreg.Card(slots=(optreg.Slot("kept"),), dtypes=("float32",))
    def __init__(self, name="Straying", **kwargs):
        super().__init__(name, **kwargs)
    def get_config(self):
        return super().get_config()
    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "kept")
        self.add_slot(var_list[0], "stray", shape=(), dtype=tf.int8)
    def _resource_apply_dense(self, grad, var, apply_state=None):
        context = tf.distribute.get_replica_context()
        place = 0 if context is None else context.replica_id_in_sync_group
        if var.device and var.device[-1].isdigit():
            place = int(var.device[-1])
        return var.assign_sub(0.1 * grad + tf.cast(place, grad.dtype))

class Killed(Straying):
    def _resource_apply_dense(self, grad, var, apply_state=None):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def replicated(*names: str, **options: Any) -> Results:
    return run(names, Options(modes=["replicas"], replicated_layouts=[SMALL], budget=600, **options))


@pytest.fixture(scope="module")
def results() -> Results:
    return replicated("sgd", "adam")


@pytest.fixture
def astray(optreg_distribution: Any) -> None:
    points = {"straying": "astray:Straying", "killed_replica": "astray:Killed"}
    optreg_distribution("astray", {"astray.py": PLUGIN}, optimizers=points)


@pytest.mark.slow
def test_two_logical_processors_stay_equal_and_equal_one_with_the_summed_gradient(results: Results) -> None:
    found = {(it.optimizer, it.replicas): it for it in results.replicas}
    assert set(found) == {("sgd", 1), ("sgd", 2), ("adam", 1), ("adam", 2)}
    for (name, count), entry in found.items():
        assert (entry.state.name, entry.state.reason) == ("finished", "")
        assert entry.equal is True
        assert entry.deviation is not None
        assert entry.deviation < 1e-6
        assert entry.bytes_each == [STATE[name]] * count
        assert (entry.declared, entry.as_declared) == (STATE[name], True)
        assert entry.gradient_bytes == 4 * 620
        assert len(entry.samples) == len(entry.reductions) == 20
        assert entry.virtual
    jsonschema.validate(json.loads(json.dumps(document(results))), results_schema())


@pytest.mark.slow
@pytest.mark.usefixtures("astray")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_replicas_that_drift_apart_keep_a_byte_too_many_or_die_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    results = replicated("astray/straying", "astray/killed_replica", replicas=[2])
    drifted, killed = results.replicas
    assert (drifted.bytes_each, drifted.declared, drifted.as_declared) == ([4 * 620 + 1] * 2, 4 * 620, False)
    assert drifted.equal is False
    assert killed.state.name == "failed"
    assert killed.state.reason.startswith("killed by SIGKILL")
    show(results)
    shown = " ".join(capsys.readouterr().out.split())
    assert "failed: astray/killed_replica on 2 replicas, mirrored, small: killed by SIGKILL" in shown
    assert "Correctness only" in shown
    kept = "astray/straying on 2 replicas, mirrored, small keeps 2481 bytes of state each, its card declares 2480"
    assert kept in shown
    assert "replicas of astray/straying do not stay equal" in html.unescape(render(document(results)))


@pytest.mark.slow
def test_two_workers_on_this_machine_stay_equal() -> None:
    (entry,) = replicated("adam", strategies=["multi-worker"], replicas=[2]).replicas
    assert (entry.state.name, entry.state.reason) == ("finished", "")
    assert (entry.equal, entry.bytes_each) == (True, [STATE["adam"]] * 2)
    assert entry.deviation is not None
    assert entry.deviation < 1e-6


@pytest.mark.slow
def test_a_port_that_was_taken_in_the_meantime_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    found = drill._free_ports
    with socket.create_server(("localhost", 0)) as other:
        taken = iter([other.getsockname()[1]])
        monkeypatch.setattr(drill, "_free_ports", lambda count: [next(taken, port) for port in found(count)])
        (entry,) = replicated("sgd", strategies=["multi-worker"], replicas=[2]).replicas
        assert (entry.state.name, entry.state.reason) == ("finished", "")
    assert next(taken, None) is None


@pytest.mark.slow
def test_tables_and_report_show_what_was_measured(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    show(results)
    shown = capsys.readouterr().out
    assert "Replicas" in shown
    assert "Correctness only" in shown
    page = html.unescape(render(document(results)))
    figure = page[page.index('id="replicas-table"') :].partition("</figure>")[0]
    assert "<svg" in figure
    assert "4,960" in figure
    assert "Correctness only" in figure
    assert "optreg bench sgd adam --mode replicas --budget 600 --layout small" in figure


def entry(replicas: int, *, step: float, reduction: float = 0.0) -> ReplicaEntry:
    return ReplicaEntry(
        "adam",
        "optreg",
        "mirrored",
        replicas,
        "small",
        "gpu",
        gradient_bytes=1_000_000,
        samples=[step, step, 9.0],
        reductions=[reduction] * 3,
    )


def test_efficiency_share_and_bus_rate_follow_from_the_times() -> None:
    one, four = entry(1, step=0.010), entry(4, step=0.016, reduction=0.004)
    assert alone_of(four, [four, one]) is one
    assert alone_of(four, [four]) is None
    assert four.efficiency(one) == pytest.approx(0.625)
    assert four.efficiency(None) is None
    assert four.share_of_reduction == pytest.approx(0.25)
    assert four.bus_bytes_per_second == pytest.approx(1_000_000 * 1.5 / 0.004)
    assert one.bus_bytes_per_second is None
    assert math.isclose(one.efficiency(one) or 0, 1.0)


@pytest.mark.parametrize(
    ("kept", "declared", "same"),
    [([4960, 4960], 4960, True), ([4960, 4961], 4960, False), ([4960], None, None), ([], 4960, None)],
)
def test_a_stray_byte_on_one_replica_is_no_longer_as_declared(
    kept: list[int], declared: int | None, same: bool | None
) -> None:
    made = entry(2, step=0.01)
    made.bytes_each, made.declared = kept, declared
    assert made.as_declared is same


def test_a_cluster_of_the_environment_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    formation = Formation(["mirrored", "multi-worker", "mirrored"], [1, 2, 2])
    every = [("mirrored", 1), ("mirrored", 2), ("multi-worker", 1), ("multi-worker", 2)]
    assert formation.combinations() == every
    cluster = {"cluster": {"worker": ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]}, "task": {"type": "worker"}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert formation.combinations() == [("mirrored", 1), ("mirrored", 2), ("multi-worker", 3)]
    monkeypatch.setenv("TF_CONFIG", "no json")
    assert formation.combinations() == every


def test_sparse_gradients_are_refused_with_the_reason() -> None:
    table = Layout("table", ((10, 4),), "", gradient_rows=3)
    results = run(["sgd"], Options(modes=["replicas"], replicated_layouts=[table], replicas=[1], budget=60))
    assert results.replicas[0].state.name == "skipped"
    assert "dense gradients" in results.replicas[0].state.reason


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ({"strategies": ["mirorred"]}, r"unknown strategy 'mirorred'; .*Did you mean 'mirrored'\?"),
        ({"replicas": [2, 0]}, "at least 1, received 0"),
    ],
)
def test_a_formation_that_cannot_be_is_refused(bad: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint):
        Formation(**bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replicas", "two"], "numbers of replicas are whole numbers separated by commas, received 'two'"),
        (["--strategy", "ring"], "unknown strategy 'ring'; allowed: mirrored, multi-worker."),
        (["--executor", "slurm"], "unknown executor 'slurm'; allowed: pool, ray."),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments: list[str], message: str) -> None:
    from optreg_cli.main import app

    done = CliRunner().invoke(app, ["bench", "sgd", *arguments, "--isolate", "0"], prog_name="optreg")
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", " ").split())
