"""What happens around the constructor of an optimizer class, and what the class says of itself."""

from __future__ import annotations

import abc
import inspect
from typing import Any

from optreg.errors import UnknownHyperparameter
from optreg.registry.signatures import check_names


class OptimizerType(abc.ABCMeta):
    """Marks the end of construction, after which a misspelt hyperparameter is no longer a free attribute."""

    _FOR_KERAS: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Construct an optimizer.

        Raises:
            UnknownHyperparameter: A keyword that the class does not take.
        """
        try:
            instance = super().__call__(*args, **kwargs)
        except TypeError:
            check_names(cls, kwargs)
            raise
        if instance._renamed:
            raise UnknownHyperparameter(f"{cls.__name__} has no learning_rate, which lr is the old name of")
        instance._constructed = True
        return instance

    def __str__(cls) -> str:
        return f"{cls!r} ({way_into_keras(cls._FOR_KERAS.format(f'{cls.__name__}()'))})"

    @property
    def __signature__(cls) -> inspect.Signature:
        # help() and editors would show the arguments of __call__ above
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def way_into_keras(expression: str) -> str:
    """Return what a model of either Keras takes, for messages of theirs that show nothing but our text."""
    return (
        f'a model of Keras 3 takes it as optreg.keras.wrap({expression}, library="keras"), one of tf_keras '
        f'as optreg.keras.wrap({expression}, library="tf_keras")'
    )
