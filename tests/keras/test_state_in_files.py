"""The state of an optimizer in files of Keras: whose it is, where it waits, and what happens when it does not fit.

The oracle is the model that was saved: one that is loaded must train on with the same losses, and hold the slots of
each layer at that layer.
"""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
import optreg.keras

DATA = np.random.default_rng(3).normal(size=(16, 4)).astype("float32")
LIBRARIES = pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
SUFFIXES = pytest.mark.parametrize("suffix", ["keras", "weights.h5"])


def wrapped(library=keras, name="adam", **hyperparameters):
    return optreg.keras.wrap(name, library=library.__name__, **hyperparameters)


def model_of(library=keras, optimizer=None, names=("a", "b", "c"), width=4, name=None):
    """Layers of one shape, so that a slot at the wrong layer is no error of shapes."""
    widths = [4] * (len(names) - 1) + [width]
    layers = [library.layers.Dense(units, name=layer) for units, layer in zip(widths, names, strict=True)]
    model = library.Sequential([library.layers.Input((4,)), *layers], name=name)
    random = np.random.default_rng(5)
    model.set_weights([random.normal(size=weight.shape, scale=0.3) for weight in model.get_weights()])
    compiled(model, wrapped(library) if optimizer is None else optimizer)
    return model


def compiled(model, optimizer):
    # Eager, because tracing takes longer than training; files do not remember it.
    model.compile(optimizer=optimizer, loss="mse", run_eagerly=True)


