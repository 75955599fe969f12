"""TensorFlow, imported when it is first used.

The catalogue of checks is read when pytest collects and when ``optreg validate`` looks at its arguments. Neither may
cost the four seconds that importing TensorFlow takes.
"""

from __future__ import annotations

import importlib
from typing import Any


class _LazyTensorFlow:
    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("tensorflow"), name)


tf: Any = _LazyTensorFlow()
