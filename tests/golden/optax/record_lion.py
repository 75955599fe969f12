"""Record what optax's Lion does: ``python tests/golden/optax/record_lion.py`` with optax installed writes lion.json."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import optax

SETTINGS = {"plain": {"weight_decay": 0.0}, "decayed": {"b1": 0.8, "b2": 0.95, "weight_decay": 0.25}}


def record(settings: dict[str, float], steps: int = 30) -> dict[str, object]:
    """Return start, gradients and the weights after each step."""
    jax.config.update("jax_enable_x64", True)
    random = np.random.default_rng(11)
    weights = jax.numpy.asarray(random.normal(size=(4, 3)))
    start, rule = weights, optax.lion(0.03125, **settings)
    state = rule.init(weights)
    gradients, path = [], []
    for _ in range(steps):
        gradients.append(random.normal(size=(4, 3)))
        updates, state = rule.update(jax.numpy.asarray(gradients[-1]), state, weights)
        weights = optax.apply_updates(weights, updates)
        path.append(np.asarray(weights).tolist())
    return {
        "start": np.asarray(start).tolist(),
        "gradients": [gradient.tolist() for gradient in gradients],
        "path": path,
    }


if __name__ == "__main__":
    recorded = {name: {"settings": settings, **record(settings)} for name, settings in SETTINGS.items()}
    document = {"optax": optax.__version__, "jax": jax.__version__, "learning_rate": 0.03125, "runs": recorded}
    Path(__file__).with_name("lion.json").write_text(json.dumps(document) + "\n", encoding="utf-8")
