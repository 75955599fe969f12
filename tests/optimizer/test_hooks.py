from __future__ import annotations

import pytest
import tensorflow as tf

import optreg
from optreg.errors import InvalidHook
from optreg.hookspecs import StepHooks
from optreg_classic.sgd import SGD

HOOKS = ["create_slots", "aggregate_gradients", "transform_gradients", "apply_updates", "apply_dense", "apply_sparse"]


def moved(plugins, *, graph=False, sparse=False, **options):
    """Return the change of a weight in one step under a gradient of 3 and a learning rate of 1."""
    variable = tf.Variable([0.0])
    gradient = (
        tf.IndexedSlices(tf.constant([3.0]), tf.constant([0]), tf.constant([1])) if sparse else tf.constant([3.0])
    )
    optimizer = SGD(1.0, plugins=plugins, **options)

    def step():
        optimizer.apply_gradients([(gradient, variable)])

    (tf.function(step) if graph else step)()
    assert int(optimizer.iterations) == 1
    return -float(variable[0])


class Doubled:
    @optreg.hookimpl
    def transform_gradients(self, grads_and_vars):
        return [(2.0 * gradient, variable) for gradient, variable in grads_and_vars]


class PlusOne:
    @optreg.hookimpl
    def transform_gradients(self, optimizer, grads_and_vars):
        return [(gradient + 1.0, variable) for gradient, variable in grads_and_vars]


class Silent:
    """Has every hook and leaves all to the next implementation."""

    @optreg.hookimpl
    def create_slots(self, var_list):
        pass

    @optreg.hookimpl
    def aggregate_gradients(self):
        return None

    @optreg.hookimpl
    def transform_gradients(self):
        return None

    @optreg.hookimpl
    def apply_updates(self):
        return None

    @optreg.hookimpl
    def apply_dense(self):
        return None

    @optreg.hookimpl
    def apply_sparse(self):
        return None


def test_the_hooks_are_those_of_the_specification():
    assert [name for name in vars(StepHooks) if not name.startswith("_")] == HOOKS


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_plugin_that_passes_on_changes_nothing(graph, sparse):
    assert moved([Silent()], graph=graph, sparse=sparse, momentum=0.5) == 3.0


@pytest.mark.parametrize("graph", [False, True])
def test_transforming_plugins_run_in_the_order_of_the_list(graph):
    assert moved([Doubled(), PlusOne()], graph=graph) == 7.0
    assert moved([PlusOne(), Doubled()], graph=graph) == 8.0


def test_the_transformers_of_the_optimizer_come_last():
    assert moved([PlusOne()], clipvalue=1.5) == 1.5
    assert moved([PlusOne()], gradient_transformers=[Doubled().transform_gradients]) == 8.0


def test_a_wrapper_sees_the_end_of_the_chain_and_can_change_it():
    class Halving:
        @optreg.hookimpl(wrapper=True)
        def transform_gradients(self):
            pairs = yield
            self.seen = [float(gradient[0]) for gradient, _ in pairs]
            return [(gradient / 2.0, variable) for gradient, variable in pairs]

    wrapper = Halving()
    assert moved([wrapper, Doubled(), PlusOne()]) == 3.5
    assert wrapper.seen == [7.0]


def test_a_wrapper_around_the_update_of_one_variable_only_observes():
    class Observer:
        calls = ()

        @optreg.hookimpl(wrapper=True)
        def apply_dense(self, var):
            result = yield
            self.calls += (var.name,)
            return result

    observer = Observer()
    assert moved([observer]) == 3.0
    assert observer.calls == ("Variable:0",)


def test_the_first_aggregator_that_returns_pairs_wins():
    class Tripled:
        @optreg.hookimpl
        def aggregate_gradients(self, grads_and_vars):
            return [(3.0 * gradient, variable) for gradient, variable in grads_and_vars]

    class Never:
        @optreg.hookimpl
        def aggregate_gradients(self, grads_and_vars):
            raise AssertionError("the first one has answered")

    assert moved([Silent(), Tripled(), Never()]) == 9.0


@pytest.mark.parametrize("graph", [False, True])
def test_a_plugin_can_update_a_variable_itself(graph):
    class Fixed:
        @optreg.hookimpl
        def apply_dense(self, grad, var, apply_state):
            var.assign_sub(10.0 * grad)
            return True

    assert moved([Fixed()], graph=graph) == 30.0


@pytest.mark.parametrize("graph", [False, True])
def test_a_plugin_can_update_rows_itself(graph):
    class Fixed:
        @optreg.hookimpl
        def apply_sparse(self, optimizer, grad, var, indices):
            var.scatter_sub(tf.IndexedSlices(10.0 * grad, indices))
            return True

    assert moved([Fixed()], graph=graph, sparse=True) == 30.0


