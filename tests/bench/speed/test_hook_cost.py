from __future__ import annotations

import tensorflow as tf

from optreg.bench import Options, run
from optreg.bench.contenders import contenders
from optreg.bench.selection import parse_choice
from optreg.bench.speed.hook_cost import VARIANTS, hook_contenders
from optreg.bench.speed.layouts import Layout
from optreg.bench.speed.timing import Effort


def test_all_ways_to_take_the_step_end_at_the_same_weights():
    choice = parse_choice("sgd[momentum=0.5]")
    [ours], _ = contenders(choice, ())
    ends = []
    for contender in (ours, *hook_contenders(ours, choice)):
        subject = contender.make()
        subject.build([tf.constant([1.0, 2.0])])
        for _ in range(3):
            subject.step([tf.constant([1.0, -1.0])])
        ends.append(subject.variables[0].numpy().tolist())
    assert ends[0] == ends[1] == ends[2] != [1.0, 2.0]


def test_the_variants_are_timed_and_not_trained():
    quick = Effort(fewest=6, most=6, sample_seconds=1e-4)
    results = run(
        ["sgd"], Options(layouts=[Layout("tiny", ((2,),))], hooks=True, seeds=1, epochs=1, effort=quick, budget=900.0)
    )
    timed = {(entry.implementation, entry.execution) for entry in results.speed if entry.samples}
    assert {(variant, execution) for variant in VARIANTS for execution in ("eager", "graph")} <= timed
    assert {training.implementation for training in results.training} == {"optreg"}
