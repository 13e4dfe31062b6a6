"""Latent directions that change a generator's samples most."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["principal_directions"]


def principal_directions(generator: nn.Module, latent_dim: int, count: int) -> Tensor:
    """Unit vectors in the latent space, the one along which the first layer's output varies most first.

    Latents are drawn from a normal distribution of equal variance in all directions. So the principal components of a
    linear first layer's outputs, as in GANSpace (Härkönen et al., 2020), are the singular vectors of its weight, and
    nothing needs to be sampled. This is the closed form of Shen and Zhou (2021). Each vector's largest entry is
    positive.

    Args:
        generator: a network whose first layer, dense or convolutional, takes the latents, and perhaps classes after
            them.
        latent_dim: entries of a latent vector.
        count: directions wanted; at most `latent_dim` are there.

    Returns:
        The directions (count, latent_dim).

    Raises:
        ValueError: where no layer takes latents of this length.
    """
    weight = _first_weight(generator, latent_dim)
    _, _, directions = torch.linalg.svd(weight.double(), full_matrices=False)
    chosen = directions[:count]
    largest = chosen.gather(1, chosen.abs().argmax(dim=1, keepdim=True))
    signed: Tensor = chosen * largest.sign()
    return signed.float()


def _first_weight(generator: nn.Module, latent_dim: int) -> Tensor:
    """The weight of the first layer as a matrix (outputs, latent_dim)."""
    for module in generator.modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor):
            continue
        if isinstance(module, nn.Linear | nn.Conv2d) and weight.shape[1] >= latent_dim:
            return weight.detach()[:, :latent_dim].transpose(0, 1).flatten(1).T
        if isinstance(module, nn.ConvTranspose2d) and weight.shape[0] >= latent_dim:
            return weight.detach()[:latent_dim].flatten(1).T
    raise ValueError(
        f"explore: expected a generator whose first layer takes latents of length {latent_dim}, found none"
    )
