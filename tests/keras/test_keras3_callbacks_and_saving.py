"""Callbacks of Keras 3, and models that are saved and go on training as if nothing had happened."""

from __future__ import annotations

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import optreg
import optreg.keras
from optreg.optimizer import exported_state_dict

# Keras 3 reads its variables in a way that NumPy 2 deprecates.


def momentum(learning_rate=0.05, **hyperparameters):
    return optreg.keras.wrap("sgd", learning_rate=learning_rate, momentum=0.9, **hyperparameters)


# Callbacks


def test_a_learning_rate_scheduler_sets_the_rate_of_each_epoch(problem):
    callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model = problem.compiled(keras, momentum())
    ours = problem.fit(model, callbacks=[callback])
    theirs = problem.fit(
        problem.compiled(keras, keras.optimizers.SGD(0.05, momentum=0.9)),
        callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)],
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert float(model.optimizer.wrapped.learning_rate) == np.float32(0.05) / 8


@pytest.mark.parametrize(
    ("rate", "kind"),
    [(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), "a schedule"), (lambda: 0.1, "a function")],
)
def test_a_scheduler_over_a_schedule_is_an_error_that_says_what_to_do(problem, rate, kind):
    model = problem.compiled(keras, momentum(rate))
    callback = keras.callbacks.LearningRateScheduler(lambda epoch: 0.2)
    with pytest.raises(optreg.HyperparameterTypeError, match=f"learning_rate is {kind}.*cannot be set to 0.2.*Wrap"):
        problem.fit(model, callbacks=[callback])


def test_reduce_lr_on_plateau_reaches_the_compiled_step(problem):
    callback = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.0, patience=1, min_delta=1e9, cooldown=9)
    model = problem.compiled(keras, optreg.keras.wrap("sgd", learning_rate=0.05), run_eagerly=False)
    losses = problem.fit(model, epochs=5, callbacks=[callback])
    assert float(model.optimizer.learning_rate) == 0.0
    assert losses[1] != losses[0]
    assert losses[3] == pytest.approx(losses[4], rel=1e-6)


def test_training_stops_early_and_on_nan(problem):
    still = problem.compiled(keras, momentum(0.0))
    assert len(problem.fit(still, epochs=9, callbacks=[keras.callbacks.EarlyStopping("loss", patience=1)])) == 2
    wild = problem.compiled(keras, optreg.keras.wrap("sgd", learning_rate=1e30))
    assert len(problem.fit(wild, epochs=9, callbacks=[keras.callbacks.TerminateOnNaN()])) == 1


def test_backup_and_restore_continues_an_interrupted_training(problem, tmp_path):
    undisturbed = problem.fit(problem.compiled(keras, momentum()), epochs=4)
    problem.fit_interrupted(keras, problem.compiled(keras, momentum()), tmp_path, epochs=4)
    model = problem.compiled(keras, momentum())
    losses = problem.fit(model, epochs=4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])
    assert losses == undisturbed[2:]


def test_model_checkpoint_writes_models_that_continue(problem, tmp_path):
    callback = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    losses = problem.fit(problem.compiled(keras, momentum()), epochs=4, callbacks=[callback])
    assert problem.fit(keras.saving.load_model(tmp_path / "2.keras"), epochs=2) == losses[2:]


def test_model_checkpoint_writes_weights_files_that_continue(problem, tmp_path):
    callback = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    losses = problem.fit(problem.compiled(keras, momentum()), epochs=4, callbacks=[callback])
    fresh = problem.compiled(keras, momentum(0.5))
    fresh.load_weights(tmp_path / "2.weights.h5")
    assert problem.fit(fresh, epochs=2) == losses[2:]


# Saving


def test_a_saved_model_continues_exactly(problem, tmp_path):
    optimizer = optreg.keras.wrap("adam", learning_rate=0.02, clipnorm=0.5)
    model = problem.compiled(keras, optimizer, run_eagerly=False)
    problem.fit(model)
    model.optimizer.learning_rate = 0.01
    model.optimizer.beta_1 = 0.5
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.optimizer.wrapped.get_config() == model.optimizer.wrapped.get_config()
    assert loaded.optimizer.clipnorm == 0.5
    assert int(loaded.optimizer.iterations) == 12
    assert problem.fit(loaded) == problem.fit(model)


