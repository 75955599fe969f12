"""Clipping where it is easily lost: sparse gradients, whose rows may repeat."""

from __future__ import annotations

from typing import Any

from optreg.conformance.capabilities import SPARSE
from optreg.conformance.checks.dense import check_clip_options_take_effect
from optreg.conformance.checks.structure import check_a_first_step_can_be_made
from optreg.conformance.definition import check
from optreg.conformance.demands import demand_close
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import TableTraining

_REPEATED_ROWS = ([4, 1, 4, 4], [2, 2], [1, 5, 1])
_LIMIT = 0.05


@check(
    "_transform_gradients was overridden and leaves tf.IndexedSlices as they are. Call super().",
    requires=(check_a_first_step_can_be_made, check_clip_options_take_effect),
    capability=SPARSE,
    every_variant=False,
    group="sparse",
)
def check_clip_options_reach_sparse_gradients(subject: Subject) -> None:
    """Rows that repeat are summed, then clipped: by value, or by the norm of the rows present."""
    for option, clip in (("clipvalue", _by_value), ("clipnorm", _by_norm), ("global_clipnorm", _by_norm)):
        clipped = TableTraining(subject.brisk(**{option: _LIMIT}), subject.dtype)
        by_hand = TableTraining(subject.brisk(), subject.dtype)
        for number, rows in enumerate(_REPEATED_ROWS):
            gradient = clipped.slices(rows, number)
            clipped.apply(gradient)
            by_hand.apply(_with_values(_summed(gradient, rows), clip))
        demand_close([clipped.value], [by_hand.value], f"the table after sparse gradients with {option}={_LIMIT}")


def _summed(slices: Any, rows: list[int]) -> Any:
    unique = sorted(set(rows))
    places = tf.constant([unique.index(row) for row in rows])
    values = tf.math.unsorted_segment_sum(slices.values, places, len(unique))
    return tf.IndexedSlices(values, tf.constant(unique, tf.int64), slices.dense_shape)


def _with_values(slices: Any, clip: Any) -> Any:
    return tf.IndexedSlices(clip(slices.values), slices.indices, slices.dense_shape)


def _by_value(values: Any) -> Any:
    return tf.clip_by_value(values, -_LIMIT, _LIMIT)


def _by_norm(values: Any) -> Any:
    return tf.clip_by_norm(values, _LIMIT)