def fit(model, epochs=2):
    model.run_eagerly = True
    targets = np.zeros((16, model.output_shape[-1]))
    return model.fit(DATA, targets, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def saved(model, folder, suffix="keras"):
    path = folder / f"model.{suffix}"
    (model.save if suffix == "keras" else model.save_weights)(path)
    return path


def loaded(path, library=keras, **new):
    """Return the model of a file, or a new one that has read its weights."""
    if path.suffix == ".keras":
        return library.models.load_model(path)
    model = model_of(library, **new)
    model.load_weights(path)
    return model


def freeze(model, name, frozen=True):
    model.get_layer(name).trainable = not frozen
    compiled(model, model.optimizer)


# Before the first step


@LIBRARIES
@SUFFIXES
def test_a_model_that_was_never_trained_is_loaded(library, suffix, tmp_path):
    model = model_of(library)
    assert fit(loaded(saved(model, tmp_path, suffix), library)) == fit(model)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_that_was_never_trained_is_copied(copied):
    model = model_of(optimizer=wrapped(name="sgd", momentum=0.9))
    assert fit(copied(model)) == fit(model)


def test_a_model_with_a_compiled_part_that_is_not_trained_itself_is_loaded(tmp_path):
    part = model_of()
    model = keras.Sequential([keras.Input((4,)), part, keras.layers.Dense(2)])
    compiled(model, wrapped())
    fit(model)
    assert fit(loaded(saved(model, tmp_path))) == fit(model)


def test_weights_of_the_beginning_set_the_optimizer_back_to_it(tmp_path):
    model = model_of(optimizer=wrapped(name="adagrad", learning_rate=0.1))  # whose slots do not begin at 0
    path = saved(model, tmp_path, "weights.h5")
    losses = fit(model)
    model.load_weights(path)
    assert int(model.optimizer.iterations) == 0
    assert fit(model) == losses


# Layers that are frozen for a while


@LIBRARIES
@SUFFIXES
@pytest.mark.parametrize("names", ["abc", "xyz"])
def test_state_stays_with_its_layer_where_the_first_layer_was_trained_last(library, suffix, names, tmp_path):
    model = model_of(library)
    freeze(model, "a")
    fit(model)
    freeze(model, "a", frozen=False)
    fit(model)
    path = saved(model, tmp_path, suffix)
    again = loaded(path, library, **({} if suffix == "keras" else {"names": names}))
    assert fit(again) == fit(model)
    for layer, same in zip(model.layers, again.layers, strict=True):
        slot, twin = (m.optimizer.get_slot(at.kernel, "m") for m, at in ((model, layer), (again, same)))
        np.testing.assert_array_equal(slot, twin)


@LIBRARIES
def test_slots_of_a_layer_that_is_frozen_now_wait_for_it_through_two_files(library, tmp_path):
    model = model_of(library)
    fit(model)
    freeze(model, "a")
    fit(model)
    again = loaded(saved(loaded(saved(model, tmp_path), library), tmp_path), library)
    assert fit(again) == fit(model)
    for each in (again, model):
        freeze(each, "a", frozen=False)
    assert fit(again) == fit(model)


def test_an_optimizer_of_two_models_is_saved_with_either(tmp_path):
    optimizer = wrapped()
    first, second = model_of(optimizer=optimizer, names="abc"), model_of(optimizer=optimizer, names="def")
    fit(first), fit(second)
    again = loaded(saved(first, tmp_path))
    assert int(again.optimizer.iterations) == 8
    np.testing.assert_array_equal(*(m.optimizer.get_slot(m.get_layer("b").kernel.value, "v") for m in (first, again)))


def test_names_that_agree_in_part_are_not_guessed_at(tmp_path):
    model = model_of(names="abc", name="net")
    fit(model)
    path = saved(model, tmp_path, "weights.h5")
    other = model_of(names="bcd", name="net")
    other.optimizer.build(other.trainable_variables)
    with pytest.raises(ValueError, match=r"(?s)missing: slots\['.*b/kernel'\].*unexpected: .*neither names nor number"):
        other.load_weights(path)
    assert not any(slot.any() for slot in other.optimizer.wrapped.get_weights())


# State that waits for its variables


@LIBRARIES
@SUFFIXES
@pytest.mark.parametrize("name", ["adam", "nadam"])
def test_state_that_waits_is_written_again(library, suffix, name, tmp_path):
    model = model_of(library, wrapped(library, name))
    fit(model)
    path = saved(model, tmp_path, "weights.h5")
    waiting = loaded(path, library, optimizer=wrapped(library, name))
    again = loaded(saved(waiting, tmp_path, suffix), library, optimizer=wrapped(library, name))
    assert fit(again) == fit(model)


def test_a_copy_takes_the_state_that_waits_along(tmp_path):
    model = model_of(tf_keras)
    fit(model)
    waiting = loaded(saved(model, tmp_path), tf_keras)
    assert fit(copy.deepcopy(waiting)) == fit(model)


@LIBRARIES
def test_a_checkpoint_of_state_that_waits_is_refused(library, tmp_path):
    model = model_of(library)
    fit(model)
    waiting = loaded(saved(model, tmp_path, "weights.h5"), library)
    checkpoint = tf.train.Checkpoint(model=waiting, optimizer=waiting.optimizer)
    with pytest.raises(
        optreg.InvalidState, match=r"would be lost: call optimizer\.build\(model\.trainable_variables\)"
    ):
        checkpoint.write(str(tmp_path / "c"))
    waiting.optimizer.build(waiting.trainable_variables)
    path = checkpoint.write(str(tmp_path / "c"))
    assert any("/m/" in name for name, _ in tf.train.list_variables(path))


@pytest.mark.filterwarnings("ignore:.*HDF5")
def test_the_hdf5_format_of_tf_keras_refuses_state_that_waits(tmp_path):
    model = model_of(tf_keras)
    fit(model)
    with pytest.raises(optreg.InvalidState, match="would be lost"):
        loaded(saved(model, tmp_path), tf_keras).save(tmp_path / "m.h5")


def test_a_restored_checkpoint_is_saved_with_the_model(tmp_path):
    model = model_of()
    fit(model)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(tmp_path / "c"))
    restored = model_of()
    tf.train.Checkpoint(model=restored, optimizer=restored.optimizer).restore(path)
    assert fit(loaded(saved(restored, tmp_path))) == fit(model)


def test_a_copied_optimizer_is_saved_with_the_model(tmp_path):
    model = model_of()
    fit(model)
    other = model_of()
    other.set_weights(model.get_weights())
    compiled(other, copy.deepcopy(model.optimizer))
    assert fit(loaded(saved(other, tmp_path))) == fit(model)


