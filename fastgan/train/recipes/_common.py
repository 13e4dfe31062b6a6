"""What all recipes share."""

from __future__ import annotations

from typing import Any

# Each recipe is these settings with its own differences.
COMMON: dict[str, Any] = {
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
    "beta2_start": 0.0,
    "ema_schedule": "constant",
    "schedule_share": 1.0,
    "lr_schedule": "constant",
    "lr_final": 0.0,
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
    "gamma_final": 0.0,
    "l1": 0.0,
    "l2": 0.0,
    "threads": 0,
}