def test_a_schedule_and_registered_steps_are_saved_with_the_model(problem, tmp_path):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 13], [0.1, 0.05, 0.01])
    model = problem.compiled(keras, momentum(schedule))
    problem.fit(model)
    model.save(tmp_path / "m.keras")
    assert problem.fit(keras.saving.load_model(tmp_path / "m.keras")) == problem.fit(model)


def test_a_model_compiled_with_a_name_continues_exactly(problem, tmp_path):
    model = problem.compiled(keras, "optreg>rmsprop")
    problem.fit(model)
    model.save(tmp_path / "m.keras")
    assert problem.fit(keras.saving.load_model(tmp_path / "m.keras")) == problem.fit(model)


def test_mixed_precision_is_saved_with_its_loss_scale(problem, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    model = problem.compiled(keras, momentum())
    problem.fit(model)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer)
    assert problem.fit(loaded) == problem.fit(model)


@pytest.mark.parametrize("built", [True, False])
def test_weights_files_hold_the_state_too_and_wait_for_the_variables(problem, tmp_path, built):
    model = problem.compiled(keras, momentum(), run_eagerly=False)
    problem.fit(model)
    model.save_weights(tmp_path / "m.weights.h5")
    fresh = problem.compiled(keras, momentum(0.001), run_eagerly=False)
    if built:
        fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(tmp_path / "m.weights.h5")
    assert float(fresh.optimizer.learning_rate) == np.float32(0.05)
    assert int(fresh.optimizer.iterations) == 12
    assert problem.fit(fresh) == problem.fit(model)


@pytest.mark.filterwarnings("ignore:.*HDF5")
def test_the_hdf5_format_of_keras_2_continues_exactly(problem, tmp_path):
    model = problem.model(keras)
    model.compile(optimizer=momentum(), loss=keras.losses.MeanSquaredError(), run_eagerly=True)
    problem.fit(model)
    model.save(tmp_path / "m.h5")
    loaded = keras.saving.load_model(tmp_path / "m.h5")
    # The format forgets it, and a graph may fuse operations that round differently when they are apart.
    loaded.run_eagerly = True
    assert problem.fit(loaded) == problem.fit(model)


def test_state_of_another_optimizer_is_refused_with_lists_and_a_way_out(problem, tmp_path):
    model = problem.compiled(keras, keras.optimizers.Adam())
    problem.fit(model, epochs=1)
    model.save_weights(tmp_path / "keras.weights.h5")
    model = problem.compiled(keras, optreg.keras.wrap("adam"))
    problem.fit(model, epochs=1)
    model.save_weights(tmp_path / "adam.weights.h5")
    fresh = problem.compiled(keras, momentum())
    fresh.optimizer.build(fresh.trainable_variables)
    with pytest.raises(
        ValueError, match=r"(?s)missing.*unexpected: .*slots\['0'\]\['m'\].*load the weights before comp"
    ):
        fresh.load_weights(tmp_path / "adam.weights.h5")
    with pytest.raises(ValueError, match="load the weights before compile"):
        fresh.load_weights(tmp_path / "keras.weights.h5")
    assert not any(slot.any() for slot in fresh.optimizer.wrapped.get_weights())
    with pytest.warns(UserWarning, match="could not be loaded"):
        fresh.load_weights(tmp_path / "adam.weights.h5", skip_mismatch=True)


