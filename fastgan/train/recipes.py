"""The recipes: for each name, the settings it stands for.

A recipe holds what differs from `_COMMON`. Every setting can still be given on its own, so
`TrainConfig(recipe="mlp", loss="hinge")` is the MLP GAN with another loss.
"""

from __future__ import annotations

from typing import Any

_COMMON: dict[str, Any] = {
    "network": "mlp",
    "loss": "bce",
    "steps": 12000,
    "batch_size": 64,
    "checkpoint_every": 2000,
    "sample_every": 2000,
    "log_every": 100,
    "latent_dim": 100,
    "negative_slope": 0.2,
    "dropout": 0.3,
    "optimizer": "adam",
    "lr_g": 2e-4,
    "lr_d": 2e-4,
    "betas": (0.5, 0.999),
    "n_critic": 1,
    "ema_decay": 0.999,
    "real_target": 1.0,
    "threads": 0,
}

_DIFFERENCES: dict[str, dict[str, Any]] = {
    "mlp": {
        "steps": 12000,
        "batch_size": 64,
        "lr_g": 2e-3,
        "lr_d": 2e-3,
        "ema_decay": 0.9995,
        "threads": 1,
    },
}

RECIPES = {name: {**_COMMON, **differences} for name, differences in _DIFFERENCES.items()}
