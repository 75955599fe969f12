"""tf_keras (Keras 2): the same demands, run where they are asked for, as importing it takes seconds."""

from __future__ import annotations

from optreg.conformance.checks.execution import check_a_traced_step_equals_the_eager_one
from optreg.conformance.definition import check
from optreg.conformance.demands import demand_close, demand_same
from optreg.conformance.keras_models import LinearModel, by_hand, library, load, saved
from optreg.conformance.subject import Subject

_EPOCHS = 2


@check(
    "The update depends on what a variable of tf_keras is called.",
    requires=(check_a_traced_step_equals_the_eager_one,),
    on_request=True,
)
def check_a_tf_keras_model_trains_as_a_loop_does(subject: Subject) -> None:
    """``compile(optimizer=optreg.keras.wrap(..., library="tf_keras"))`` and ``fit`` reach the weights of a loop."""
    model = LinearModel(library("tf_keras"), subject)
    model.fit(_EPOCHS)
    demand_close(model.weights, by_hand(model, subject.brisk(), _EPOCHS), "weights of a tf_keras model after fit")


@check(
    "State is kept outside slots and weights, or a hyperparameter is missing in get_config().",
    requires=(check_a_tf_keras_model_trains_as_a_loop_does,),
    on_request=True,
)
def check_a_saved_tf_keras_model_continues(subject: Subject) -> None:
    """A ``.keras`` file of tf_keras holds the optimizer whole: the loaded model trains on bit by bit."""
    original = LinearModel(library("tf_keras"), subject)
    original.fit(1)
    with saved(original) as path:
        continued = load(original, path)
    original.fit(_EPOCHS)
    continued.fit(_EPOCHS)
    demand_same(continued.weights, original.weights, "weights of a loaded tf_keras model after further epochs")
