"""The registered gradient transformers against NumPy, dense and sparse, and wherever an optimizer takes them."""

from __future__ import annotations

import copy
import doctest
import importlib
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

import optreg
from optreg.registry import default_registry

SHAPES = {"dense": (4, 3), "conv": (3, 3, 2, 5), "depthwise": (3, 3, 4, 2), "bias": (5,), "scalar": (), "empty": (0, 3)}
ROWS, REPEATED = (6, 3), [1, 4, 1, 5]
COMPLEX = ("complex64", "complex128")


def norm(array, axes=None):
    return np.sqrt(np.sum(np.abs(array) ** 2, axis=axes, keepdims=axes is not None))


def units(array):
    """All axes but the last, the output of Keras kernels; vectors and scalars are one unit."""
    return tuple(range(array.ndim - 1)) if array.ndim > 1 else None


def clip_by_norm(g, w, limit):
    return g * min(1.0, limit / norm(g)) if norm(g) else g


def clip_by_block_rms(g, w, limit):
    return g / max(1.0, np.sqrt(np.mean(np.abs(g) ** 2)) / limit) if g.size else g


def adaptive_clip(g, w, clipping=0.01, epsilon=1e-3):
    largest = clipping * np.maximum(norm(w, units(w)), epsilon)
    size = norm(g, units(g))
    return np.where(size > largest, g * largest / np.maximum(size, 1e-6), g)


def centralize(g, w):
    return g - g.mean(axis=units(g), keepdims=True) if g.ndim > 1 and g.size else g


NUMPY = {
    ("clip_by_value", (("limit", 0.3),)): lambda g, w: np.clip(g, -0.3, 0.3),
    ("clip_by_norm", (("limit", 0.7),)): lambda g, w: clip_by_norm(g, w, 0.7),
    ("clip_by_norm", (("limit", 0.0),)): lambda g, w: 0.0 * g,
    ("clip_by_block_rms", (("limit", 0.2),)): lambda g, w: clip_by_block_rms(g, w, 0.2),
    ("adaptive_clip", ()): adaptive_clip,
    ("adaptive_clip", (("clipping", 0.6), ("epsilon", 0.2))): lambda g, w: adaptive_clip(g, w, 0.6, 0.2),
    ("centralize", ()): centralize,
    ("zero_nonfinite", ()): lambda g, w: np.where(np.isfinite(g), g, 0.0),
    ("l2", (("strength", 0.3),)): lambda g, w: g + 0.3 * w,
    ("normalize", ()): lambda g, w: g / (norm(g) + 1e-7),
}
CASES = pytest.mark.parametrize(("name", "arguments"), NUMPY, ids=str)


def numbers(shape, dtype, seed):
    random = np.random.default_rng(seed)
    value = random.normal(size=shape)
    return value + 1j * random.normal(size=shape) if dtype in COMPLEX else value


def transformed(steps, variables, gradients, *, graph=False, jit=False):
    """Return by how much SGD with learning rate 1 moves each variable."""
    optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=steps)
    before = [variable.numpy().astype("complex128") for variable in variables]

    def step():
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    optimizer.build(variables)
    (tf.function(step, jit_compile=jit) if graph else step)()
    moves = [b - variable.numpy().astype("complex128") for b, variable in zip(before, variables, strict=True)]
    return [move if variable.dtype.is_complex else move.real for move, variable in zip(moves, variables, strict=True)]


@CASES
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_each_does_what_its_rule_says_on_kernels_biases_and_scalars(name, arguments, dtype):
    if dtype not in default_registry().optimizer_info(name, kind="transformer").declared.dtypes:
        pytest.skip("not declared; its refusal is tested below")
    values = [numbers(shape, dtype, 1) for shape in SHAPES.values()]
    gradients = [numbers(shape, dtype, 2) for shape in SHAPES.values()]
    moves = transformed(
        [(name, dict(arguments))],
        [tf.Variable(v, dtype=dtype) for v in values],
        [tf.constant(g, dtype) for g in gradients],
    )
    for move, gradient, value in zip(moves, gradients, values, strict=True):
        np.testing.assert_allclose(move, NUMPY[name, arguments](gradient, value), rtol=1e-12, atol=1e-12)


