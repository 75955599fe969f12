from __future__ import annotations

import pytest

from optreg.bench.speed.layouts import Layout
from optreg.bench.speed.stand import floor_of
from optreg.bench.speed.traffic import dense_floor, sparse_floor


@pytest.mark.parametrize(
    ("optimizer", "itemsize", "slots", "expected"),
    [("sgd", 4, 0, 12), ("momentum", 4, 1, 20), ("adam", 4, 2, 28), ("amsgrad", 4, 3, 36), ("adam bfloat16", 2, 2, 14)],
)
def test_the_floor_for_one_parameter_is_the_known_one(optimizer: str, itemsize: int, slots: int, expected: int) -> None:
    assert dense_floor(itemsize, slots * itemsize) == expected


def test_repeated_rows_are_read_twice_and_written_once() -> None:
    # 8 gradient rows of 16 bytes; 6 distinct rows whose variable and one slot are read and written.
    assert sparse_floor(gradient_rows=8, distinct_rows=6, row_bytes=16, row_slot_bytes=16) == 8 * 16 + 2 * 6 * 32


def test_a_sparse_layout_counts_rows_and_not_the_table() -> None:
    layout = Layout("table", ((1000, 4),), gradient_rows=8)
    momentum = 1000 * 4 * 4
    assert floor_of(layout, momentum) == 8 * 16 + 2 * 6 * 32
