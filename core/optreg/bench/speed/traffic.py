"""The traffic floor: the least number of bytes that one update step has to move.

Each gradient is read once, each variable and each slot read and written once. Bytes of the floor divided by the step
time is a bandwidth that can be compared with the machine's; what an implementation moves beyond it counts as lost.
"""

from __future__ import annotations


def dense_floor(parameter_bytes: int, slot_bytes: int) -> int:
    """Return the floor for gradients as large as the variables: float32 SGD 12 bytes a parameter, Adam 28."""
    return 3 * parameter_bytes + 2 * slot_bytes


def sparse_floor(*, gradient_rows: int, distinct_rows: int, row_bytes: int, row_slot_bytes: int = 0) -> int:
    """Return the floor when only the rows in the gradient move.

    Rows may repeat: each is read from the gradient, but variable and slots of a row move once. An optimizer whose
    slots decay on every row has to move more; it is compared with this floor all the same.
    """
    return gradient_rows * row_bytes + 2 * distinct_rows * (row_bytes + row_slot_bytes)
