"""The condition of a batch: nothing, class labels, or the images that a generator translates.

G of latents takes (latents) or (latents, labels), and D (samples) or (samples, labels). G of image to image takes its
input images, and D (samples, inputs). So D has one rule, and G that of `generate`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

__all__ = ["Condition", "are_inputs", "generate", "judge", "twice"]

Condition = Tensor | None  # labels (N,) int64, or input images (N, C, H, W) of a floating dtype


def are_inputs(condition: Condition) -> bool:
    """Whether a `condition` is the images that a generator translates."""
    return condition is not None and condition.is_floating_point()


def generate(generator: nn.Module, latents: Tensor, condition: Condition) -> Tensor:
    """The samples of a generator, which draws from `latents` (N, latent_dim) or translates its inputs.

    Args:
        generator: the network.
        latents: not used for inputs.
        condition: labels, input images or None.
    """
    if condition is None:
        return cast(Tensor, generator(latents))
    return cast(Tensor, generator(condition) if are_inputs(condition) else generator(latents, condition))


def judge(discriminator: nn.Module, samples: Tensor, condition: Condition) -> Tensor:
    """The logits of a discriminator for `samples` (N, ...).

    Args:
        discriminator: the network.
        samples: real or generated.
        condition: labels or input images of the samples, or None.
    """
    return cast(Tensor, discriminator(samples) if condition is None else discriminator(samples, condition))


def twice(condition: Condition) -> Condition:
    """The condition (2 N, ...) of N real and N generated samples in one batch, where both have the same `condition`."""
    return None if condition is None else torch.cat((condition, condition))
