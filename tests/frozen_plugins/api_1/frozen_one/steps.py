"""A transformer, and hooks on one step."""

import optreg
import tensorflow as tf


class FrozenScale(optreg.GradientTransformer):
    """Multiplies every gradient by a factor.

    Arguments:
        factor: What each gradient is multiplied by.
    """

    card = optreg.Card(api=1, ranges={"factor": "[0, inf)"}, dtypes=("float32", "float64"))

    def __init__(self, factor=2.0):
        super().__init__(factor=factor)
        self.factor = factor

    def transform(self, pairs, step):
        """Return the pairs with larger gradients."""
        return [(gradient * self.factor, variable) for gradient, variable in pairs]


class FrozenHooks:
    """Records what passes the joints of a step."""

    def __init__(self):
        self.seen = []

    @optreg.hookimpl
    def create_slots(self, optimizer, var_list):
        self.seen.append(("create_slots", len(var_list)))

    @optreg.hookimpl(wrapper=True)
    def transform_gradients(self, optimizer, grads_and_vars):
        transformed = yield
        self.seen.append(("transform_gradients", [float(tf.reduce_sum(gradient)) for gradient, _ in transformed]))
        return transformed

    @optreg.hookimpl
    def aggregate_gradients(self, optimizer, grads_and_vars):
        self.seen.append(("aggregate_gradients", len(grads_and_vars)))

    @optreg.hookimpl
    def apply_dense(self, optimizer, grad, var, apply_state):
        self.seen.append(("apply_dense", tuple(var.shape)))
