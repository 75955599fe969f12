"""A plugin that pip has put there is measured as ours are: in every table, with its own task, without code of ours."""

from __future__ import annotations

from typing import Any

import pytest

from optreg.bench import Options, Results, document, run
from optreg.bench.report import render
from optreg_cli.bench.tables import show

PLUGIN = """
import numpy as np
import tensorflow as tf
import optreg

class Walker(optreg.Optimizer):
    card = optreg.Card(slots=(optreg.Slot("pace", "state"),), dtypes=("float32",))
    def __init__(self, learning_rate=0.1, name="Walker", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)
    def get_config(self):
        return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}
    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "pace")
    def _resource_apply_dense(self, grad, var, apply_state=None):
        pace = self.get_slot(var, "pace").assign(grad)
        return var.assign_sub(self._decayed_lr(var.dtype) * pace)

class Tasks:
    @optreg.hookimpl
    def bench_workloads(self):
        from optreg.bench import Judgement, Problem, Task
        def make(seed, steps):
            target = tf.constant([1.0, -2.0])
            return Problem(
                weights=[np.zeros(2, np.float32)],
                batches=tf.zeros([steps, 1]),
                loss=lambda weights, batch: tf.reduce_sum((weights[0] - target) ** 2),
                judge=lambda weights: Judgement(
                    tf.reduce_sum((weights[0] - target) ** 2), tf.reduce_sum((weights[0] - target) ** 2)
                ),
                fingerprint="0" * 64,
            )
        return [Task("walk", "two steps to the target", make, steps=20, metric="distance", higher_is_better=False)]
"""


@pytest.fixture
def walker(optreg_distribution: Any) -> None:
    optreg_distribution(
        "walker",
        {"walker_plugin.py": PLUGIN},
        version="2.1",
        optimizers={"walker": "walker_plugin:Walker"},
        plugins={"walks": "walker_plugin:Tasks"},
    )


@pytest.fixture
def results(walker: None, quick: Options) -> Results:
    from dataclasses import replace

    modes = ("speed", "memory", "training")
    return run(["walker", "sgd"], replace(quick, modes=modes, executions=("graph",), tasks=["walk", "digits"]))


@pytest.mark.slow
def test_it_stands_in_the_tables_of_speed_memory_and_quality(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    show(results)
    shown = capsys.readouterr().out
    for heading in ("Training: walk", "Training: digits", "Update step: tiny", "Memory"):
        table = shown.partition(heading)[2].partition("\n\n")[0]
        rows = [line.split()[0] for line in table.splitlines() if line[:1].isalpha()]
        assert {"walker", "sgd"} <= set(rows), (heading, table)
    assert "walker (walker 2.1): learning_rate=0.1" in " ".join(shown.split())
    memory = next(it for it in results.memory if it.optimizer == "walker")
    assert (memory.measured, memory.as_declared) == (4 * 17, True)
    page = render(document(results))
    assert all(f'id="{name}"' in page for name in ("speed", "memory", "training"))
    assert page.count("walker") > 10
