"""The recipe for pairs of images."""

from __future__ import annotations

from typing import Any

PAIRS: dict[str, dict[str, Any]] = {
    # Isola et al. (2017), section 3.3 and appendix 6.2: Adam with a first beta of 0.5, L1 of weight 100, batches of 1
    # to 10. G has no latents. The sample grids show images that are held out.
    # Learning rates, on OpenMoji's pictures (64 pixels, colours from grey, one seed of each, 2026-11-27): with the
    # paper's 2e-4 for both networks D was nearly certain at steps 800 to 1,200 (p(real) 0.95 and p(fake) 0.05), and
    # lines were blurred. With these p(real) was 0.66 and p(fake) 0.35 at step 1,000, and lines were sharp.
    "pix2pix": {
        "network": "pix2pix",
        "holdout": 0.1,
        "batch_size": 4,
        "dropout": 0.5,
        "latent_dim": 1,
        "lr_g": 6e-4,
        "lr_d": 1e-4,
        "reconstruction": 100.0,
        # The half-life rises over the run, so that also a short one forgets its first weights.
        "ema_decay": 0.998,
        "ema_schedule": "linear",
        "log_every": 20,
        "checkpoint_every": 1000,
        "sample_every": 500,
    },
}
