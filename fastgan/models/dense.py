"""Generator and discriminator of dense layers, for samples of any shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from fastgan import nn as fnn
from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize, activation

__all__ = ["mlp_discriminator", "mlp_generator"]


def mlp_generator(size: NetworkSize, hidden: Sequence[int] = (128, 128)) -> nn.Sequential:
    """Dense layers with leaky ReLU from (N, latent_dim) to samples (N, ...).

    Args:
        size: the shapes of latents and samples, and the layers' settings.
        hidden: width of each hidden layer.
    """
    layers: list[nn.Module] = []
    width = size.latent_dim
    for features in hidden:
        layers += [nn.Linear(width, features), fnn.LeakyReLU(size.negative_slope, inplace=True)]
        width = features
    layers.append(nn.Linear(width, math.prod(size.sample_shape)))
    return nn.Sequential(*layers, *bound(size.bounded), nn.Unflatten(1, size.sample_shape))


def mlp_discriminator(size: NetworkSize, hidden: Sequence[int] = (128, 128)) -> nn.Sequential:
    """Dense layers with leaky ReLU and dropout from samples (N, ...) to logits (N, 1).

    Args:
        size: the shape of the samples, and the layers' settings.
        hidden: width of each hidden layer.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(size.sample_shape)
    for features in hidden:
        layers += [nn.Linear(width, features), activation(size)]
        width = features
    return nn.Sequential(*layers, nn.Linear(width, 1))
