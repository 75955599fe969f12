"""Which variable of a file is which variable of a model.

Names tell, whatever layers were frozen before or since. In a model that was built anew all may be others, because Keras
counts its layers; then the order of the variables does, if there are as many.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence


def matched(own: Sequence[str], theirs: Sequence[str]) -> dict[int, int] | None:
    """Return position here to position in the file for the variables that a file has state for, or None if unknown.

    All names decide where one side has all those of the other. Where none is common, as in a model that was built
    anew, the order does. Anything between is not guessed.
    """
    pairs = of_one_name(own, theirs)
    if len(pairs) in {len(own), len(theirs)}:
        return pairs
    if len(own) == len(theirs) and not pairs:
        return {position: position for position in range(len(own))}
    return None


def of_one_name(own: Sequence[str], theirs: Sequence[str]) -> dict[int, int]:
    """Return the pairs of positions whose names are one, once on either side.

    A model that is loaded calls ``dense/kernel`` what was ``sequential/dense/kernel``, so one may be the end of the
    other.
    """
    exactly, ending = defaultdict(set), defaultdict(set)
    for position, name in enumerate(theirs):
        exactly[name].add(position)
        for end in _ends(name):
            ending[end].add(position)
    candidates = [
        exactly.get(name) or ending.get(name, set()).union(*(exactly.get(end, ()) for end in _ends(name)))
        for name in own
    ]
    times = Counter(other for others in candidates for other in others)
    return {
        position: other
        for position, others in enumerate(candidates)
        if len(others) == 1
        for other in others
        if times[other] == 1
    }


def _ends(name: str) -> list[str]:
    """Return ``["a/b/c", "b/c", "c"]`` for ``"a/b/c"``."""
    parts = name.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
