"""The rules of both optimizers in NumPy."""


def update(value, gradient, state, step, *, learning_rate, momentum, weight_decay=0.0):
    """Return the new value of one variable; every update rule has decoupled weight decay."""
    state["b"] = momentum * state.get("b", 0.0) + gradient
    return value - learning_rate * (state["b"] + weight_decay * value)