# What does not fit


@LIBRARIES
def test_state_of_another_class_is_refused_when_it_is_read(library, tmp_path):
    model = model_of(library, wrapped(library, "adam", learning_rate=0.01))
    fit(model)
    path = saved(model, tmp_path, "weights.h5")
    for steps in (0, 2):
        other = model_of(library, wrapped(library, "adamax", learning_rate=0.5))  # the same slots, of another meaning
        losses = fit(other, steps) if steps else []
        with pytest.raises(ValueError, match="the file holds the state of Adam, and nothing was changed"):
            other.load_weights(path)
        assert float(other.optimizer.learning_rate) == 0.5
        assert int(other.optimizer.iterations) == 2 * len(losses)


@LIBRARIES
def test_state_that_waited_and_does_not_fit_leaves_the_optimizer_as_it_was(library, tmp_path):
    model = model_of(library, wrapped(library, learning_rate=0.25))
    fit(model)
    path = saved(model, tmp_path, "weights.h5")
    other = model_of(library, wrapped(library, learning_rate=0.5))
    other.load_weights(path)
    assert float(other.optimizer.learning_rate) == 0.25
    with pytest.raises(optreg.InvalidState, match="neither names nor number"):
        other.optimizer.build([tf.Variable([1.0])])
    assert float(other.optimizer.learning_rate) == 0.5
    assert int(other.optimizer.iterations) == 0


@LIBRARIES
@pytest.mark.parametrize("trained", [False, True])
def test_skip_mismatch_starts_the_optimizer_anew_for_a_new_head(library, trained, tmp_path):
    model = model_of(library)
    fit(model)
    path = saved(model, tmp_path, "weights.h5")
    other = model_of(library, wrapped(library, learning_rate=0.5), width=2)
    if trained:
        other.optimizer.build(other.trainable_variables)
    with pytest.warns(UserWarning, match="could not be loaded|Could not load"):  # the weights of the head
        other.load_weights(path, skip_mismatch=True)
    if trained:
        fit(other)
    else:
        with pytest.warns(UserWarning, match="skip_mismatch=True, so the optimizer starts anew.*misshapen: slots"):
            fit(other)
    assert float(other.optimizer.learning_rate) == 0.5
    assert int(other.optimizer.iterations) == 4


def test_a_function_as_learning_rate_goes_on_as_the_number_that_it_returned(tmp_path):
    model = model_of(optimizer=wrapped(learning_rate=lambda: 0.125))
    fit(model)
    again = loaded(saved(model, tmp_path))
    assert float(again.optimizer.learning_rate) == 0.125
    assert fit(again) == fit(model)


def test_a_schedule_in_the_place_of_a_number_says_that_the_step_is_compiled_already():
    model = model_of(optimizer=wrapped(name="sgd", learning_rate=0.1))
    model.run_eagerly = False
    model.fit(DATA, DATA, verbose=0)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.0, 0.0])
    with pytest.warns(UserWarning, match=r"does not reach the step.*Compile the model again"):
        model.optimizer.learning_rate = schedule
    model.compile(optimizer=model.optimizer, loss="mse")
    before = model.get_weights()
    model.fit(DATA, DATA, verbose=0)
    for weight, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


@LIBRARIES
def test_two_replicas_place_the_state_that_waited_together(library):
    model = model_of(library)
    fit(model)
    store = {}
    model.optimizer.save_own_variables(store)  # tf_keras cannot read its own metrics from a file here
    # By one device: TensorFlow's collectives mistake gradients of two strategies in one process for each other's.
    one = tf.distribute.ReductionToOneDevice()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=one).scope():
        again = model_of(library, names="xyz")
        again.set_weights(model.get_weights())
        again.optimizer.load_own_variables(store)
    assert again.optimizer._state.waits
    again.compile(optimizer=again.optimizer, loss="mse")
    losses = again.fit(DATA, np.zeros((16, 4)), batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, fit(model), rtol=1e-6)
    assert int(tf.convert_to_tensor(again.optimizer.wrapped.iterations)) == 8


