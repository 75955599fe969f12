"""Which variable of a file is which variable of a model.

Keras places the weights of a file by the structure of the model, and so goes the order of the variables, where there
are as many as the optimizer was last given at once. Where layers were frozen or thawed in between, names tell.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

_COUNTED = re.compile(r"_\d+$")


def matched(
    own: Sequence[str], theirs: Sequence[str], *, in_order: bool, fits: Callable[[int, int], bool]
) -> dict[int, int] | None:
    """Return position here to position in the file for the variables that a file has state for, or None if unknown.

    Args:
        own: Names of the variables here.
        theirs: Names of the variables in the file.
        in_order: Whether both are in the order of their models.
        fits: Whether the state at a position in the file has the shapes of that at a position here.
    """
    order = {position: position for position in range(len(own))}
    pairs = of_one_name(own, theirs)
    if len(own) != len(theirs):
        return pairs if len(pairs) in {len(own), len(theirs)} else None
    all_named = len(pairs) == len(own)
    if all(map(_alike, own, theirs)) or not pairs:
        return order
    if in_order and (all_named or not _contradict(own, pairs)) and all(fits(at, at) for at in order):
        return order
    return pairs if all_named else None


def _contradict(own: Sequence[str], pairs: Mapping[int, int]) -> bool:
    """Whether a name is at another place than in the file, and not because Keras counts its layers (``dense_3``)."""
    return any(
        here != there and not any(_COUNTED.search(part) for part in own[here].split("/"))
        for here, there in pairs.items()
    )


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


def _alike(name: str, other: str) -> bool:
    return name == other or name.endswith(f"/{other}") or other.endswith(f"/{name}")


def _ends(name: str) -> list[str]:
    """Return ``["a/b/c", "b/c", "c"]`` for ``"a/b/c"``."""
    parts = name.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
