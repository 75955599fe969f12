"""The demands that checks are made of: equal, close, finite, refused. Failures say what was expected and received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from optreg.conformance.definition import CheckFailure

ROUNDING = 1e-5
"""Relative difference that two orders of the same float32 arithmetic may have after a few steps."""


def demand(holds: object, what: str, *, expected: Any, received: Any) -> None:
    """Raise ``CheckFailure`` unless ``holds`` is true."""
    if not holds:
        raise CheckFailure(what, expected=expected, received=received)


def demand_equal(received: Any, expected: Any, what: str) -> None:
    """Raise ``CheckFailure`` unless the two are equal."""
    demand(received == expected, what, expected=repr(expected), received=repr(received))


def demand_same(received: Sequence[Any], expected: Sequence[Any], what: str) -> None:
    """Raise ``CheckFailure`` unless two lists of arrays agree in every bit."""
    demand_close(received, expected, what, tolerance=0.0)


def demand_close(received: Sequence[Any], expected: Sequence[Any], what: str, *, tolerance: float = ROUNDING) -> None:
    """Raise ``CheckFailure`` unless two lists of arrays agree within ``tolerance``, relative for large numbers."""
    demand_equal(len(received), len(expected), f"{what}, number of arrays")
    for place, (left, right) in enumerate(zip(received, expected, strict=True)):
        left, right = np.asarray(left), np.asarray(right)  # noqa: PLW2901 - lists and scalars are welcome
        demand_equal(left.shape, right.shape, f"{what}, shape of array {place}")
        if not np.allclose(left, right, rtol=tolerance, atol=tolerance):
            _fail_at_largest_difference(left, right, f"{what}, array {place}")


def demand_moved(after: Sequence[Any], before: Sequence[Any], what: str) -> None:
    """Raise ``CheckFailure`` unless every array that holds anything has changed."""
    still = [place for place, (a, b) in enumerate(zip(after, before, strict=True)) if a.size and np.array_equal(a, b)]
    demand(not still, what, expected="every variable moved", received=f"no change of {still}")


def demand_finite(arrays: Sequence[Any], what: str) -> None:
    """Raise ``CheckFailure`` where an array holds NaN or infinity."""
    for place, array in enumerate(arrays):
        wrong = array[~np.isfinite(array)]
        demand(not wrong.size, f"{what}, array {place}", expected="finite numbers", received=wrong[:3].tolist())


@contextmanager
def demand_refusal(what: str, *errors: type[Exception], naming: str = "") -> Iterator[None]:
    """Raise ``CheckFailure`` unless the block raises one of the errors, with ``naming`` in its text."""
    wanted = " or ".join(error.__name__ for error in errors)
    try:
        yield
    except errors as error:
        said = naming in str(error)
        demand(said, f"{what}, text of the error", expected=f"{naming!r} to be named", received=f"{error}")
    # Whatever else comes out of foreign code is the finding here, not an accident of the check.
    except Exception as error:
        raise CheckFailure(what, expected=wanted, received=f"{type(error).__name__}: {error}") from error
    else:
        raise CheckFailure(what, expected=wanted, received="no error")


def _fail_at_largest_difference(received: Any, expected: Any, what: str) -> None:
    gap = np.where(np.isfinite(received - expected), np.abs(received - expected), np.inf)
    worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
    position = f"[{', '.join(str(index) for index in worst)}]" if worst else ""
    raise CheckFailure(
        f"{what}{position}",
        expected=f"{expected[worst]:.9g}",
        received=f"{received[worst]:.9g} (largest difference {gap[worst]:.3g})",
    )
