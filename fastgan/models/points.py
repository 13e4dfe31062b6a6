"""Generator and discriminator for points in a few dimensions, such as mixtures of narrow Gaussians."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fastgan import nn as fnn
from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize, activation

__all__ = ["FourierFeatures", "Scale", "points_discriminator", "points_generator"]

_OCTAVES = 8
_LATENT_SCALE = 4.0


class FourierFeatures(nn.Module):
    """Appends sin(2^k x) and cos(2^k x), k = 0 .. octaves - 1, for every number x of a sample.

    Dense networks learn the coarse structure of a function long before the fine structure. With these inputs (Tancik
    et al., 2020) a discriminator can separate modes a hundredth as wide as the data from the first steps on.

    Args:
        octaves: the number of frequencies, each twice the one before.
    """

    def __init__(self, octaves: int = _OCTAVES) -> None:
        super().__init__()
        self.octaves = octaves

    def forward(self, x: Tensor) -> Tensor:
        """Map `x` (N, ...) with F numbers a sample to (N, F * (1 + 2 * octaves))."""
        x = x.flatten(1)
        steps = 2.0 ** torch.arange(self.octaves, dtype=x.dtype, device=x.device)
        phase = (x[:, :, None] * steps).flatten(1)
        return torch.cat((x, phase.sin(), phase.cos()), 1)

    def extra_repr(self) -> str:
        """The number of octaves, for the module's printed form."""
        return f"octaves={self.octaves}"


class Scale(nn.Module):
    """Multiplies by a constant.

    Args:
        factor: the constant.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `x`, of any shape."""
        return x * self.factor

    def extra_repr(self) -> str:
        """The factor, for the module's printed form."""
        return f"factor={self.factor}"


def points_generator(size: NetworkSize, hidden: Sequence[int] = (128,) * 4) -> nn.Sequential:
    """Dense layers with ReLU from latents (N, latent_dim) to samples (N, *sample_shape).

    Between modes that do not touch, the generator must be steep, and within a mode flat. ReLU gives the flat pieces;
    depth, and latents multiplied by 4, make the network steep between them.

    Args:
        size: the shapes of latents and samples, and the layers' settings.
        hidden: width of each hidden layer.
    """
    layers: list[nn.Module] = [Scale(_LATENT_SCALE)]
    width = size.latent_dim
    for features in hidden:
        layers += [nn.Linear(width, features), fnn.ReLU(inplace=True)]
        width = features
    layers.append(nn.Linear(width, math.prod(size.sample_shape)))
    return nn.Sequential(*layers, *bound(size.bounded), nn.Unflatten(1, size.sample_shape))


def points_discriminator(size: NetworkSize, hidden: Sequence[int] = (128, 128, 128)) -> nn.Sequential:
    """Fourier features, then dense layers with leaky ReLU and dropout, from samples (N, ...) to logits (N, 1).

    Args:
        size: the shape of the samples, and the layers' settings.
        hidden: width of each hidden layer.
    """
    layers: list[nn.Module] = [FourierFeatures(_OCTAVES)]
    width = math.prod(size.sample_shape) * (1 + 2 * _OCTAVES)
    for features in hidden:
        layers += [nn.Linear(width, features), activation(size)]
        width = features
    return nn.Sequential(*layers, nn.Linear(width, 1))
