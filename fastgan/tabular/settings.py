"""The settings of a training for the size of its table."""

from __future__ import annotations

import math

from fastgan.train.config import TrainConfig

__all__ = ["fitted"]

_LEAST_BATCH, _LEAST_STEPS = 50, 10


def fitted(config: TrainConfig, rows: int, epochs: int) -> TrainConfig:
    """The settings for a table: `steps`, smaller batches for a small table, a shorter average for a short training.

    A table of fewer than 10 batches is trained in batches of a tenth of its rows, but at least 50.

    Args:
        config: the settings for any table.
        rows: of the table.
        epochs: passes over it.
    """
    size = min(config.batch_size, max(_LEAST_BATCH, rows // _LEAST_STEPS))
    size = max(1, size // config.pack) * config.pack
    steps = epochs * math.ceil(rows / size)
    # In a short training an average over 1,000 steps would hold much of the first weights.
    decay = min(config.ema_decay, max(0.0, 1 - 10 / steps))
    return config.replace(batch_size=size, steps=steps, ema_decay=decay)