# Names that do not tell


def trained(model):
    compiled(model, wrapped())
    fit(model)
    return model


def restored(model, folder, build):
    """Return a model that ``build`` makes, with the weights and the state of another."""
    path = saved(model, folder, "weights.h5")
    again = build()
    compiled(again, wrapped(learning_rate=0.5))
    again.load_weights(path)
    return again


def twins():
    """A model with one name for layers of two parts, which Keras loads without the names of the parts."""
    parts = [keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="d")], name=name) for name in "ab"]
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2, name="out")(parts[1](parts[0](inputs))))


def counted_and_named():
    """A model of which Keras counts some layers on, each time it is built."""
    inputs = keras.Input((4,))
    hidden = keras.layers.LayerNormalization()(keras.layers.Dense(4)(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="predictions")(keras.layers.Dense(4)(hidden)))


@pytest.mark.parametrize("build", [twins, counted_and_named])
def test_models_with_repeated_or_counted_names_go_by_their_order(build, tmp_path):
    model = trained(build())
    assert fit(loaded(saved(model, tmp_path))) == fit(model)
    for _ in range(2):
        again = restored(model, tmp_path, build)
        assert fit(again) == fit(model)
        model = again


def test_names_that_keras_counts_from_elsewhere_go_by_their_order(tmp_path):
    def build():
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Dense(4)(keras.layers.Dense(4)(inputs))))

    keras.backend.clear_session()
    model = trained(build())
    path = saved(model, tmp_path, "weights.h5")
    keras.backend.clear_session()
    keras.layers.Dense(1)  # so that all names are one further on
    again = build()
    compiled(again, wrapped())
    again.load_weights(path)
    assert {layer.name for layer in model.layers} & {layer.name for layer in again.layers}
    assert fit(again) == fit(model)


def test_state_goes_where_keras_puts_the_weights_though_names_have_changed_places(tmp_path):
    model = model_of(names="abc", name="net")
    fit(model)
    again = loaded(saved(model, tmp_path, "weights.h5"), names="bac", name="net")
    assert fit(again) == fit(model)


@LIBRARIES
@pytest.mark.parametrize(
    ("shapes", "written", "read"),
    [
        pytest.param({"a": (2,), "b": (3,)}, ["ab"], ["ba"], id="of other shapes in that order"),
        pytest.param({"a": (2,), "b": (2,)}, ["b", "a"], ["ab"], id="written one by one"),
        pytest.param({"a": (2,), "b": (2,)}, ["ab"], ["b", "a"], id="read one by one"),
    ],
)
def test_variables_that_are_not_in_the_order_of_the_file_go_by_their_names(library, shapes, written, read):
    def built(together):
        optimizer = wrapped(library)
        variables = {name: tf.Variable(tf.ones(shapes[name]), name=name) for name in shapes}
        for names in together:
            optimizer.apply_gradients([(variables[name] * ord(name), variables[name]) for name in names])
        return optimizer, variables

    (optimizer, variables), store = built(written), {}
    optimizer.save_own_variables(store)
    again, others = built(read)
    again.load_own_variables(store)
    for name in shapes:
        np.testing.assert_array_equal(again.get_slot(others[name], "m"), optimizer.get_slot(variables[name], "m"))


@SUFFIXES
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have:UserWarning")
def test_layers_of_8_bits_keep_their_state(suffix, tmp_path):
    """Also where a loaded layer has its scales before its kernel, and the saved one behind it."""
    model = model_of(names="ab")
    model.quantize("float8")
    model.compile(optimizer=wrapped(), loss="mse")  # not eager: Keras cannot train such layers eagerly

    def losses(model):
        return model.fit(DATA, DATA, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]

    losses(model)
    path = saved(model, tmp_path, suffix)
    expected = losses(model)
    if suffix == "keras":
        model = keras.models.load_model(path)
    else:
        model.load_weights(path)
    assert int(model.optimizer.iterations) == 4
    assert losses(model) == expected
