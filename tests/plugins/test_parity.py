"""Every optimizer of the legacy namespace against that of tf_keras in the same process, over 200 steps.

Where both call the same kernel with the same scalars, weights are equal to the bit. Elsewhere the case says how far
they may be apart, in units of the precision of the dtype, and why.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tests.plugins.transcriptions import FAMILY, Transcription

import optreg.legacy

STEPS = 200
SHAPES = {"matrix": (4, 3), "scalar": (), "table": (10, 2)}
ROWS = 5  # in each sparse gradient
SAME_KERNEL = 0
REORDERED = 20
"""The same operations in another order: each rounds by half a unit, 200 steps of them drift apart by a few units."""


class Case(NamedTuple):
    """Options of one class, and how far dense and sparse updates may be from tf_keras.

    ``sixteen``: ``"same"`` if 16-bit weights are as near as others, ``"near"`` if only coefficients are rounded in
    another way, ``"wide"`` if ours are updated in float32, which NumPy judges instead of tf_keras. ``mixes``: whether
    tf_keras's class takes variables of several dtypes.
    """

    kind: str
    options: dict[str, Any]
    dense: int = SAME_KERNEL
    sparse: int = SAME_KERNEL
    sixteen: str = "same"
    complex: int = SAME_KERNEL
    double: str = "float64"
    mixes: bool = True


# Adam's sparse gradients go through the dense kernel, tf_keras's through unfused operations. Complex coefficients are
# rounded after real arithmetic, those of tf_keras are computed as complex numbers.
ADAM = {"sparse": REORDERED, "sixteen": "wide", "complex": REORDERED}
# Kernels with slots of the dtype of the weights, which overflow in 16 bits: there ours do without.
FUSED = {"sixteen": "wide"}
# One order of operations for plain and centered, and room for a kernel of our own.
RMSPROP = {"dense": REORDERED, "sparse": REORDERED, "sixteen": "wide"}
# The kernel is the same, but its coefficients are computed in float32 for float16. Sparse rows are unfused in both.
ADAMAX = {"sparse": REORDERED, "sixteen": "near"}
# tf_keras rounds the base 0.96 of the momentum schedule to float32 also for double weights, and multiplies the
# schedule on for variables of the first dtype only.
NADAM = {"dense": REORDERED, "sparse": REORDERED, "sixteen": "wide", "double": "float32", "mixes": False}

CASES = {
    "sgd": Case("SGD", {"learning_rate": 0.05}),
    "momentum": Case("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": Case("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": Case("Adam", {"learning_rate": 0.02}, **ADAM),
    "adam short memory": Case("Adam", {"learning_rate": 0.02, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, **ADAM),
    "amsgrad": Case("Adam", {"learning_rate": 0.02, "amsgrad": True, "epsilon": 1e-5}, **ADAM),
    "rmsprop": Case("RMSprop", {"learning_rate": 0.02}, **RMSPROP),
    "rmsprop centered": Case("RMSprop", {"learning_rate": 0.02, "centered": True, "epsilon": 1e-3}, **RMSPROP),
    "rmsprop momentum": Case("RMSprop", {"learning_rate": 0.02, "momentum": 0.5, "rho": 0.8}, sixteen="wide"),
    "rmsprop all": Case(
        "RMSprop", {"learning_rate": 0.02, "momentum": 0.5, "centered": True, "rho": 0.8, "epsilon": 1e-3}, **RMSPROP
    ),
    "adagrad": Case("Adagrad", {"learning_rate": 0.1}, **FUSED),
    "adagrad start": Case(
        "Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 1e-3}, **FUSED
    ),
    "adadelta": Case("Adadelta", {"learning_rate": 1.0}, **FUSED),
    "adadelta short memory": Case("Adadelta", {"learning_rate": 1.0, "rho": 0.75, "epsilon": 1e-3}, **FUSED),
    "adamax": Case("Adamax", {"learning_rate": 0.02}, **ADAMAX),
    "adamax short": Case("Adamax", {"learning_rate": 0.02, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, **ADAMAX),
    "nadam": Case("Nadam", {"learning_rate": 0.02}, **NADAM),
    "nadam fast schedule": Case(
        "Nadam", {"learning_rate": 0.02, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "schedule_decay": 0.25}, **NADAM
    ),
    "ftrl": Case("Ftrl", {"learning_rate": 0.1}, **FUSED),
    "ftrl penalties": Case(
        "Ftrl",
        {"learning_rate": 0.1, "l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1, "beta": 0.5},
        **FUSED,
    ),
    # 2**-5, because tf_keras rounds the shrinkage to float32 also for float64 weights.
    "ftrl shrinkage": Case(
        "Ftrl",
        {"learning_rate": 0.1, "l2_shrinkage_regularization_strength": 2**-5, "learning_rate_power": -0.25},
        **FUSED,
    ),
    "ftrl constant": Case(
        "Ftrl", {"learning_rate": 0.1, "learning_rate_power": 0.0, "initial_accumulator_value": 0.5}, **FUSED
    ),
}
FIRST = {case.kind: case for case in reversed(CASES.values())}
"""The first case of each class."""


class Problem:
    """Starting values and 200 gradients of one dtype; ``repeated`` lets sparse gradients hold rows more than once."""

    def __init__(self, dtype: str, *, repeated: bool = True, seed: int = 5) -> None:
        random = np.random.default_rng(seed)

        def normal(shape: tuple[int, ...]) -> Any:
            values = random.normal(size=shape)
            values = values + 1j * random.normal(size=shape) if dtype.startswith("complex") else values
            return tf.cast(tf.constant(values), dtype)

        self.dtype = dtype
        self.start = {name: normal(shape) for name, shape in SHAPES.items()}
        self.dense = {name: normal((STEPS, *SHAPES[name])) for name in ("matrix", "scalar")}
        self.rows = normal((STEPS, ROWS, 2))
        indices = [random.choice(8, ROWS, replace=repeated) for _ in range(STEPS)]  # rows 8 and 9 are never there
        self.indices = tf.constant(np.array(indices))

    def variables(self) -> dict[str, tf.Variable]:
        return {name: tf.Variable(value) for name, value in self.start.items()}

    def gradients(self, step: int) -> dict[str, Any]:
        """What ``Transcription.apply`` takes, in float64."""
        dense = {name: np.float64(values[step]) for name, values in self.dense.items()}
        return {**dense, "table": (np.float64(self.rows[step]), self.indices[step].numpy())}

    def pairs(self, step: Any, variables: dict[str, tf.Variable]) -> list[tuple[Any, tf.Variable]]:
        table = tf.IndexedSlices(self.rows[step], self.indices[step], tf.constant(SHAPES["table"], tf.int64))
        gradients = {name: values[step] for name, values in self.dense.items()} | {"table": table}
        return [(gradients[name], variable) for name, variable in variables.items()]


def build(kind: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """Return (ours, theirs)."""
    return getattr(optreg.legacy, kind)(**options), getattr(tf_keras.optimizers.legacy, kind)(**options)


def with_state(optimizer: Any, variables: dict[str, tf.Variable]) -> Any:
    """Create the state before anything is traced; a function that creates variables is traced twice."""
    optimizer._create_all_weights(list(variables.values()))
    return optimizer


def train(step: Any, *, graph: bool, first: int = 0, last: int = STEPS) -> None:
    """Call ``step(number)`` for a range of steps, one by one or in the loop of one graph."""
    if graph:

        @tf.function
        def loop() -> None:
            for number in tf.range(first, last):
                step(number)

        loop()
    else:
        for number in range(first, last):
            step(number)


def precision(dtype: str) -> float:
    # NumPy has no finfo of bfloat16, which keeps 8 bits.
    return 2.0**-7 if dtype == "bfloat16" else float(np.finfo(tf.as_dtype(dtype).as_numpy_dtype).eps)


def assert_near(ours: Any, theirs: Any, units: int, *, dtype: str, message: str) -> None:
    """Equal to the bit for 0 units, else within that many units of precision, of 1 or of the value if larger."""
    ours, theirs = ours.numpy(), theirs.numpy()
    if units == SAME_KERNEL:
        np.testing.assert_array_equal(ours, theirs, err_msg=message)
    else:
        tolerance = units * precision(dtype)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=message)


def allowed(case: Case, dtype: str, name: str) -> int:
    """How many units of precision a variable of this dtype may differ by."""
    units = [case.sparse if name == "table" else case.dense]
    units += [case.complex] if dtype.startswith("complex") else []
    units += [REORDERED] if case.sixteen == "near" and dtype == "float16" else []
    return max(units)


def assert_all_near(case: Case, problem: Problem, mine: dict[str, tf.Variable], others: dict[str, tf.Variable]) -> None:
    """Compare all variables of one dtype."""
    measured_in = case.double if problem.dtype in {"float64", "complex128"} else problem.dtype
    for name, ours in mine.items():
        units = allowed(case, problem.dtype, name)
        assert_near(ours, others[name], units, dtype=measured_in, message=f"{name} of {problem.dtype}")


def assert_same_state(ours: Any, theirs: Any, *, dtype: str) -> None:
    """Compare iterations and slots, in the order of ``get_weights``."""
    tolerance = REORDERED * precision(dtype)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


def test_every_class_and_every_hyperparameter_is_varied_by_some_case():
    assert set(FIRST) == set(FAMILY)
    for kind, entry in FAMILY.items():
        varied = {name for case in CASES.values() if case.kind == kind for name in case.options}
        assert set(entry.declared.ranges) == varied, kind


def dtypes_of(case: Case) -> list[str]:
    """The dtypes to compare a case in: all that both update alike where kernels are others, else the most precise."""
    if case is not FIRST[case.kind] and "momentum" not in case.options:
        return ["float64"]
    sixteen = () if case.sixteen == "wide" else ("bfloat16", "float16")
    declared = FAMILY[case.kind].declared.given(case.options).dtypes
    return [dtype for dtype in declared if tf.as_dtype(dtype).size > 2 or dtype in sixteen]


@pytest.mark.parametrize("name", CASES)
def test_two_hundred_steps_in_a_graph_equal_those_of_tf_keras(name):
    case = CASES[name]
    problems = [Problem(dtype) for dtype in dtypes_of(case)]
    mine = [problem.variables() for problem in problems]
    others = [problem.variables() for problem in problems]
    ours, theirs = build(case.kind, case.options)
    references = [theirs if case.mixes else build(case.kind, case.options)[1] for _ in problems]

    def all_pairs(number: Any, held: list[dict[str, tf.Variable]]) -> list[Any]:
        return [pair for problem, own in zip(problems, held, strict=True) for pair in problem.pairs(number, own)]

    def step(number: Any) -> None:
        # One optimizer of ours holds the variables of all dtypes.
        ours.apply_gradients(all_pairs(number, mine))
        if case.mixes:
            theirs.apply_gradients(all_pairs(number, others))
        else:
            for problem, reference, own in zip(problems, references, others, strict=True):
                reference.apply_gradients(problem.pairs(number, own))

    for held, other, reference in zip(mine, others, references, strict=True):
        with_state(ours, held)
        with_state(reference, other)
    train(step, graph=True)
    for problem, held, other in zip(problems, mine, others, strict=True):
        assert_all_near(case, problem, held, other)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "rmsprop all", "nadam", "adagrad", "adadelta"])
def test_sixteen_bit_weights_follow_the_rule_and_each_step_more_closely_than_in_tf_keras(name):
    case = CASES[name]
    assert case.sixteen == "wide"
    # Rows do not repeat, because their sum would be rounded to 16 bits before any optimizer sees it.
    problems = [Problem(dtype, repeated=False) for dtype in ("float16", "bfloat16")]
    sides = [build(case.kind, case.options) for _ in problems]
    held = [(problem.variables(), problem.variables()) for problem in problems]
    if case.options.get("momentum"):
        del held[1][1]["table"]  # TensorFlow has no such sparse kernel for bfloat16; ours does without
    step = traced(problems, sides, held)
    step(0, STEPS - 1)
    rules = [transcribed(ours, problem) for problem, (ours, _) in zip(problems, sides, strict=True)]
    for problem, rule, (mine, _) in zip(problems, rules, held, strict=True):
        for key, weight in mine.items():
            # Each write rounds a weight by up to half a unit of its size, up or down: a random walk.
            bound = np.sqrt(STEPS) * precision(problem.dtype) * np.maximum(1.0, np.abs(rule.value(key)))
            np.testing.assert_array_less(np.abs(np.float64(weight) - rule.value(key)), bound)
    for variable in (variable for pair in held for own in pair for variable in own.values()):
        variable.assign(tf.zeros_like(variable))  # what the last step writes is then that step, rounded once
    step(STEPS - 1, STEPS)
    for problem, rule, (mine, others) in zip(problems, rules, held, strict=True):
        before = {key: rule.value(key) for key in mine}
        rule.apply(problem.gradients(STEPS - 1))
        moved = {key: rule.value(key) - before[key] for key in mine}
        for key, weight in mine.items():
            # Half a unit, and a little for the arithmetic in float32; or half the smallest number of float16.
            tolerance = {"rtol": 0.51 * precision(problem.dtype), "atol": 2.0**-25}
            np.testing.assert_allclose(np.float64(weight), moved[key], **tolerance, err_msg=f"{key} of {problem.dtype}")
        errors = [sum(np.abs(np.float64(own[key]) - moved[key]).sum() for key in others) for own in (mine, others)]
        assert errors[0] < np.nan_to_num(errors[1], nan=np.inf), problem.dtype


@pytest.mark.parametrize("name", ["ftrl", "ftrl penalties", "ftrl shrinkage"])
def test_sixteen_bit_weights_of_ftrl_are_those_of_the_rule_rounded_after_each_step(name):
    """Ftrl takes no step from the weights but writes them from its state, which has felt all that they were before."""
    case, problems = CASES[name], [Problem(dtype, repeated=False) for dtype in ("float16", "bfloat16")]
    sides = [build(case.kind, case.options) for _ in problems]
    held = [(problem.variables(), problem.variables()) for problem in problems]
    traced(problems, sides, held)(0, STEPS)
    for problem, (ours, _), (mine, others) in zip(problems, sides, held, strict=True):
        start = {key: np.float64(value) for key, value in problem.start.items()}
        rule = Transcription(ours, start, stored=tf.as_dtype(problem.dtype).as_numpy_dtype)
        for number in range(STEPS):
            rule.apply(problem.gradients(number))
        for key, weight in mine.items():
            # A sum near the middle of two numbers may round to either.
            unit = precision(problem.dtype) * np.abs(rule.value(key))
            np.testing.assert_array_less(np.abs(np.float64(weight) - rule.value(key)), unit + 1e-6)
        errors = [sum(np.abs(np.float64(own[key]) - rule.value(key)).sum() for key in others) for own in (mine, others)]
        assert 10 * errors[0] < errors[1], problem.dtype


def transcribed(optimizer: Any, problem: Problem) -> Transcription:
    """All steps but the last in float64, from the values that the 16-bit problem holds exactly."""
    rule = Transcription(optimizer, {key: np.float64(value) for key, value in problem.start.items()})
    for number in range(STEPS - 1):
        rule.apply(problem.gradients(number))
    return rule


def traced(problems: list[Problem], sides: list[Any], held: list[Any]) -> Any:
    """Return a traced function of (first, last) that trains, for each problem, both optimizers on variables of each."""
    runs = [
        (problem, optimizer, own)
        for problem, pair, variables in zip(problems, sides, held, strict=True)
        for optimizer, own in zip(pair, variables, strict=True)
    ]
    for _, optimizer, own in runs:
        with_state(optimizer, own)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)] * 2)
    def steps(first: Any, last: Any) -> None:
        for number in tf.range(first, last):
            for problem, optimizer, own in runs:
                optimizer.apply_gradients(problem.pairs(number, own))

    return steps


def schedule() -> Any:
    return tf_keras.optimizers.schedules.PolynomialDecay(0.1, 150, 0.01, power=2.0)


OPTIONS_OF_THE_BASE = {
    "schedule and decay": ("float64", lambda: {"learning_rate": schedule(), "decay": 0.01}),
    "clipvalue and clipnorm": ("float32", lambda: {"clipvalue": 0.8, "clipnorm": 1.0}),
    "clipvalue and global_clipnorm": ("float32", lambda: {"clipvalue": 0.8, "global_clipnorm": 1.5}),
}


# Nadam is left out of the first: tf_keras's refuses a schedule and ignores the decay. Ours follows both, which
# test_defects_of_keras_29 shows.
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, "schedule and decay") for kind in FAMILY if kind != "Nadam"),
        *((kind, "clipvalue and global_clipnorm") for kind in FAMILY),
        *((kind, "clipvalue and clipnorm") for kind in FAMILY),
    ],
)
def test_an_option_of_the_base_acts_as_in_tf_keras(kind, options):
    case = FIRST[kind]
    dtype, given = OPTIONS_OF_THE_BASE[options]
    # Rows that repeat are left out where gradients are clipped: tf_keras clips them before they are summed.
    problem = Problem(dtype, repeated="clip" not in options)
    mine, others, without = (problem.variables() for _ in range(3))
    optimizers = (*build(kind, {**case.options, **given()}), build(kind, case.options)[0])
    traced([problem], [optimizers], [(mine, others, without)])(0, STEPS)
    assert_all_near(case, problem, mine, others)
    assert_same_state(*optimizers[:2], dtype=dtype)
    assert np.any(without["matrix"].numpy() != mine["matrix"].numpy())


@pytest.mark.parametrize("kind", FAMILY)
def test_a_learning_rate_changed_on_the_way_acts_as_in_tf_keras(kind):
    case, problem = FIRST[kind], Problem("float32")
    sides, held = build(kind, case.options), (problem.variables(), problem.variables())
    step = traced([problem], [sides], [held])
    step(0, STEPS // 2)
    halfway = held[0]["matrix"].numpy()
    for optimizer in sides:
        optimizer.learning_rate = 0.5 * float(optimizer.learning_rate)
    step(STEPS // 2, STEPS)
    assert step.experimental_get_tracing_count() == 1
    assert not np.array_equal(held[0]["matrix"].numpy(), halfway)
    assert_all_near(case, problem, *held)


PHASES = [
    (0.25, ("matrix",)),
    (0.5, ("matrix", "table")),  # one joins
    (0.75, ("table",)),  # one is missing for some steps
    (1.0, ("table", "scalar", "matrix")),  # another joins, in another order
]


# Every class for some eager steps, and two of them for all, eagerly and in graphs.
@pytest.mark.parametrize(
    ("kind", "steps", "graph"),
    [*((kind, 20, False) for kind in FAMILY), *((kind, STEPS, graph) for kind in ("SGD", "Adam") for graph in (0, 1))],
)
def test_variables_may_join_and_be_missing_as_in_tf_keras(kind, steps, graph):
    case, problem = FIRST[kind], Problem("float32")
    sides, held = build(kind, case.options), (problem.variables(), problem.variables())
    first = 0
    for share, names in PHASES:

        def step(number: Any, names: tuple[str, ...] = names) -> None:
            for optimizer, own in zip(sides, held, strict=True):
                optimizer.apply_gradients(problem.pairs(number, {name: own[name] for name in names}))

        train(step, graph=graph, first=first, last=int(share * steps))
        first = int(share * steps)
    assert_all_near(case, problem, *held)
    assert_same_state(*sides, dtype="float32")


@pytest.mark.parametrize("kind", FAMILY)
def test_a_gradient_of_none_leaves_a_variable_as_in_tf_keras(kind):
    problem = Problem("float32")
    sides, held = build(kind, FIRST[kind].options), (problem.variables(), problem.variables())
    for number in range(4):
        for optimizer, own in zip(sides, held, strict=True):
            pairs = problem.pairs(number, own)
            if number % 2:
                pairs[1] = (None, own["scalar"])
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "no gradient for the variables")
                optimizer.apply_gradients(pairs)
    assert_all_near(FIRST[kind], problem, *held)