def test_the_global_norm_is_over_all_variables():
    values = [numbers(shape, "float64", 1) for shape in SHAPES.values()]
    gradients = [numbers(shape, "float64", 2) for shape in SHAPES.values()]
    moves = transformed(
        [("clip_by_global_norm", {"limit": 2.0})], [tf.Variable(v) for v in values], [tf.constant(g) for g in gradients]
    )
    factor = 2.0 / np.sqrt(sum(norm(gradient) ** 2 for gradient in gradients))
    for move, gradient in zip(moves, gradients, strict=True):
        np.testing.assert_allclose(move, factor * gradient, rtol=1e-12, atol=1e-14)


@CASES
def test_sparse_gradients_do_as_declared_with_repeated_rows_summed(name, arguments):
    table, rows = numbers(ROWS, "float64", 3), numbers((4, 3), "float64", 4)
    dense = np.zeros(ROWS)
    np.add.at(dense, REPEATED, rows)
    slices = tf.IndexedSlices(tf.constant(rows), tf.constant(REPEATED), tf.constant(ROWS))
    [move] = transformed([(name, dict(arguments))], [tf.Variable(table)], [slices])
    expected = NUMPY[name, arguments](dense, table)
    if default_registry().optimizer_info(name, kind="transformer").declared.sparse == "lazy":
        expected = dense if name == "centralize" else np.where(np.isin(np.arange(6), REPEATED)[:, None], expected, 0.0)
    np.testing.assert_allclose(move, expected, rtol=1e-12, atol=1e-12)


