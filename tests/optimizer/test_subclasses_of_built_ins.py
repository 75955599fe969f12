"""Classes derived from a built-in optimizer, as they were written for Keras 2.9, train as they do on tf_keras.

Each class is made twice from one text, once on tf_keras's optimizer and once on ours.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
import optreg.legacy

KERAS = tf_keras.optimizers.legacy


def decaying(base):
    """Weight decay before the step, of all rows for a dense gradient and of the rows present for a sparse one."""

    class Decaying(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            with tf.control_dependencies([var.assign_sub(0.125 * var)]):
                return super()._resource_apply_dense(grad, var, apply_state=apply_state)

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            rows = -0.125 * tf.gather(var, indices)
            with tf.control_dependencies([self._resource_scatter_add(var, indices, rows)]):
                return super()._resource_apply_sparse(grad, var, indices, apply_state=apply_state)

    return Decaying


def after_sparse_steps(optimizer, *, graph):
    variable = tf.Variable([[1.0], [2.0], [3.0]])
    gradient = tf.IndexedSlices(tf.constant([[1.0], [0.5], [-2.0]]), tf.constant([1, 0, 1]), tf.constant([3, 1]))

    def step():
        optimizer.apply_gradients([(gradient, variable)])

    step = tf.function(step) if graph else step
    for _ in range(3):
        step()
    return variable.numpy()


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {}),
        ("Adam", {"amsgrad": True}),
        ("SGD", {}),
        ("SGD", {"momentum": 0.5}),
        ("RMSprop", {}),
        ("RMSprop", {"momentum": 0.5, "centered": True}),
        ("Adagrad", {}),
        ("Adadelta", {}),
        ("Adamax", {}),
        ("Nadam", {}),
        ("Ftrl", {}),
    ],
)
def test_what_a_subclass_adds_to_both_apply_methods_is_done_once(name, options, graph):
    ours = after_sparse_steps(decaying(getattr(optreg.legacy, name))(0.1, **options), graph=graph)
    theirs = after_sparse_steps(decaying(getattr(KERAS, name))(0.1, **options), graph=graph)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_a_subclass_adds_to_both_apply_methods_of_an_exact_rule_is_done_once():
    class Plain(optreg.UpdateRule):
        card = optreg.Card(sparse="exact")

        def update(self, gradient, value, *, learning_rate=0.1):
            return value - learning_rate * gradient

    ours = after_sparse_steps(decaying(Plain)(0.1), graph=False)
    # SGD of tf_keras adds repeated rows one after the other and never reaches the method, unless it has a momentum.
    theirs = after_sparse_steps(decaying(KERAS.SGD)(0.1, momentum=1e-30), graph=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_method_for_repeated_rows_may_end_in_that_for_distinct_ones(momentum):
    class Halved(optreg.legacy.SGD):
        def _resource_apply_sparse_duplicate_indices(self, grad, var, indices, **kwargs):
            distinct, rows = tf.unique(indices)
            summed = tf.math.unsorted_segment_sum(0.5 * grad, rows, tf.size(distinct))
            return self._resource_apply_sparse(summed, var, distinct, **kwargs)

    moved = after_sparse_steps(Halved(0.1, momentum=momentum), graph=False)
    plain = after_sparse_steps(optreg.legacy.SGD(0.05, momentum=momentum), graph=False)
    np.testing.assert_allclose(moved, plain, rtol=1e-6)


def recording(base):
    """Keeps what each step prepared for dense gradients."""

    class Recording(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            coefficients = apply_state[(var.device, var.dtype.base_dtype)]
            self.__dict__.setdefault("kept", []).append({name: coefficients[name] for name in self.names})
            return super()._resource_apply_dense(grad, var, apply_state=apply_state)

    return Recording


# What tf_keras 2.21 prepares; the first test holds it against the library.
OF_KERAS = {
    "Adam": "lr_t lr epsilon beta_1_t beta_1_power one_minus_beta_1_t beta_2_t beta_2_power one_minus_beta_2_t",
    "SGD": "lr_t momentum",
    "RMSprop": "lr_t neg_lr_t epsilon rho momentum one_minus_rho",
    "Adagrad": "lr_t epsilon neg_lr_t zero",
    "Adadelta": "lr_t epsilon rho",
    "Adamax": "lr_t neg_scaled_lr epsilon beta_1_t beta_1_power one_minus_beta_1_t beta_2_t zero",
    "Nadam": (
        "lr_t neg_lr_t epsilon beta_1_t beta_2_t m_t m_t_1 one_minus_beta_1_t one_minus_beta_2_t one_minus_m_t "
        "one_minus_m_schedule_new one_minus_m_schedule_next v_t_prime_denominator"
    ),
    "Ftrl": (
        "lr_t learning_rate_power l1_regularization_strength l2_regularization_strength beta "
        "l2_shrinkage_regularization_strength"
    ),
}
OPTIONS = {
    "SGD": [{}, {"momentum": 0.75}],
    "RMSprop": [{}, {"momentum": 0.5, "rho": 0.75}],
    "Ftrl": [
        {},
        {
            "beta": 0.5,
            "l1_regularization_strength": 0.25,
            "l2_regularization_strength": 0.125,
            "l2_shrinkage_regularization_strength": 0.0625,
            "learning_rate_power": -0.25,
        },
    ],
}


@pytest.mark.parametrize("name", OF_KERAS)
def test_the_names_held_here_are_those_of_keras(name):
    optimizer, variable = getattr(KERAS, name)(), tf.Variable(1.0)
    optimizer.apply_gradients([(tf.constant(1.0), variable)])
    (coefficients,) = optimizer._prepare([variable]).values()
    assert set(coefficients) == set(OF_KERAS[name].split())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", ["constant", "decay", "schedule"])
@pytest.mark.parametrize("name", OF_KERAS)
def test_a_subclass_reads_every_coefficient_of_keras(name, rate, dtype):
    if name == "Nadam" and rate != "constant":
        pytest.skip("Keras's has neither")
    for options in OPTIONS.get(name, [{}]):
        kept = []
        for module in (optreg.legacy, KERAS):
            given = tf_keras.optimizers.schedules.ExponentialDecay(0.25, 2, 0.5) if rate == "schedule" else 0.25
            optimizer = recording(getattr(module, name))(
                given, **options, **({"decay": 0.125} if rate == "decay" else {})
            )
            optimizer.names = OF_KERAS[name].split()
            variable = tf.Variable([1.0, -2.0], dtype=dtype)
            for step in range(4):
                optimizer.apply_gradients([(tf.constant([0.5, 1.0 + step], dtype), variable)])
            kept.append(optimizer.kept)
        for ours, theirs in zip(*kept, strict=True):
            for key, expected in theirs.items():
                assert ours[key].dtype == expected.dtype, key
                # Nadam of Keras has 0.96 in float32.
                rtol = 1e-6 if dtype == "float32" else 1e-7 if name == "Nadam" else 1e-13
                np.testing.assert_allclose(ours[key], expected, rtol=rtol, err_msg=key)


def coefficients_of(optimizer, var, apply_state):
    place = (var.device, var.dtype.base_dtype)
    return (apply_state or {}).get(place) or optimizer._fallback_apply_state(*place)


def adam_of_its_own(base):
    """The rule of Adam from tensors, with the bias-corrected rate of Keras; of float32 where the slots are."""

    class Own(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            grad = tf.cast(grad, m.dtype)
            m_t = m.assign(m * c["beta_1_t"] + grad * c["one_minus_beta_1_t"])
            v_t = v.assign(v * c["beta_2_t"] + grad**2 * c["one_minus_beta_2_t"])
            return var.assign_sub(tf.cast(c["lr"] * m_t / (tf.sqrt(v_t) + c["epsilon"]), var.dtype))

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            with tf.control_dependencies([m.assign(m * c["beta_1_t"])]):
                m_t = self._resource_scatter_add(m, indices, grad * c["one_minus_beta_1_t"])
            with tf.control_dependencies([v.assign(v * c["beta_2_t"])]):
                v_t = self._resource_scatter_add(v, indices, grad**2 * c["one_minus_beta_2_t"])
            return var.assign_sub(c["lr"] * m_t / (tf.sqrt(v_t) + c["epsilon"]))

    return Own


def rmsprop_of_its_own(base):
    class Own(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            rms = self.get_slot(var, "rms")
            mean = rms.assign(c["rho"] * rms + c["one_minus_rho"] * tf.square(grad))
            return var.assign_add(c["neg_lr_t"] * grad / (tf.sqrt(mean) + c["epsilon"]))

    return Own


def adamax_of_its_own(base):
    class Own(base):
        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            m_rows = tf.gather(m, indices, axis=c["zero"]) * c["beta_1_t"] + grad * c["one_minus_beta_1_t"]
            v_rows = tf.maximum(tf.gather(v, indices, axis=c["zero"]) * c["beta_2_t"], tf.abs(grad))
            moved = self._resource_scatter_add(var, indices, c["neg_scaled_lr"] * m_rows / (v_rows + c["epsilon"]))
            rows = [
                self._resource_scatter_update(m, indices, m_rows),
                self._resource_scatter_update(v, indices, v_rows),
            ]
            return tf.group(moved, *rows)

    return Own


def nadam_of_its_own(base):
    class Own(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            m_t = m.assign(c["beta_1_t"] * m + c["one_minus_beta_1_t"] * grad)
            v_t = v.assign(c["beta_2_t"] * v + c["one_minus_beta_2_t"] * tf.square(grad))
            now = c["one_minus_m_t"] * grad / c["one_minus_m_schedule_new"]
            ahead = c["m_t_1"] * m_t / c["one_minus_m_schedule_next"]
            root = tf.sqrt(v_t / c["v_t_prime_denominator"]) + c["epsilon"]
            return var.assign_add(c["neg_lr_t"] * (now + ahead) / root)

    return Own


def ftrl_of_its_own(base):
    class Own(base):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            shrinks = self._l2_shrinkage_regularization_strength > 0.0
            more = {"l2_shrinkage": c["l2_shrinkage_regularization_strength"]} if shrinks else {}
            kernel = tf.raw_ops.ResourceApplyFtrlV2 if shrinks else tf.raw_ops.ResourceApplyFtrl
            return kernel(
                var=var.handle,
                accum=self.get_slot(var, "accumulator").handle,
                linear=self.get_slot(var, "linear").handle,
                grad=grad,
                lr=c["lr_t"],
                l1=c["l1_regularization_strength"],
                l2=c["l2_regularization_strength"] + c["beta"] / (2.0 * c["lr_t"]),
                lr_power=c["learning_rate_power"],
                use_locking=self._use_locking,
                **more,
            )

    return Own


OF_THEIR_OWN = {
    "Adam": adam_of_its_own,
    "RMSprop": rmsprop_of_its_own,
    "Adamax": adamax_of_its_own,
    "Nadam": nadam_of_its_own,
    "Ftrl": ftrl_of_its_own,
}


def trained(optimizer, *, mode, dtype="float32", steps=3):
    variable = tf.Variable([[1.0], [2.0], [3.0]], dtype=dtype)

    def step(dense, rows, indices):
        optimizer.apply_gradients([(dense, variable)])
        optimizer.apply_gradients([(tf.IndexedSlices(rows, indices, tf.constant([3, 1])), variable)])

    if mode != "eager":
        optimizer.apply_gradients([(tf.zeros((3, 1), dtype), variable)])  # creates the slots outside of XLA's function
        step = tf.function(step, jit_compile=mode == "jit")
    for number in range(steps):
        dense = tf.constant([[0.5], [-0.25], [1.0 + number]], dtype)
        step(dense, tf.constant([[0.5], [-1.0]], dtype), tf.constant([2, 0]))
    return variable.numpy()


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name in OF_THEIR_OWN for options in OPTIONS.get(name, [{}])]
)
def test_apply_methods_written_with_the_coefficients_of_keras_train_alike(name, options, mode):
    if name == "RMSprop" and options:
        pytest.skip("the class is one for no momentum")
    own = OF_THEIR_OWN[name]
    ours = trained(own(getattr(optreg.legacy, name))(0.125, **options), mode=mode)
    theirs = trained(own(getattr(KERAS, name))(0.125, **options), mode=mode)
    np.testing.assert_allclose(ours, theirs, rtol=2e-6)


@pytest.mark.parametrize("name", ["Adam", "RMSprop", "Nadam"])
def test_apply_methods_written_with_the_coefficients_of_keras_compile(name):
    def dense_only(optimizer, mode):
        variable = tf.Variable([1.0, 2.0])
        optimizer.apply_gradients([(tf.constant([0.5, -2.0]), variable)])

        @tf.function(jit_compile=mode == "jit")
        def step(gradient):
            optimizer.apply_gradients([(gradient, variable)])

        for number in range(3):
            step(tf.constant([1.0, number - 1.0]))
        return variable.numpy()

    compiled = dense_only(OF_THEIR_OWN[name](getattr(optreg.legacy, name))(0.125), "jit")
    theirs = dense_only(OF_THEIR_OWN[name](getattr(KERAS, name))(0.125), "graph")
    np.testing.assert_allclose(compiled, theirs, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_coefficients_of_sixteen_bit_weights_are_those_of_their_float32_slots(dtype):
    def moved(optimizer):
        variable = tf.Variable([1.0, 2.0], dtype=dtype)
        for number in range(4):
            optimizer.apply_gradients([(tf.constant([0.5, number - 1.0], dtype), variable)])
        return variable.numpy().astype("float32")

    np.testing.assert_array_equal(moved(adam_of_its_own(optreg.legacy.Adam)(0.125)), moved(optreg.legacy.Adam(0.125)))


def test_a_coefficient_read_in_a_branch_stays_there():
    class Branching(optreg.legacy.Adam):
        def _resource_apply_dense(self, grad, var, apply_state=None):
            c = coefficients_of(self, var, apply_state)
            large = tf.reduce_max(grad) > 1.0
            share = tf.cond(large, lambda: c["one_minus_beta_1_t"], lambda: 2.0 * c["one_minus_beta_1_t"])
            return var.assign_sub(share * grad + 0.0 * c["one_minus_beta_1_t"])

    variables = [tf.Variable(1.0), tf.Variable(1.0)]
    optimizer = Branching(0.1, beta_1=0.5)

    @tf.function
    def step():
        optimizer.apply_gradients([(tf.constant(0.5), variables[0]), (tf.constant(2.0), variables[1])])

    step()
    assert [float(variable) for variable in variables] == [0.5, 0.0]


def test_coefficients_are_a_dictionary_of_all_that_can_be_read():
    optimizer, variable = optreg.legacy.Adam(0.5), tf.Variable(1.0)
    optimizer.build([variable])
    (coefficients,) = optimizer._prepare([variable]).values()
    assert "one_minus_beta_1_t" in coefficients
    assert "beta_3" not in coefficients
    assert coefficients.get("beta_3", 1) == 1
    with pytest.raises(KeyError, match="beta_3"):
        coefficients["beta_3"]
    names = set(OF_KERAS["Adam"].split())
    for copied in (dict(coefficients), {**coefficients}, coefficients.copy(), dict(coefficients.items())):
        assert set(copied) == set(coefficients) == set(coefficients.keys()) == names
        assert float(copied["one_minus_beta_1_t"]) == pytest.approx(0.1)
    assert len(list(coefficients.values())) == len(names)
    assert coefficients.get("lr") is coefficients["lr"]  # computed once
    coefficients["lr"] = 7.0
    assert coefficients["lr"] == 7.0

    @tf.function
    def of_an_argument(given):
        return given["one_minus_beta_2_t"]

    assert float(of_an_argument(coefficients)) == pytest.approx(0.001, rel=1e-4)


@pytest.mark.parametrize("name", OF_KERAS)
def test_a_copy_of_the_coefficients_with_another_rate_is_as_good_as_they_are(name):
    def twice(base):
        class Twice(base):
            def _resource_apply_dense(self, grad, var, apply_state=None):
                state = {place: dict(values) for place, values in apply_state.items()}
                state[(var.device, var.dtype.base_dtype)]["lr_t"] *= 2.0
                return super()._resource_apply_dense(grad, var, apply_state=state)

        return Twice

    def moved(module):
        variable = tf.Variable([1.0, 2.0])
        optimizer = twice(getattr(module, name))(0.125, **OPTIONS.get(name, [{}])[-1])
        for number in range(4):
            optimizer.apply_gradients([(tf.constant([0.5, number - 1.0]), variable)])
        return variable.numpy()

    np.testing.assert_allclose(moved(optreg.legacy), moved(KERAS), rtol=2e-6)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "Adamax", "Nadam", "Adagrad", "Adadelta", "Ftrl"])
@pytest.mark.parametrize("graph", [False, True])
def test_a_subclass_may_replace_every_coefficient_by_a_copy(name, graph):
    cls = getattr(optreg.legacy, name)

    class Copying(cls):
        def _prepare_local(self, var_device, var_dtype, apply_state):
            super()._prepare_local(var_device, var_dtype, apply_state)
            prepared = apply_state[(var_device, var_dtype)]
            apply_state[(var_device, var_dtype)] = {key: tf.identity(value) for key, value in prepared.items()}

    values = []
    for each in (cls, Copying):
        variable, optimizer = tf.Variable([1.0, 2.0]), each(0.1)

        def step(optimizer=optimizer, variable=variable):
            optimizer.apply_gradients([(tf.constant([1.0, -0.5]), variable)])

        made = tf.function(step, autograph=False) if graph else step
        made(), made()
        values.append(variable.numpy())
    np.testing.assert_array_equal(*values)


def test_a_subclass_may_keep_something_of_its_own_under_a_name_of_keras():
    class Own(optreg.legacy.SGD):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self._slots, self._dense_apply_args = {}, ["grad"]

        def _updates(self):
            return 3

    optimizer, variable = Own(learning_rate=0.5), tf.Variable(1.0)
    optimizer.apply_gradients([(tf.constant(1.0), variable)])
    assert (optimizer._slots, optimizer._dense_apply_args, float(variable)) == ({}, ["grad"], 0.5)
    adagrad = optreg.legacy.Adagrad()
    adagrad._initial_accumulator_value = 0.5
    adagrad.build([variable])
    assert float(adagrad.get_slot(variable, "accumulator")) == 0.5
