"""A run lets go of what it measured: TensorFlow would keep the graphs of other libraries' steps for ever."""

from __future__ import annotations

import gc
from dataclasses import replace

import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from optreg.bench import Options, run
from optreg.bench.forgetting import graphs_forgotten


def living_graphs() -> int:
    gc.collect()
    return sum(isinstance(it, FuncGraph) for it in gc.get_objects())


def test_no_graph_of_a_peer_is_left_after_a_run(quick: Options) -> None:
    before = living_graphs()
    run(["sgd"], replace(quick, executions=("graph",), against=("tf_keras", "keras")))
    assert living_graphs() <= before


def test_gradients_registered_before_stay() -> None:
    @tf.custom_gradient
    def doubled(x: tf.Tensor) -> tuple[tf.Tensor, object]:
        return 2.0 * x, lambda dy: 3.0 * dy

    function = tf.function(doubled, autograph=False)
    function.get_concrete_function(tf.constant(1.0))
    with graphs_forgotten():
        pass
    with tf.GradientTape() as tape:
        x = tf.constant(1.0)
        tape.watch(x)
        y = function(x)
    assert float(tape.gradient(y, x)) == 3.0