@CASES
@pytest.mark.parametrize("jit", [False, True])
def test_graphs_and_xla_give_the_same_as_eager_steps(name, arguments, jit):
    moves = []
    for graph in (False, True):
        values = [tf.Variable(numbers(shape, "float32", 1), dtype="float32") for shape in SHAPES.values()]
        gradients = [tf.constant(numbers(shape, "float32", 2), "float32") for shape in SHAPES.values()]
        moves.append(transformed([(name, dict(arguments))], values, gradients, graph=graph, jit=jit))
    for received, expected in zip(moves[1], moves[0], strict=True):
        np.testing.assert_allclose(received, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@CASES
def test_16_bit_gradients_are_measured_in_float32(name, arguments, dtype):
    gradient = tf.cast(tf.fill((30, 30), 300.0), dtype)  # whose squares are infinite in float16
    weights = tf.Variable(tf.ones((30, 30), dtype))
    [move] = transformed([(name, dict(arguments))], [weights], [gradient])
    wide, ones = gradient.numpy().astype("float64"), np.ones((30, 30))
    # The weights end up rounded to the dtype, and so does the step.
    expected = 1.0 - tf.cast(1.0 - NUMPY[name, arguments](wide, ones), dtype).numpy().astype("float64")
    np.testing.assert_allclose(move, expected, rtol=0.02, atol=0.02)
    assert np.isfinite(move).all()


def test_the_last_axis_of_a_keras_kernel_is_its_output():
    layers = {
        "dense": keras.layers.Dense(5),
        "conv": keras.layers.Conv2D(5, 3),
        "embedding": keras.layers.Embedding(7, 5),
    }
    layers["dense"].build((None, 3))
    layers["conv"].build((None, 8, 8, 2))
    layers["embedding"].build()
    for layer in layers.values():
        variable = layer.trainable_variables[0].value
        assert variable.shape[-1] == 5
        [move] = transformed(["centralize"], [variable], [tf.random.stateless_normal(variable.shape, (1, 2))])
        np.testing.assert_allclose(move.sum(axis=tuple(range(variable.shape.rank - 1))), np.zeros(5), atol=1e-5)


def noisy(*, steps, shapes=((300, 40), (300, 40)), dtype="float64", seed=7, optimizer=None, graph=False):
    """Return the noise of each step on each variable."""
    step = ("noise", {"eta": 0.25, "gamma": 0.5, "seed": seed})
    optimizer = optimizer or optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
    found = []
    for _ in range(steps):
        variables = [tf.Variable(tf.zeros(shape, dtype)) for shape in shapes]

        def run(variables=variables):
            optimizer.apply_gradients([(tf.zeros_like(variable), variable) for variable in variables])

        optimizer.build(variables)
        (tf.function(run) if graph else run)()
        found.append([-variable.numpy() for variable in variables])
    return found


def test_noise_has_the_variance_of_the_paper_and_differs_between_steps_and_variables():
    steps = noisy(steps=3)
    for number, (first, second) in enumerate(steps):
        expected = 0.25 / (1 + number) ** 0.5
        # 12,000 draws: the variance is known to 1.3 %, the mean to 1 % of the deviation.
        assert abs(first.var() / expected - 1.0) < 0.06
        assert abs(first.mean()) < 0.05
        assert not np.isclose(first, second).mean() > 0.01
    assert abs(np.corrcoef(steps[0][0].ravel(), steps[1][0].ravel())[0, 1]) < 0.05


def test_noise_depends_on_seed_and_step_alone_and_a_restart_goes_on():
    once = noisy(steps=3)
    np.testing.assert_array_equal(noisy(steps=3, graph=True), once)
    assert not np.array_equal(noisy(steps=1, seed=8)[0][0], once[0][0])
    step = ("noise", {"eta": 0.25, "gamma": 0.5, "seed": 7})
    restarted = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
    restarted.iterations.assign(2)
    np.testing.assert_array_equal(noisy(steps=1, optimizer=restarted)[0], once[2])


def test_noise_compiled_by_xla_is_as_strong_and_can_be_repeated():
    made = []
    for _ in range(2):
        step = ("noise", {"eta": 0.25, "seed": 7})
        optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
        variable = tf.Variable(tf.zeros((300, 40)))
        optimizer.build([variable])

        @tf.function(jit_compile=True)
        def step(optimizer=optimizer, variable=variable):
            optimizer.apply_gradients([(tf.zeros_like(variable), variable)])

        step()
        made.append(variable.numpy())
    np.testing.assert_array_equal(made[1], made[0])
    assert abs(made[0].var() / 0.25 - 1.0) < 0.06


def test_a_variable_paired_twice_has_each_gradient_clipped_on_its_own():
    for options in ({"clipnorm": 1.0}, {"gradient_transformers": [("clip_by_norm", {"limit": 1.0})]}):
        variable = tf.Variable([0.0, 0.0])
        pairs = [(tf.constant([3.0, 0.0]), variable), (tf.constant([0.0, 4.0]), variable)]
        optreg.get_optimizer("sgd", learning_rate=1.0, **options).apply_gradients(pairs)
        np.testing.assert_array_equal(variable.numpy(), [-1.0, -1.0])


@pytest.mark.parametrize("name", ["adaptive_clip", "centralize"])
def test_a_variable_whose_number_of_axes_is_unknown_is_refused_by_what_needs_it(name):
    variable = tf.Variable(tf.ones((2, 2)), shape=tf.TensorShape(None), name="loose")
    optimizer = optreg.get_optimizer("sgd", gradient_transformers=[name])
    with pytest.raises(optreg.InvalidVariable, match="'loose' has an unknown number of axes"):
        optimizer.apply_gradients([(tf.ones((2, 2)), variable)])


def test_noise_is_the_same_in_every_replica():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        variable = tf.Variable(tf.zeros((40, 3)))
        optimizer = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=["noise"])
    strategy.run(lambda: optimizer.apply_gradients([(tf.zeros((40, 3)), variable)]))
    first, second = (copy.numpy() for copy in variable.values)
    assert first.std() > 0.1
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["l2", "adaptive_clip", "centralize"])
def test_excluded_variables_are_left_alone(name):
    arguments = {"exclude": ["bias$"]} | ({"strength": 1.0} if name == "l2" else {})
    kernel, bias = tf.Variable(tf.ones((2, 2)), name="kernel"), tf.Variable(tf.ones((2, 2)), name="bias")
    moves = transformed([(name, arguments)], [kernel, bias], [tf.ones((2, 2)), tf.ones((2, 2))])
    assert not np.allclose(moves[0], 1.0)
    np.testing.assert_array_equal(moves[1], np.ones((2, 2)))


def test_they_run_in_the_order_given():
    variable, gradient = [tf.Variable([0.0])], [tf.constant([8.0])]
    clipped_first = [("clip_by_value", {"limit": 1.0}), "normalize"]
    assert transformed(["normalize", ("clip_by_value", {"limit": 0.5})], variable, gradient)[0] == [0.5]
    assert transformed(clipped_first, variable, gradient)[0] == pytest.approx([1.0])


