"""The recipes' generators and discriminators, sized by the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from fastgan import nn as fnn


@dataclass(frozen=True)
class NetworkSize:
    """What the networks' shapes depend on.

    Attributes:
        sample_shape: one sample's shape, images as (C, H, W).
        latent_dim: numbers in a latent vector.
        negative_slope: of the leaky ReLUs.
        dropout: probability in the discriminator.
        bounded: samples lie in [-1, 1], so that the generator ends in tanh.
    """

    sample_shape: tuple[int, ...]
    latent_dim: int = 100
    negative_slope: float = 0.2
    dropout: float = 0.3
    bounded: bool = True


def mlp_generator(size: NetworkSize, hidden: Sequence[int] = (128, 128)) -> nn.Sequential:
    """Dense layers with leaky ReLU from (N, latent_dim) to (N, *sample_shape)."""
    layers: list[nn.Module] = []
    width = size.latent_dim
    for features in hidden:
        layers += [nn.Linear(width, features), fnn.LeakyReLU(size.negative_slope, inplace=True)]
        width = features
    layers.append(nn.Linear(width, math.prod(size.sample_shape)))
    if size.bounded:
        layers.append(nn.Tanh())
    return nn.Sequential(*layers, nn.Unflatten(1, size.sample_shape))


def mlp_discriminator(size: NetworkSize, hidden: Sequence[int] = (128, 128)) -> nn.Sequential:
    """Dense layers with leaky ReLU and dropout from (N, *sample_shape) to logits (N, 1)."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(size.sample_shape)
    for features in hidden:
        layers += [nn.Linear(width, features), _activation(size)]
        width = features
    return nn.Sequential(*layers, nn.Linear(width, 1))


def _activation(size: NetworkSize) -> nn.Module:
    if size.dropout == 0:
        return fnn.LeakyReLU(size.negative_slope, inplace=True)
    return fnn.LeakyReLUDropout(size.negative_slope, size.dropout, inplace=True)


Builder = Callable[[NetworkSize], nn.Module]

NETWORKS: dict[str, tuple[Builder, Builder]] = {
    "mlp": (mlp_generator, mlp_discriminator),
}


def build(network: str, size: NetworkSize) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator named `network`.

    Raises:
        ValueError: for an unknown name, or a sample shape that the network cannot serve.
    """
    if network not in NETWORKS:
        raise ValueError(f"models: expected one of {', '.join(NETWORKS)}, got '{network}'")
    generator, discriminator = NETWORKS[network]
    return generator(size), discriminator(size)


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether some layer mixes the samples of a batch, as batch normalisation does."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())
