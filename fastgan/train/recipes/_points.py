"""Recipes for points."""

from __future__ import annotations

from typing import Any

POINTS: dict[str, dict[str, Any]] = {
    # G's learning rate is smaller than D's. D compares the real modes with the samples of many steps: if G moves much
    # from step to step, its samples of a single step, and of the moving average, are narrower than the real mode.
    # G is deep, because a deep G can change quickly between modes. Measured on the grid after 18,000 to 20,000
    # steps: the share of good samples, and the smallest standard deviation of a mode relative to the real one:
    #   3 layers of 128  lr_g 2e-3 (lr_d too)  0.956  0.64
    #                    lr_g 9e-4             0.952  0.75
    #   4 layers         lr_g 8e-4             0.971  0.70
    #                    lr_g 6e-4             0.965  0.77 (another seed: 0.954  0.75)
    #                    lr_g 4e-4             0.957  0.79 (0.963 on the ring)
    #   5 layers         lr_g 4.5e-4           0.968, 0.923 and 0.963 (three seeds)
    "mixture": {
        "network": "points",
        "loss": "relativistic",
        "steps": 20000,
        "batch_size": 256,
        "latent_dim": 4,
        "dropout": 0.0,
        "lr_g": 6.5e-4,
        "lr_d": 2e-3,
        "betas": (0.0, 0.99),
        "lr_schedule": "cosine",
        "r1_gamma": 0.1,
        "r2_gamma": 0.1,
        "gamma_schedule": "linear",
        "ema_decay": 0.995,
        "threads": 1,
    },
}
