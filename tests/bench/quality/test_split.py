"""The parts of a training step: each is timed, and what they come to is arithmetic."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optreg.bench import Judgement, Options, Problem, Results, document, run
from optreg.bench.contenders import contenders
from optreg.bench.quality.split import SplitEntry, _parts
from optreg.bench.report import render
from optreg.bench.results import State
from optreg.bench.selection import parse_choice
from optreg_cli.bench.tables import show

OPTIONS = Options(modes=["training"], tasks=["embedding", "digits"], seeds=1, epochs=1, split=True, budget=600)


@pytest.fixture(scope="module")
def results() -> Results:
    return run(["sgd"], OPTIONS)


def test_every_part_is_timed_on_every_task_also_where_gradients_are_sparse(results: Results) -> None:
    assert [(it.optimizer, it.task, it.state) for it in results.splits] == [
        ("sgd", "embedding", State()),
        ("sgd", "digits", State()),
    ]
    for entry in results.splits:
        for samples in (entry.forward, entry.gradient, entry.update, entry.step, entry.call):
            assert len(samples) == 20
            assert min(samples) > 0


def test_table_and_report_show_the_parts(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    show(results)
    shown = capsys.readouterr().out
    rows = [line.split()[:3] for line in shown.partition("Where a training step spends its time")[2].splitlines()]
    assert ["digits", "sgd", "optreg"] in rows
    page = html.unescape(render(document(results)))
    figure = page[page.index('id="split"') :].partition("</figure>")[0]
    assert "<svg" in figure
    assert (
        "optreg bench sgd --mode training --task embedding --task digits --seeds 1 --epochs 1 --budget 600 --split"
        in figure
    )


@pytest.mark.usefixtures("misbehaving")
def test_an_optimizer_that_raises_is_a_row_and_the_others_are_timed() -> None:
    options = Options(modes=["training"], tasks=["ridge"], seeds=1, epochs=1, split=True, budget=600)
    raising, sgd = run(["raising", "sgd"], options).splits
    assert raising.state.name == "failed"
    assert "the kernel is on holiday" in raising.state.reason
    assert sgd.medians["step"] > 0


def test_backward_is_what_the_gradient_takes_beyond_the_loss() -> None:
    entry = SplitEntry(
        "adam", "optreg", "digits", "cpu:0", State(), [1.0, 1.0, 7.0], [3.0, 3.0, 3.0], [1.5, 1.0, 1.0], [3.5, 4.0, 4.5]
    )
    assert entry.medians == {"forward": 1, "backward": 2, "update": 1, "step": 4, "alone": 1}
    assert entry.share_of_update == pytest.approx(0.25)
    assert entry.sum_of_parts is None  # as in a file of before
    entry.call += [0.1, 0.2, 0.3]
    assert entry.sum_of_parts == pytest.approx((3 + 1 - 0.2) / 4)
    assert SplitEntry("adam", "optreg", "digits", "cpu:0").share_of_update is None


def test_the_parts_add_up_to_the_step_where_noise_made_one_longer_than_the_whole() -> None:
    entry = SplitEntry("sgd", "optreg", "ridge", "cpu:0", State(), [5.0], [3.0], [1.0], [4.0])
    assert entry.medians == {"forward": 3, "backward": 0, "update": 1, "step": 4, "alone": 1}
    entry = SplitEntry("sgd", "optreg", "ridge", "cpu:0", State(), [2.0], [6.0], [1.0], [4.0])
    assert entry.medians == {"forward": 2, "backward": 2, "update": 0, "step": 4, "alone": 1}


@pytest.mark.filterwarnings("ignore:no gradient for the variables")
def test_the_gradient_is_computed_although_nobody_is_handed_it() -> None:
    """TensorFlow leaves out of a graph what no one takes; then the gradient would take no longer than the loss."""
    computed = []

    @tf.custom_gradient
    def noted(value: Any) -> Any:
        def note(gradient: Any) -> Any:
            computed.append(gradient)
            return gradient

        def backward(gradient: Any) -> Any:
            return tf.ensure_shape(tf.numpy_function(note, [gradient * value], tf.float32, stateful=False), [])

        return tf.identity(value), backward

    weights = [np.ones(2, "float32"), np.ones(3, "float32")]  # the second has no gradient
    loss = lambda variables, batch: noted(tf.reduce_sum(variables[0] ** 2) + batch)  # noqa: E731
    problem = Problem(weights, tf.zeros([1]), loss, lambda _: Judgement(tf.zeros([]), tf.zeros([])), "")
    (contender, *_), _ = contenders(parse_choice("sgd"), ())
    subject = contender.make()
    subject.build(problem.weights)
    parts = _parts(subject, problem)
    for name, times in {"forward": 0, "gradient": 1, "update": 0, "step": 1, "call": 0}.items():
        before = len(computed)
        parts[name]()
        assert len(computed) - before == times, name
