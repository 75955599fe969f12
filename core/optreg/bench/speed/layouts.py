"""Parameter layouts: the lists of shapes on which the update step is measured.

The same optimizer is limited by memory bandwidth on a few large tensors and by the cost of each call on many
small ones, so no single layout speaks for all models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from optreg.errors import OptregError, listing, suggestion

Shape = tuple[int, ...]


class UnknownLayout(OptregError, LookupError):
    """No parameter layout has the name that was asked for."""


@dataclass(frozen=True)
class Layout:
    """A named list of shapes of float32 variables.

    Args:
        name: As given to ``optreg bench --layout``.
        shapes: One shape for each variable.
        description: One line on what the layout stands for.
        gradient_rows: Rows in the sparse gradient of each variable, indices repeating; 0 for dense gradients.
    """

    name: str
    shapes: tuple[Shape, ...]
    description: str = ""
    gradient_rows: int = 0

    @property
    def parameters(self) -> int:
        """Number of scalar parameters in all variables together."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def tensors(self) -> int:
        """Number of variables."""
        return len(self.shapes)


def one_big() -> Layout:
    """One matrix of 33.6 million parameters: memory bandwidth and nothing else."""
    return Layout("one-big", ((8192, 4096),), "one matrix of 33.6M parameters")


def many_small() -> Layout:
    """A thousand vectors of a thousand parameters: the cost of a call for each tensor."""
    return Layout("many-small", ((1000,),) * 1000, "1000 vectors of 1000 parameters")


def resnet50() -> Layout:
    """The 161 trainable tensors of ResNet-50 without convolution biases, 25,557,032 parameters."""
    return Layout("resnet50", tuple(_resnet50_shapes()), "the 161 tensors of ResNet-50, 25.6M parameters")


def embedding() -> Layout:
    """A table of a million rows whose gradient holds 4,096 of them, some twice."""
    return Layout("embedding", ((1_000_000, 64),), "table 1M x 64, sparse gradient of 4,096 rows", gradient_rows=4096)


def _resnet50_shapes() -> Iterator[Shape]:
    """Yield the stem, four stages of bottleneck blocks, and the classifier."""
    yield from _convolution(7, 3, 64)
    channels = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            yield from _convolution(1, channels, width)
            yield from _convolution(3, width, width)
            yield from _convolution(1, width, 4 * width)
            if block == 0:
                yield from _convolution(1, channels, 4 * width)  # projection of the shortcut
            channels = 4 * width
    yield (channels, 1000)
    yield (1000,)


def _convolution(size: int, inputs: int, outputs: int) -> Iterator[Shape]:
    """Yield a square kernel and the scale and offset of the batch normalization behind it."""
    yield (size, size, inputs, outputs)
    yield (outputs,)
    yield (outputs,)


LAYOUTS: Mapping[str, Callable[[], Layout]] = {
    "one-big": one_big,
    "resnet50": resnet50,
    "many-small": many_small,
    "embedding": embedding,
}

# Fewest tensors first: what a tensor costs, learned on one layout, forecasts the next.
DEFAULT_LAYOUTS = ("one-big", "resnet50", "many-small")


def find_layout(layout: str | Layout) -> Layout:
    """Return the layout of that name, or the layout itself.

    Raises:
        UnknownLayout: No layout has the name.
    """
    if isinstance(layout, Layout):
        return layout
    if layout not in LAYOUTS:
        raise UnknownLayout(f"unknown layout {layout!r}; layouts: {listing(LAYOUTS)}.{suggestion(layout, LAYOUTS)}")
    return LAYOUTS[layout]()
