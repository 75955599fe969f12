"""Keras 3: a model compiled with the optimizer trains, changes its rate and is saved as a loop of one's own would."""

from __future__ import annotations

from optreg.conformance.capabilities import COMPILED, SPARSE
from optreg.conformance.checks.execution import check_a_traced_step_equals_the_eager_one
from optreg.conformance.checks.sparse import check_a_sparse_step_can_be_made
from optreg.conformance.definition import Skipped, check
from optreg.conformance.demands import demand_close, demand_equal, demand_same
from optreg.conformance.keras_models import EmbeddingModel, LinearModel, by_hand, library, load, saved
from optreg.conformance.subject import Subject

_EPOCHS = 3


@check(
    "The update depends on what a Keras variable is called, or on methods of tf.Variable that Keras's lack.",
    requires=(check_a_traced_step_equals_the_eager_one,),
)
def check_a_keras_model_trains_as_a_loop_does(subject: Subject) -> None:
    """``compile(optimizer=optreg.keras.wrap(...))`` and ``fit`` reach the weights of a custom loop."""
    model = LinearModel(library("keras"), subject)
    model.fit(_EPOCHS)
    demand_close(model.weights, by_hand(model, subject.brisk(), _EPOCHS), "weights of a Keras model after fit")
    demand_equal(int(model.optimizer.iterations), _EPOCHS * model.steps, "iterations after fit")


@check(
    "A compiled step of Keras takes another branch than a compiled step of your own. Compare with XLA by hand.",
    requires=(check_a_keras_model_trains_as_a_loop_does,),
    capability=COMPILED,
    every_variant=False,
)
def check_a_compiled_keras_model_trains_as_a_loop_does(subject: Subject) -> None:
    """The same with ``jit_compile=True``, which is the default of Keras on accelerators."""
    model = LinearModel(library("keras"), subject, jit_compile=True)
    model.fit(_EPOCHS)
    demand_close(
        model.weights, by_hand(model, subject.brisk(), _EPOCHS), "weights of a compiled Keras model", tolerance=1e-4
    )


@check(
    "The learning rate is read in Python when fit() traces the step. Read it with _decayed_lr(dtype) in each step.",
    requires=(check_a_keras_model_trains_as_a_loop_does,),
    every_variant=False,
)
def check_a_learning_rate_set_between_epochs_takes_effect(subject: Subject) -> None:
    """What ``LearningRateScheduler`` and ``ReduceLROnPlateau`` do reaches the step that is traced already."""
    if not subject.takes_learning_rate:
        raise Skipped(f"{subject.cls.__name__} has no hyperparameter learning_rate")
    first, second = subject.two_values("learning_rate")
    model = LinearModel(library("keras"), subject, learning_rate=first)
    model.fit(1)
    model.model.optimizer.learning_rate = second
    model.fit(1)
    expected = by_hand(model, subject.optimizer(learning_rate=first), 2, rates=(first, second))
    demand_close(model.weights, expected, f"weights after learning_rate = {second} was set between epochs")


@check(
    "State is kept where state_dict() does not see it, or a hyperparameter is missing in get_config().",
    requires=(check_a_keras_model_trains_as_a_loop_does,),
)
def check_a_saved_keras_model_continues(subject: Subject) -> None:
    """A ``.keras`` file holds the optimizer whole: the loaded model trains on bit by bit."""
    original = LinearModel(library("keras"), subject)
    original.fit(1)
    with saved(original) as path:
        continued = load(original, path)
    demand_same(continued.weights, original.weights, "weights of a loaded model")
    original.fit(_EPOCHS)
    continued.fit(_EPOCHS)
    demand_same(continued.weights, original.weights, "weights of a loaded model after further epochs")


@check(
    "The sparse update does not take what an Embedding of Keras gives: repeated rows, int32 ids.",
    requires=(check_a_keras_model_trains_as_a_loop_does, check_a_sparse_step_can_be_made),
    capability=SPARSE,
    every_variant=False,
)
def check_an_embedding_of_keras_trains_as_a_loop_does(subject: Subject) -> None:
    """A model with an ``Embedding`` reaches the table of a custom loop, whose gradients are sparse too."""
    model = EmbeddingModel(library("keras"), subject)
    model.fit(_EPOCHS)
    demand_close(model.weights, by_hand(model, subject.brisk(), _EPOCHS), "the table of a Keras Embedding after fit")
