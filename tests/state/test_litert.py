"""A step exported to LiteRT (TensorFlow Lite) and made on its interpreter, as a phone trains, equals TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import optreg

# TensorFlow 2.20 and later tell that the interpreter moved to a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")

BUILT_IN = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("adam", {}),
    ("adagrad", {}),
    ("rmsprop", {"centered": True, "momentum": 0.9}),
    ("lion", {}),
]
"""Those of whose kernels the converter makes operations of LiteRT's own."""

SELECTED = [
    ("adam", {"amsgrad": True}),
    ("rmsprop", {}),
    ("adamax", {}),
    ("nadam", {}),
    ("adadelta", {}),
    ("ftrl", {}),
]
"""Those that keep operations of TensorFlow, which an application links as its Select operations."""


class Trainer(tf.Module):
    """A variable of 1000 numbers, the size of a bias, and the step that a device makes with a gradient of its own."""

    def __init__(self, name, options):
        super().__init__()
        self.weights = tf.Variable(tf.ones(1000))
        self.optimizer = optreg.get_optimizer(name, **options)

    @tf.function
    def train(self, gradient):
        self.optimizer.apply_gradients([(gradient, self.weights)])
        return {"weights": self.weights.read_value()}


def exported(trainer, directory):
    """Return the bytes of the step as a program of LiteRT."""
    step = trainer.train.get_concrete_function(tf.TensorSpec([1000], tf.float32))
    tf.saved_model.save(trainer, str(directory), signatures={"train": step})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(directory))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    converter.experimental_enable_resource_variables = True
    return converter.convert()


def assert_trains_alike(trainer, program):
    """Make three steps on both; only gradients that move every weight by more than rounding would hide are taken."""
    on_device = tf.lite.Interpreter(model_content=program).get_signature_runner("train")
    for scale in (1.0, -0.3, 2.0):
        gradient = scale * np.linspace(0.1, 1, 1000, dtype="float32")
        before = trainer.weights.numpy()
        theirs, ours = on_device(gradient=gradient)["weights"], trainer.train(tf.constant(gradient))["weights"].numpy()
        assert (before != ours).all()
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("name", "options"), BUILT_IN)
def test_a_device_makes_the_step_of_tensorflow(name, options, tmp_path):
    trainer = Trainer(name, options)
    program = exported(trainer, tmp_path)
    assert b"Flex" not in program
    assert_trains_alike(trainer, program)


@pytest.mark.parametrize(("name", "options"), SELECTED)
def test_what_needs_operations_of_tensorflow_says_so_in_the_program(name, options, tmp_path):
    trainer = Trainer(name, options)
    program = exported(trainer, tmp_path)
    assert b"Flex" in program
    try:
        assert_trains_alike(trainer, program)
    except RuntimeError as error:  # the interpreter in the package of TensorFlow 2.21 has no Select operations
        if "Select TensorFlow op(s)" not in str(error):
            raise
