"""The statistics of batch normalisation in the moving average of a generator of tables."""

from __future__ import annotations

import torch
from torch import nn

from fastgan._support.random import derive
from fastgan.models.tables import TableGenerator, calibrate
from fastgan.train.batches import Order
from fastgan.train.config import TrainConfig
from fastgan.train.randomness import Purpose
from fastgan.train.sampling import ConditionOrder

__all__ = ["calibrate_average"]

_BATCHES = 20


def calibrate_average(average: nn.Module, order: Order, config: TrainConfig) -> None:
    """Compute a moving average's statistics of batch normalisation anew, as the generator's do not fit its weights.

    They are a pure function of the weights, the table and the seed. Other generators than those of tables keep theirs.

    Args:
        average: the moving average; it is left in eval mode.
        order: of the training's batches, whose conditions are drawn.
        config: `seed`, `batch_size` and `latent_dim`.
    """
    if not isinstance(average, TableGenerator) or not isinstance(order, ConditionOrder):
        return
    device = average.out.weight.device
    generator = torch.Generator(device).manual_seed(derive(config.seed, Purpose.CALIBRATION, 1))
    conditions = order.draws(Purpose.CALIBRATION, _BATCHES)
    shape = config.batch_size, config.latent_dim
    calibrate(average, ((torch.randn(shape, device=device, generator=generator), given) for given in conditions))
