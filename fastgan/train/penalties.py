"""The gradient penalties of D's loss: WGAN-GP's, R1 and R2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from fastgan.losses import gradient_penalty, r1_penalty
from fastgan.train.conditions import Condition, judge, twice
from fastgan.train.config import TrainConfig
from fastgan.train.optimizers import Schedules

__all__ = ["Penalties"]


class Penalties:
    """The weighted gradient penalties of a batch.

    They take the first samples of the batch, its share `penalty_share`. A batch is drawn at random, so these are too.

    Args:
        config: the weights.
        schedules: those of R1's and R2's weights.
        discriminator: D.
        input_of_d: augments and packs samples.
    """

    def __init__(
        self,
        config: TrainConfig,
        schedules: Schedules,
        discriminator: nn.Module,
        input_of_d: Callable[[Tensor], Tensor],
    ) -> None:
        self._config, self._schedules = config, schedules
        self._discriminator, self._input_of_d = discriminator, input_of_d

    def __call__(self, real: Tensor, fake: Tensor, condition: Condition, due: bool, joint: bool) -> list[Tensor]:
        """The penalties, each a scalar.

        Args:
            real: (N, ...).
            fake: (N, ...), without a graph.
            condition: the labels (N,) or input images of both, or None.
            due: whether R1 and R2 are.
            joint: whether D may get real and generated samples in one batch.
        """
        config, schedules = self._config, self._schedules
        count = max(1, round(config.penalty_share * len(real) / config.pack)) * config.pack
        real, fake = real[:count], fake[:count].to(real.dtype)  # 16 bits under autocast; layers' weights are float32
        condition = None if condition is None else condition[:count]
        critic = partial(judge, self._discriminator, condition=condition)
        found = []
        if config.gp_weight > 0:
            x, y = self._input_of_d(real), self._input_of_d(fake)
            found.append(config.gp_weight * gradient_penalty(critic, x, y))
        if not due:
            return found
        if joint and config.r1_gamma == config.r2_gamma > 0:  # one mean over twice the samples
            critic = partial(judge, self._discriminator, condition=twice(condition))
            penalty = r1_penalty(critic, self._input_of_d(torch.cat((real, fake))))
            return [*found, 2 * config.r1_interval * schedules.r1 * penalty]
        for gamma, weight, samples in ((config.r1_gamma, schedules.r1, real), (config.r2_gamma, schedules.r2, fake)):
            if gamma > 0:
                found.append(config.r1_interval * weight * r1_penalty(critic, self._input_of_d(samples)))
        return found
