"""Layouts of the user's own: a JSON file with shapes, or a saved Keras model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optreg.errors import OptregError

_FORM = '{"shapes": [[784, 128], [128]], "gradient_rows": 0}'


class InvalidLayout(OptregError, ValueError):
    """A file does not describe a layout."""


def is_file(name: str) -> bool:
    """Tell whether the name of a layout is the path of a file or of a saved model."""
    return name.endswith((".json", ".keras", ".h5")) or Path(name).is_dir()


def read_shapes(name: str) -> tuple[tuple[tuple[int, ...], ...], str, int]:
    """Return the shapes of the variables, a description, and the rows of a sparse gradient (0: dense).

    Raises:
        InvalidLayout: The file is missing or holds something else.
    """
    return _from_json(Path(name)) if name.endswith(".json") else _from_model(name)


def _from_json(path: Path) -> tuple[tuple[tuple[int, ...], ...], str, int]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidLayout(f"cannot read the layout {path}: {error}; it holds {_FORM}") from error
    shapes = content.get("shapes") if isinstance(content, Mapping) else None
    rows = content.get("gradient_rows", 0) if isinstance(content, Mapping) else 0
    if not isinstance(shapes, list) or not shapes or not all(map(_is_shape, shapes)):
        raise InvalidLayout(f"{path}: a layout holds shapes, lists of positive sizes: {_FORM}")
    if not isinstance(rows, int) or rows < 0 or (rows and not all(shape and rows <= shape[0] for shape in shapes)):
        raise InvalidLayout(f"{path}: gradient_rows is 0 or at most the rows of every variable, received {rows!r}")
    return tuple(map(tuple, shapes)), str(content.get("description", f"shapes of {path.name}")), rows


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)


def _from_model(name: str) -> tuple[tuple[tuple[int, ...], ...], str, int]:
    try:
        import keras  # noqa: PLC0415 - need not be installed

        model = keras.models.load_model(name, compile=False)
    except Exception as error:  # Keras raises many kinds for files that it cannot read
        raise InvalidLayout(f"cannot load the model {name}: {type(error).__name__}: {error}") from error
    shapes = tuple(tuple(int(size) for size in variable.shape) for variable in model.trainable_variables)
    if not shapes:
        raise InvalidLayout(f"the model {name} has no trainable variables")
    return shapes, f"trainable variables of {Path(name).name}", 0
