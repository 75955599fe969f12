"""The fixture for fake distributions, and numbers compared as Keras 2.9 rounds them."""

from __future__ import annotations

import pytest
from tests.fake_site import site

__all__ = ["as_rounded", "site"]


@pytest.fixture
def as_rounded():
    """A function that makes a configuration of Keras 2.9 equal to ours.

    Its numbers went through float32; and its Nadam saves the one decay it has under the name of the other.
    """

    def rounded(config, *, ours):
        if "schedule_decay" in ours:
            config = {**config, "schedule_decay": config["decay"], "decay": ours["decay"]}
        return {k: pytest.approx(v, rel=1e-7) if isinstance(v, float) else v for k, v in config.items()}

    return rounded
