"""Which registry the functions of ``optreg`` act on: that of the process, or one that stands in for it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from optreg.registry.registry import Registry

_STAND_INS: list[Registry] = []  # the last one is in use


def default_registry() -> Registry:
    """Return the registry that the functions of ``optreg`` use."""
    return _STAND_INS[-1] if _STAND_INS else registry_of_the_process()


@functools.cache
def registry_of_the_process() -> Registry:
    """Return the registry of what is installed, whether it is in use or another stands in for it."""
    return Registry()


@contextmanager
def registry_in_use(registry: Registry) -> Iterator[None]:
    """Have all threads use another registry for a while, as a test does; the one used before comes back afterwards.

    Who watches for names, as a Keras does, learns those of the other one too.
    """
    registry.share_watchers(default_registry())
    _STAND_INS.append(registry)
    try:
        yield
    finally:
        _STAND_INS.remove(registry)
