"""Parameter layouts: the lists of shapes on which the update step is measured.

The same optimizer is limited by memory bandwidth on a few large tensors and by the cost of each call on many
small ones, so no single layout speaks for all models.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from optreg.bench.speed.layout_files import is_file, read_shapes
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
    def fingerprint(self) -> str:
        """The sha256 of all that a step depends on, so that only equal layouts are compared."""
        return hashlib.sha256(json.dumps([self.shapes, self.gradient_rows]).encode()).hexdigest()

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


def dozen() -> Layout:
    """Twelve square matrices, for what is measured many times over, such as replicas."""
    return Layout("dozen", ((256, 256),) * 12, "12 matrices of 256 x 256, 786 thousand parameters")


def embedding() -> Layout:
    """A table of a million rows whose gradient holds 4,096 of them, some twice."""
    return Layout("embedding", ((1_000_000, 64),), "table 1M x 64, sparse gradient of 4,096 rows", gradient_rows=4096)


def bert_base() -> Layout:
    """The 199 tensors of BERT base without a head, 109,482,240 parameters."""
    return Layout("bert-base", tuple(_bert_shapes()), "the 199 tensors of BERT base, 109M parameters")


def gpt2() -> Layout:
    """The 148 tensors of the small GPT-2 with tied embeddings, 124,439,808 parameters."""
    return Layout("gpt2", tuple(_gpt2_shapes()), "the 148 tensors of GPT-2 small, 124M parameters")


def _bert_shapes() -> Iterator[Shape]:
    """Yield the embeddings, twelve encoder blocks, and the pooler."""
    width, inner = 768, 3072
    yield from ((30_522, width), (512, width), (2, width), (width,), (width,))
    for _ in range(12):
        for _ in range(4):  # query, key, value and output of the attention
            yield from ((width, width), (width,))
        yield from ((width,), (width,), (width, inner), (inner,), (inner, width), (width,), (width,), (width,))
    yield from ((width, width), (width,))


def _gpt2_shapes() -> Iterator[Shape]:
    """Yield the embeddings, twelve decoder blocks, and the last normalization."""
    width, inner = 768, 3072
    yield from ((50_257, width), (1024, width))
    for _ in range(12):
        yield from ((width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,))
        yield from ((width,), (width,), (width, inner), (inner,), (inner, width), (width,))
    yield from ((width,), (width,))


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
    "bert-base": bert_base,
    "gpt2": gpt2,
    "dozen": dozen,
}

_OTHER_NAMES = {"embedding-sparse": "embedding"}

# Fewest tensors first: what a tensor costs, learned on one layout, forecasts the next.
DEFAULT_LAYOUTS = ("one-big", "resnet50", "many-small")


def find_layout(layout: str | Layout) -> Layout:
    """Return the layout of that name, or the layout itself.

    A name that ends in ``.json`` is a file with shapes, ``.keras`` or a folder a saved model.

    Raises:
        UnknownLayout: No layout has the name.
        InvalidLayout: The file does not describe one.
    """
    if isinstance(layout, Layout):
        return layout
    if layout not in LAYOUTS and is_file(layout):
        shapes, description, rows = read_shapes(layout)
        return Layout(Path(layout).stem, shapes, description, rows)
    layout = _OTHER_NAMES.get(layout, layout)
    if layout not in LAYOUTS:
        raise UnknownLayout(f"unknown layout {layout!r}; layouts: {listing(LAYOUTS)}.{suggestion(layout, LAYOUTS)}")
    return LAYOUTS[layout]()
