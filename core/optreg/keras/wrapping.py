"""``wrap``: any optimizer of optreg as one that a Keras model takes."""

from __future__ import annotations

import importlib
import os
from typing import Any

from optreg.errors import InvalidConfig, MissingExtra, NotAnOptimizer, WrongContext, listing, suggestion
from optreg.keras.arrival import LIBRARIES
from optreg.keras.identifiers import known_names
from optreg.registry import default_registry
from optreg.registry.default import get_optimizer
from optreg.registry.loading import is_optimizer, library_of

_MODULES = {"keras": "optreg.keras.keras3", "tf_keras": "optreg.keras.keras2"}


def wrap(optimizer: Any, *, library: str | None = None, **hyperparameters: Any) -> Any:
    """Return an optimizer for ``Model.compile`` of Keras that trains as the given one does.

    The result is a ``keras.optimizers.Optimizer``, or for ``tf_keras`` one of its optimizers. It holds no arithmetic
    and no state: every step is made by the optimizer of optreg, which is its attribute ``wrapped``.

    Args:
        optimizer: What ``optreg.get_optimizer`` takes: a name, a configuration, a class or an instance. What ``wrap``
            returned is returned again.
        library: ``"keras"`` for models of Keras 3, ``"tf_keras"`` for those of Keras 2. By default what ``tf.keras``
            is: ``"tf_keras"`` if the environment has ``TF_USE_LEGACY_KERAS=1``, else ``"keras"``.
        **hyperparameters: Given to the constructor, with a name, a class or a configuration.

    Raises:
        NotAnOptimizer: Something else, such as an optimizer of Keras itself; or a ``LossScaleOptimizer``.
        InvalidConfig: The library is neither of the two, or an instance came with hyperparameters.
        MissingExtra: The library is not installed.
        WrongContext: Keras 3 runs on another backend than TensorFlow.
    """
    library = _checked(library)
    if is_adapter(optimizer):
        return _again(optimizer, library, hyperparameters)
    _refuse_foreign(optimizer)
    found = get_optimizer(optimizer, **hyperparameters)
    _refuse_loss_scale(found)
    return adapter_class(library)(found)


def adapter_class(library: str) -> Any:
    """Return the adapter class for a library, importing the library.

    Raises:
        MissingExtra: It is not installed.
        WrongContext: Keras 3 runs on another backend than TensorFlow.
    """
    try:
        keras = importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise MissingExtra(
            f"optreg.keras.wrap(..., library={library!r}) needs the package {library!r}, which is not installed: "
            f"pip install {library.replace('_', '-')}, or name the other library ({listing(LIBRARIES)})"
        ) from None
    if library == "keras":
        _require_tensorflow(keras.config.backend())
    return importlib.import_module(_MODULES[library]).WrappedOptimizer


def is_adapter(candidate: Any) -> bool:
    """Whether an object is what ``wrap`` returns, told without importing a Keras."""
    return type(candidate).__module__ in _MODULES.values()


def _checked(library: str | None) -> str:
    if library is None:
        legacy = os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in {"1", "true"}
        return "tf_keras" if legacy else "keras"
    if library not in _MODULES:
        raise InvalidConfig(
            f"library must be 'keras' (Keras 3) or 'tf_keras' (Keras 2), received {library!r}."
            f"{suggestion(str(library), LIBRARIES)}"
        )
    return library


def _require_tensorflow(backend: str) -> None:
    if backend != "tensorflow":
        raise WrongContext(
            f"optreg's optimizers work on TensorFlow variables, but Keras runs on the backend {backend!r}: set "
            "KERAS_BACKEND=tensorflow before keras is imported, or use an optimizer of Keras itself "
            "(keras.optimizers)"
        )


def _again(adapter: Any, library: str, hyperparameters: dict[str, Any]) -> Any:
    if hyperparameters:
        raise InvalidConfig(
            f"{adapter!r} is wrapped already and cannot take {listing(hyperparameters)}; assign them to it"
        )
    return adapter if type(adapter) is adapter_class(library) else adapter_class(library)(adapter.wrapped)


def _refuse_foreign(optimizer: Any) -> None:
    """Refuse an optimizer of Keras, which needs no adapter."""
    cls = optimizer if isinstance(optimizer, type) else type(optimizer)
    library = library_of(cls)
    if library and not is_optimizer(cls):
        name, received = cls.__name__.lower(), f"received {cls.__qualname__} of {library}"
        if name in known_names(default_registry()):
            what = (
                f"A model of {library} takes it as it is: compile(optimizer=...); for optreg's own write "
                f'optreg.keras.wrap("{name}", library="{library}", ...)'
            )
        else:
            what = (
                f"An optimizer of {library} goes to compile(optimizer=...) as it is; optreg.list_optimizers() names "
                "those of optreg"
            )
        raise NotAnOptimizer(f"optreg.keras.wrap() takes optimizers of optreg, {received}. {what}")


def _refuse_loss_scale(optimizer: Any) -> None:
    """Refuse the loss scale of custom loops: Keras would scale a second time, or never ask for the scaled loss."""
    from optreg.optimizer.loss_scaling.loss_scale import LossScaleOptimizer  # noqa: PLC0415 - brings TensorFlow

    if isinstance(optimizer, LossScaleOptimizer):
        raise NotAnOptimizer(
            f"optreg.keras.wrap() received {optimizer!r}. The models of Keras scale their loss themselves where their "
            "dtype policy is mixed_float16: wrap inner_optimizer"
        )
