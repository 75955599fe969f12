"""An optimizer that is, in everything but a few methods of its own, the optimizer it wraps."""

from __future__ import annotations

from functools import cache
from itertools import takewhile
from typing import Any, ClassVar

from optreg.optimizer.contract import Optimizer

_COMPOSED = frozenset({"minimize", "get_gradients", "get_updates", "to_dict"})
"""Methods that a wrapper takes from the contract: they are made of others, which the wrapper may define anew."""


class Forwarding:
    """Part of a wrapper, in front of ``Optimizer`` among its bases: what the wrapper does not define, ``_inner`` does.

    A wrapper is an ``Optimizer`` for whoever asks, but has no state of the contract itself. Attributes and methods,
    those of the contract and any further ones of the wrapped optimizer, are read from it and set on it.
    """

    _inner: Any
    _own_attributes: ClassVar[frozenset[str]]
    """Names of the attributes that an instance of the wrapper keeps itself."""

    def __getattribute__(self, name: str) -> Any:
        if _is_own(type(self), name):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_inner"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_own(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(self._inner, name, value)

    def __dir__(self) -> list[str]:
        cls: Any = type(self)
        return sorted({*dir(self._inner), *_own_names(cls)})


def _is_own(cls: Any, name: str) -> bool:
    return name in _own_names(cls) or name.startswith("__")


@cache
def _own_names(cls: Any) -> frozenset[str]:
    """Return the attributes of instances, and what the classes in front of the contract define."""
    in_front = takewhile(lambda base: base is not Optimizer, cls.__mro__)
    return _COMPOSED.union(cls._own_attributes, *(vars(base) for base in in_front))
