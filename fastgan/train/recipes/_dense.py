"""Recipes of dense networks."""

from __future__ import annotations

from typing import Any

# Learning rates were compared on the digits by precision / recall / coverage of 2,000 samples (k = 5, pixels), with
# `fastgan train`'s 10,000 steps of 128 (AMD EPYC, 2 cores, AVX-512; torch 2.13.0; 2026-11-20):
#   2e-3                0.93 / 0.62 / 0.94, seeds 0 to 2 within 0.01
#   2e-4                0.84 / 0.20 / 0.67
#   2e-4, 24,000 steps  0.78 / 0.78 / 0.85, in a minute
# One thread, because the matrices are too small for two: on a busy machine two threads took six times as long. With one
# thread results do not depend on the number of cores either.
_MLP: dict[str, Any] = {
    "steps": 10000,
    "batch_size": 128,
    "lr_g": 2e-3,
    "lr_d": 2e-3,
    "ema_decay": 0.9995,
    "threads": 1,
}

# Results on the digits of `fastgan train --recipe NAME`, measured by `fastgan eval RUN`: FID over features learned from
# the digits, and precision / recall / coverage of 2,000 samples in pixels (k = 5). Intel Xeon (AVX-512), one thread,
# torch 2.13.0, 2026-11-21, seed 0. For comparison: untrained networks have an FID above 100 and 0 / 0 / 0; one half of
# the digits against the other has an FID of 0.25 and 0.96 / 0.96 / 0.96.
#   mlp           0.40  0.93 / 0.66 / 0.95
#   lsgan         0.42  0.92 / 0.68 / 0.93
#   hinge         0.52  0.93 / 0.61 / 0.95
#   relativistic  0.39  0.93 / 0.61 / 0.95
#   r1            0.77  0.96 / 0.61 / 0.96
#   wgan          0.40  0.59 / 0.89 / 0.64
#   wgan-gp       0.34  0.86 / 0.85 / 0.92
#   conditional   0.26  0.90 / 0.72 / 0.94
#   dcgan         1.16  0.87 / 0.71 / 0.85
#   resnet        0.37  0.88 / 0.55 / 0.85 (FID over other features, halves 0.39)
# WGAN's `weight_clip` of 0.1 is a compromise. With 0.05 precision and coverage are 0.48 and 0.45 (2,500 steps); with
# 0.3 recall is 0.05 (1,500 steps).
DENSE: dict[str, dict[str, Any]] = {
    "mlp": _MLP,
    "lsgan": {**_MLP, "loss": "lsgan"},
    "hinge": {**_MLP, "loss": "hinge"},
    "wgan": {
        **_MLP,
        "loss": "wasserstein",
        "optimizer": "rmsprop",
        "lr_g": 1e-3,
        "lr_d": 1e-3,
        "weight_clip": 0.1,
        "n_critic": 5,
        "dropout": 0.0,
        "ema_decay": 0.998,
        "steps": 5000,
    },
    "wgan-gp": {
        **_MLP,
        "loss": "wasserstein",
        "gp_weight": 10.0,
        "n_critic": 5,
        "dropout": 0.0,
        "betas": (0.0, 0.9),
        "ema_decay": 0.998,
        "steps": 4000,
    },
    "relativistic": {**_MLP, "loss": "relativistic"},
    "r1": {**_MLP, "r1_gamma": 0.1, "dropout": 0.0},
    "conditional": {
        **_MLP,
        "conditional": True,
        "loss": "relativistic",
        "steps": 6000,
        "dropout": 0.0,
        "lr_g": 1.5e-3,
        "lr_d": 1.5e-3,
        "lr_schedule": "cosine",
        "r1_gamma": 2.0,
        "r2_gamma": 2.0,
        "r1_interval": 4,
        "ema_decay": 0.999,
    },
}
