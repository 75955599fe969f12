"""What a step's time consists of: a fixed part, a part for each byte moved, and a part for each tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optreg.bench.results import SpeedEntry

_FEWEST = 3  # layouts: one for each part


@dataclass(frozen=True)
class Costs:
    """The parts of a step's time, from the medians on several layouts.

    ``bytes_per_second`` is None where the bytes cost nothing that can be seen. ``error`` is the greatest relative
    difference between a median and what the parts add up to.
    """

    optimizer: str
    implementation: str
    execution: str
    device: str
    fixed: float
    bytes_per_second: float | None
    seconds_per_tensor: float
    layouts: int
    error: float


def fit_costs(entries: Sequence[SpeedEntry]) -> list[Costs]:
    """Return the costs of everything that was measured on at least three layouts with dense gradients."""
    grouped: dict[tuple[str, str, str, str], list[SpeedEntry]] = {}
    for entry in entries:
        if entry.samples and entry.traffic and entry.state.name == "finished":
            key = (entry.optimizer, entry.implementation, entry.execution, entry.device)
            grouped.setdefault(key, []).append(entry)
    return [_fitted(key, found) for key, found in grouped.items() if len(found) >= _FEWEST]


def _fitted(key: tuple[str, str, str, str], entries: Sequence[SpeedEntry]) -> Costs:
    """Fit relative errors, with no part below zero."""
    from scipy.optimize import nnls  # noqa: PLC0415 - of the bench extra, and slow to import

    seconds = np.array([np.median(entry.seconds) for entry in entries])
    parts = np.array([[1.0, entry.traffic, entry.tensors] for entry in entries])
    scale = parts.max(axis=0)
    found, _ = nnls(parts / scale / seconds[:, None], np.ones(len(entries)))
    fixed, per_byte, per_tensor = found / scale
    error = float(np.max(np.abs(parts @ (found / scale) / seconds - 1)))
    return Costs(*key, float(fixed), 1 / float(per_byte) if per_byte else None, float(per_tensor), len(entries), error)