STEPS = [
    ("adaptive_clip", {"clipping": 0.1, "exclude": ["bias"]}),
    "centralize",
    ("noise", {"seed": 3}),
    ("l2", {"strength": 0.5}),
]


def test_configuration_pickle_and_copies_keep_them():
    original = optreg.get_optimizer(
        "adam", gradient_transformers=STEPS, gradient_aggregator=("trimmed_mean", {"trim": 0.1})
    )
    written = json.loads(json.dumps(original.to_dict()))
    assert written["config"]["gradient_aggregator"] == ["trimmed_mean", {"trim": 0.1}]
    gradient = tf.random.stateless_normal((4, 3), (1, 2))
    results = []
    for optimizer in (
        original,
        optreg.get_optimizer(written),
        pickle.loads(pickle.dumps(original)),
        copy.deepcopy(original),
    ):
        variable = tf.Variable(tf.ones((4, 3)), name="kernel")
        optimizer.apply_gradients([(gradient, variable)])
        results.append(variable.numpy())
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_a_keras_model_is_saved_and_loaded_with_them(tmp_path):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile(optreg.keras.wrap("sgd", gradient_transformers=STEPS[:2]), loss="mse", run_eagerly=True)
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    given = [step if isinstance(step, str) else list(step) for step in STEPS[:2]]
    assert [
        step if isinstance(step, str) else list(step) for step in loaded.optimizer.wrapped.gradient_transformers
    ] == given


@pytest.mark.parametrize(
    ("step", "error", "told"),
    [
        (("clip_by_norm", {}), optreg.HyperparameterTypeError, "ClipByNorm: argument 'limit' is required"),
        (
            ("clip_by_norm", {"limit": -1.0}),
            optreg.InvalidHyperparameter,
            r"ClipByNorm: limit must be in \[0, inf\), re",
        ),
        (("clip_by_norm", {"limit": "big"}), optreg.HyperparameterTypeError, "ClipByNorm: limit must be a number"),
        (("clip_by_norm", {"limt": 1.0}), optreg.UnknownHyperparameter, "Did you mean 'limit'"),
        (("noise", {"seed": 1.5}), optreg.HyperparameterTypeError, "Noise: seed must be an integer, received 1.5"),
        (("noise", {"eta": lambda: 1.0}), optreg.HyperparameterTypeError, "Noise: eta must be a number"),
        (("l2", {"strength": 1.0, "exclude": [3]}), optreg.HyperparameterTypeError, "L2: exclude must be regular"),
        (("l2", {"strength": 1.0, "exclude": "("}), optreg.InvalidHyperparameter, "L2: exclude holds no regular"),
        ("clip_by_nrm", LookupError, "no transformer 'clip_by_nrm'. Did you mean 'clip_by_norm'"),
        ("mean", LookupError, "no transformer 'mean'"),
    ],
)
def test_bad_arguments_are_told_when_the_optimizer_is_built(step, error, told):
    with pytest.raises(error, match=told):
        optreg.get_optimizer("sgd", gradient_transformers=[step])


def test_a_dtype_that_is_not_declared_is_refused_and_nothing_moves():
    variable = tf.Variable([1j, 2.0], dtype="complex64", name="w")
    optimizer = optreg.get_optimizer("sgd", gradient_transformers=[("clip_by_value", {"limit": 1.0})])
    with pytest.raises(optreg.InvalidGradients, match="ClipByValue takes gradients of .* that of 'w' is complex64"):
        optimizer.apply_gradients([(variable.value(), variable)])
    np.testing.assert_array_equal(variable.numpy(), [1j, 2.0])
    assert optimizer.iterations == 0


@pytest.mark.parametrize("entry", default_registry().entries(kind="transformer"), ids=lambda entry: entry.name)
def test_the_example_of_each_prints_what_it_says(entry):
    if entry.built_in:
        module = importlib.import_module(entry.target.partition(":")[0])
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted >= 4


def test_the_reference_covers_every_built_in_one():
    tested = {name for name, _ in NUMPY} | {"clip_by_global_norm", "noise"}
    assert {entry.name for entry in default_registry().entries(kind="transformer") if entry.built_in} == tested
