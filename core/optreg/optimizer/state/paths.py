"""State as a flat table of paths and values: how a nested dictionary is read, compared and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidState, listing
from optreg.optimizer.distribution import describe_value, parts_of
from optreg.optimizer.graphs.sessions import assign_value, read_value

Path = tuple[str, ...]
"""Keys that lead to one value: ``("slots", "dense/kernel", "m")``."""

ITERATIONS: Path = ("iterations",)
_DEPTHS = {"iterations": 0, "hyperparameters": 1, "slots": 2, "weights": 1}


@dataclass(frozen=True)
class StateReport:
    """What did not fit when state was loaded, each value as one would index the dictionary. False if all fitted.

    Args:
        missing: Values that the optimizer has and the dictionary lacks.
        unexpected: Values that the dictionary has and the optimizer lacks.
        misshapen: Values of another shape or kind of number than the optimizer's.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        lists = (("missing", self.missing), ("unexpected", self.unexpected), ("misshapen", self.misshapen))
        return "; ".join(f"{name}: {listing(entries)}" for name, entries in lists)


def flat(state: Any) -> dict[Path, Any]:
    """Return path to array for a nested dictionary.

    Raises:
        InvalidState: It is not nested as ``state_dict`` returns it, or a value is no number or array of numbers.
    """
    if not isinstance(state, Mapping) or not set(state) <= set(_DEPTHS):
        raise InvalidState(
            f"expected the dictionary that state_dict() returns, with the keys {listing(_DEPTHS)}; received "
            + (f"the keys {listing(map(str, state))}" if isinstance(state, Mapping) else describe_value(state))
        )
    leaves = (leaf for key in state for leaf in _leaves((key,), state[key], _DEPTHS[key]))
    return {path: numbers(f"state: {indexed(path)}", value) for path, value in leaves}


def indexed(path: Path) -> str:
    """Return a path as one indexes the dictionary: ``slots['dense/kernel']['m']``."""
    return path[0] + "".join(f"[{key!r}]" for key in path[1:])


def compare(given: Mapping[Path, Any], expected: Mapping[Path, Any]) -> StateReport:
    """Return what keeps the arrays given from being the values of the variables expected."""
    misshapen = [
        f"{indexed(path)} of shape {given[path].shape} and dtype {given[path].dtype} for {_shape(variable)} and "
        f"{_dtype(variable).name}"
        for path, variable in expected.items()
        if path in given and not fits(given[path], variable)
    ]
    return StateReport(
        missing=tuple(indexed(path) for path in expected if path not in given),
        unexpected=tuple(indexed(path) for path in given if path not in expected),
        misshapen=tuple(misshapen),
    )


def fits(value: Any, variable: Any) -> bool:
    """Whether an array has the shape of a variable and no kind of number that the variable cannot hold."""
    kind, own = tf.as_dtype(value.dtype), _dtype(variable)
    same_kind = (own.is_complex or not kind.is_complex) and (not own.is_integer or kind.is_integer)
    return same_kind and tf.TensorShape(_shape(variable)).is_compatible_with(value.shape)


def numbers(what: str, value: Any) -> Any:
    """Return a number or an array of numbers as an array.

    Raises:
        InvalidState: Anything else; ``what`` says in the message what it was given for.
    """
    try:
        value = np.asarray(value)
        tf.as_dtype(value.dtype)
    except (TypeError, ValueError):  # no dtype of TensorFlow; lists of different lengths
        pass
    else:
        if value.dtype.kind not in "OSU":
            return value
    received = f"{value.dtype} values" if isinstance(value, np.ndarray) else describe_value(value)
    raise InvalidState(f"{what} must be a number or an array of numbers, received {received}")


def as_whole(value: Any, variable: Any) -> Any:
    """Return floats without fractions as the integers that a variable holds, such as zeros for a counter."""
    dtype = _dtype(variable)
    if dtype.is_integer and value.dtype.kind == "f" and np.all(np.isfinite(value) & (value == np.floor(value))):
        return value.astype(dtype.as_numpy_dtype)
    return value


def check_count(owner: str, value: Any) -> None:
    """Refuse a number of steps below 0.

    Raises:
        InvalidState: It is.
    """
    if value < 0:
        raise InvalidState(f"{owner}: iterations must be at least 0, received {value}")


def array(variable: Any) -> Any:
    """Return the value of a variable, of the parts of one, or of a number, as an array."""
    parts = variable if isinstance(variable, Sequence) else parts_of(variable)
    if parts is not None:
        values = [read_value(part) for part in parts]
        return np.stack(values) if values[0].ndim == 0 else np.concatenate(values)
    return np.array(read_value(variable)) if tf.is_tensor(variable) else np.float32(variable)


def assign(variable: Any, value: Any) -> None:
    """Set a variable, or the parts of one, to an array of its shape."""
    parts = variable if isinstance(variable, Sequence) else parts_of(variable)
    if parts is None:
        assign_value(variable, value)
        return
    start = 0
    for part in parts:
        rows = part.shape[0] if part.shape.rank else 1
        assign_value(part, value[start : start + rows].reshape(part.shape))
        start += rows


def _leaves(path: Path, value: Any, depth: int) -> Iterator[tuple[Path, Any]]:
    if depth == 0:
        yield path, value
        return
    if not isinstance(value, Mapping):
        raise InvalidState(f"state: {indexed(path)} must be a dictionary, received {describe_value(value)}")
    for key in value:
        yield from _leaves((*path, str(key)), value[key], depth - 1)


def _shape(variable: Any) -> tuple[int | None, ...]:
    if isinstance(variable, Sequence):
        return (len(variable),)
    return tuple(variable.shape)


def _dtype(variable: Any) -> Any:
    return (variable[0] if isinstance(variable, Sequence) else variable).dtype.base_dtype
