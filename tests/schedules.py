"""A learning rate schedule that no library knows, for tests of how such classes are found again."""

from __future__ import annotations

from typing import Any


class Constant:
    """0.5 at every step."""

    def __call__(self, step: Any) -> float:
        return 0.5

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        return cls(**config)