@pytest.mark.parametrize("graph", [False, True])
def test_a_fused_kernel_takes_some_pairs_and_leaves_the_rest(graph):
    class TakesFirst:
        @optreg.hookimpl
        def apply_updates(self, optimizer, grads_and_vars, apply_state):
            (gradient, variable), *rest = grads_and_vars
            (coefficients,) = apply_state.values()
            return [variable.assign_sub(100.0 * coefficients["lr_t"] * gradient)], rest

    variables = [tf.Variable(0.0) for _ in range(3)]
    optimizer = SGD(1.0, plugins=[TakesFirst(), TakesFirst()])

    def step():
        optimizer.apply_gradients([(tf.constant(1.0), variable) for variable in variables])

    (tf.function(step) if graph else step)()
    assert [float(variable) for variable in variables] == [-100.0, -100.0, -1.0]


def test_a_plugin_creates_slots_beside_the_optimizers():
    class Shadow:
        @optreg.hookimpl
        def create_slots(self, optimizer, var_list):
            for variable in var_list:
                optimizer.add_slot(variable, "shadow", initializer=variable)

    variable = tf.Variable([5.0])
    optimizer = SGD(1.0, momentum=0.5, plugins=[Shadow()])
    optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    assert set(optimizer.get_slot_names()) == {"shadow", "momentum"}
    assert float(optimizer.get_slot(variable, "shadow")[0]) == 5.0


def test_a_plugin_changes_only_the_optimizer_it_is_attached_to():
    moved([Doubled()])
    assert moved([]) == 3.0


def test_one_plugin_serves_several_optimizers():
    plugin = Doubled()
    assert moved([plugin]) == moved([plugin]) == 6.0


class UnknownHook:
    @optreg.hookimpl
    def transform_gradient(self, grads_and_vars):
        return grads_and_vars


class UnknownArgument:
    @optreg.hookimpl
    def transform_gradients(self, gradients):
        return gradients


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (UnknownHook(), "cannot be attached: .*transform_gradient"),
        (UnknownArgument(), "cannot be attached: .*gradients"),
        (
            object(),
            "implements no hook: mark its functions with @optreg.hookimpl; the hooks are aggregate_gradients, appl",
        ),
    ],
)
def test_a_plugin_that_does_not_keep_to_the_specification_is_refused(plugin, message):
    with pytest.raises(InvalidHook, match=message):
        SGD(plugins=[plugin])


@pytest.mark.parametrize("given", [3, object(), "name"])
def test_a_plugin_outside_a_list_is_refused(given):
    with pytest.raises(InvalidHook, match="plugins takes a list, received .*: put what it shall hold into a list"):
        SGD(plugins=given)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_an_update_that_is_to_come_last_is_not_made_after_the_optimizers_own(graph, sparse):
    class Last:
        @optreg.hookimpl(trylast=True)
        def apply_dense(self, grad, var):
            return var.assign_sub(100.0 * grad)

        @optreg.hookimpl(trylast=True)
        def apply_sparse(self, grad, var, indices):
            return var.scatter_sub(tf.IndexedSlices(100.0 * grad, indices))

    assert moved([Last()], graph=graph, sparse=sparse) == 3.0


@pytest.mark.parametrize("hook", ["transform_gradients", "aggregate_gradients"])
def test_a_plugin_that_returns_something_else_than_pairs_is_named(hook):
    def wrong(self):
        return 7

    wrong.__qualname__ = f"Wrong.{hook}"
    plugin = type("Wrong", (), {hook: optreg.hookimpl(wrong)})()
    with pytest.raises(InvalidHook, match=f"hook .*{hook} must return a list of .* returned 7 of type int"):
        moved([plugin])


def test_an_error_in_a_plugin_changes_nothing():
    class Failing:
        @optreg.hookimpl
        def transform_gradients(self):
            raise RuntimeError("no")

    variable = tf.Variable(1.0)
    optimizer = SGD(1.0, plugins=[Failing()])
    with pytest.raises(RuntimeError, match="no"):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    assert float(variable) == 1.0
    assert int(optimizer.iterations) == 0


def test_a_constraint_follows_the_update_of_a_plugin():
    class Fixed:
        @optreg.hookimpl
        def apply_updates(self, grads_and_vars):
            assert grads_and_vars == []

        @optreg.hookimpl
        def apply_dense(self, grad, var):
            var.assign_sub(10.0 * grad)
            return True

    variable = tf.Variable([1.0], constraint=lambda value: tf.maximum(value, 0.0))
    SGD(plugins=[Fixed()]).apply_gradients([(tf.constant([1.0]), variable)])
    assert float(variable[0]) == 0.0
