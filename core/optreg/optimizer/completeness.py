"""What a class must have of its own before it can update a variable."""

from __future__ import annotations

from optreg.errors import IncompleteOptimizer
from optreg.optimizer.authoring import AuthorMethods

_SPARSE_METHODS = ("_resource_apply_sparse", "_resource_apply_sparse_duplicate_indices")


def takes_sparse_gradients(cls: type) -> bool:
    """Whether a class has a method of its own for sparse gradients."""
    return _overrides(cls, *_SPARSE_METHODS)


def require_update_method(cls: type) -> None:
    """Refuse a class that can update nothing.

    Raises:
        IncompleteOptimizer: Saying which method to write.
    """
    if not _overrides(cls, "_resource_apply_dense", *_SPARSE_METHODS) and not _replaces_the_step(cls):
        raise IncompleteOptimizer(
            f"{cls.__name__} cannot update a variable: override "
            "_resource_apply_dense(self, grad, var, apply_state=None), and for sparse gradients "
            "_resource_apply_sparse(self, grad, var, indices, apply_state=None); or override apply_gradients"
        )


def _overrides(cls: type, *methods: str) -> bool:
    return any(getattr(cls, method) is not getattr(AuthorMethods, method) for method in methods)


def _replaces_the_step(cls: type) -> bool:
    owner = next(base for base in cls.__mro__ if "apply_gradients" in vars(base))
    return AuthorMethods not in owner.__bases__
