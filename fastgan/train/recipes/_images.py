"""Recipes of convolutional networks."""

from __future__ import annotations

from typing import Any

from fastgan.train.recipes.fitting import Fit

IMAGES: dict[str, dict[str, Any]] = {
    "dcgan": {
        # Precision / coverage on the digits after 1,600 steps: 0.80 / 0.72; with 1e-3 for both networks 0.70 / 0.63.
        "lr_g": 2e-3,
        "lr_d": 1e-3,
        "ema_decay": 0.998,
        "network": "dcgan",
        "steps": 3000,
        "log_every": 20,
        "checkpoint_every": 500,
        "sample_every": 500,
    },
    "resnet": {
        "network": "resnet",
        "loss": "hinge",
        "lr_g": 1e-3,
        "lr_d": 1e-3,
        "dropout": 0.0,
        "batch_size": 64,
        "betas": (0.0, 0.9),
        "ema_decay": 0.995,
        "steps": 2000,
        "log_every": 20,
        "checkpoint_every": 500,
        "sample_every": 500,
    },
}

# The digits' learning rates are ten times too large for images of 16 pixels and more. Radford et al. (2016) take 2e-4.
IMAGE_FITS: dict[str, tuple[Fit, ...]] = {
    "dcgan": (Fit({"lr_g": 2e-4, "lr_d": 2e-4}, sides=(16, None)),),
}