def test_a_tensorflow_checkpoint_restores_model_and_optimizer(problem, tmp_path):
    model = problem.compiled(keras, momentum())
    problem.fit(model)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(tmp_path / "c")
    names = {name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE") for name, _ in tf.train.list_variables(path)}
    assert {name for name in names if name.startswith("optimizer/")} == {
        f"optimizer/wrapped/{name}" for name in ("iter", "learning_rate", "decay", "momentum")
    }
    fresh = problem.compiled(keras, momentum(0.5))
    tf.train.Checkpoint(model=fresh, optimizer=fresh.optimizer).restore(path).assert_existing_objects_matched()
    assert problem.fit(fresh) == problem.fit(model)


def test_a_saved_model_of_tensorflow_predicts_and_keeps_the_whole_state_of_the_optimizer(problem, tmp_path):
    model = problem.compiled(keras, momentum())
    problem.fit(model, epochs=1)
    tf.saved_model.save(model, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    [predicted] = loaded.signatures["serving_default"](tf.constant(problem.x)).values()
    np.testing.assert_allclose(predicted, tf.function(model)(problem.x), rtol=1e-6)
    fresh, state = problem.compiled(keras, momentum(0.5)), exported_state_dict(loaded.optimizer.wrapped)
    fresh.set_weights(model.get_weights())
    fresh.optimizer.wrapped.load_state_dict(state, dict(zip(state["slots"], fresh.trainable_variables, strict=True)))
    assert problem.fit(fresh, epochs=1) == problem.fit(model, epochs=1)
    assert int(fresh.optimizer.iterations) == 8


def test_an_exported_model_predicts_and_keeps_nothing_of_the_optimizer(problem, tmp_path):
    model = problem.compiled(keras, momentum())
    problem.fit(model, epochs=1)
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(loaded.serve(problem.x), tf.function(model)(problem.x), rtol=1e-6)
    kept = {name.split("/")[0] for name, _ in tf.train.list_variables(tmp_path / "variables" / "variables")}
    assert kept == {"_CHECKPOINTABLE_OBJECT_GRAPH", "_all_variables", "variables"}


# Configurations


def test_keras_serializes_and_deserializes_the_adapter():
    adapter = optreg.keras.wrap("adam", learning_rate=0.25, global_clipnorm=2.0)
    config = keras.optimizers.serialize(adapter)
    assert json.loads(json.dumps(config)) == config
    again = keras.optimizers.deserialize(config)
    assert type(again) is type(adapter)
    assert again.wrapped.to_dict() == adapter.wrapped.to_dict()


class Homemade(optreg.Optimizer):
    """An optimizer that nobody registered."""

    def __init__(self, learning_rate=0.1, name="Homemade", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)

    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(self._decayed_lr(var.dtype) * grad)

    def get_config(self):
        return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}


def test_a_class_that_nobody_registered_is_found_among_imported_modules_and_custom_objects(problem, tmp_path):
    model = problem.compiled(keras, optreg.keras.wrap(Homemade(0.05)))
    problem.fit(model, epochs=1)
    model.save(tmp_path / "m.keras")
    with pytest.raises(optreg.InvalidConfig, match="Homemade.*import its module first, or pass custom_objects"):
        keras.saving.load_model(_in_module(tmp_path, "module_of_nobody"))
    loaded = keras.saving.load_model(_in_module(tmp_path, "module_of_nobody"), custom_objects={"Homemade": Homemade})
    assert type(loaded.optimizer.wrapped) is Homemade
    assert problem.fit(loaded) == problem.fit(model)


@pytest.mark.parametrize("registered", [False, True])
def test_a_class_inside_of_a_function_is_found_by_its_own_name_or_the_one_it_was_registered_under(
    problem, tmp_path, registered
):
    class Local(Homemade):
        pass

    if registered:
        keras.saving.register_keras_serializable(package="Tests")(Local)
    model = problem.compiled(keras, optreg.keras.wrap(Local(0.05)))
    problem.fit(model, epochs=1)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", custom_objects=None if registered else {"Local": Local})
    assert type(loaded.optimizer.wrapped) is Local
    assert problem.fit(loaded) == problem.fit(model)


def test_a_saved_model_imports_no_module_that_it_names(problem, tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    problem.compiled(keras, optreg.keras.wrap(Homemade())).save(tmp_path / "m.keras")
    with pytest.raises(optreg.InvalidConfig, match="trap:Homemade"):
        keras.saving.load_model(_in_module(tmp_path, "trap"))


def _in_module(folder, module):
    """Return a copy of m.keras in which the optimizer class is said to live in another module."""
    with zipfile.ZipFile(folder / "m.keras") as source, zipfile.ZipFile(folder / "changed.keras", "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                data = data.decode().replace(f"{Homemade.__module__}:Homemade", f"{module}:Homemade").encode()
            target.writestr(name, data)
    return folder / "changed.keras"
