"""What aggregators make of the gradients of several replicas; run in this process or in a child with more devices."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPES = {"kernel": (3, 2), "bias": (2,), "scalar": ()}


def gradients_of(replicas: int) -> dict[str, Any]:
    """Return ``[replicas, *shape]`` for each variable; the first replica's bias has no gradient to speak of."""
    random = np.random.default_rng(replicas)
    stacked = {name: random.normal(size=(replicas, *shape)) for name, shape in SHAPES.items()}
    stacked["bias"][0] = 0.0
    return stacked


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Return for each aggregator, graph or eager, the moves of every copy of each variable, learning rate 1."""
    import tensorflow as tf

    import optreg

    replicas = job["replicas"]
    if len(tf.config.get_logical_device_configuration(tf.config.list_physical_devices("CPU")[0]) or ()) < replicas:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * replicas
        )
    strategy = tf.distribute.MirroredStrategy(
        [f"CPU:{number}" for number in range(replicas)], tf.distribute.ReductionToOneDevice()
    )
    stacked = gradients_of(replicas)
    found = {}
    for aggregator, graph in job["runs"]:
        with strategy.scope():
            variables = {name: tf.Variable(np.zeros(shape), name=name) for name, shape in SHAPES.items()}
            optimizer = optreg.get_optimizer(
                "sgd",
                learning_rate=1.0,
                gradient_aggregator=tuple(aggregator) if len(aggregator) > 1 else aggregator[0],
            )

        def step(optimizer: Any = optimizer, variables: Any = variables) -> None:
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            pairs = [(tf.gather(tf.constant(stacked[name]), number), variable) for name, variable in variables.items()]
            optimizer.apply_gradients(pairs)

        whole = lambda step=step: strategy.run(step)  # noqa: E731
        (tf.function(whole) if graph else whole)()
        found[f"{aggregator} {graph}"] = {
            name: [(-copy.numpy()).tolist() for copy in variable.values] for name, variable in variables.items()
        }
    return found
