"""Networks for points in a few dimensions whose density has structure of very different sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fastgan import nn as fnn
from fastgan.models.size import NetworkSize, activation

__all__ = ["Octaves", "Scale", "points_discriminator", "points_generator"]

_OCTAVES = 8
_LATENT_SCALE = 4.0


class Octaves(nn.Module):
    """Appends sin(2^k x) and cos(2^k x), k from 0 to `octaves` - 1, to every number x of a sample.

    A plain dense network learns a function's coarse features long before its fine ones; these inputs
    (Tancik et al., 2020) let a discriminator see a mode a hundredth as wide as the data from the first steps on.
    """

    def __init__(self, octaves: int = _OCTAVES) -> None:
        super().__init__()
        self.octaves = octaves

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) of F numbers a sample to (N, F * (1 + 2 * octaves))."""
        x = x.flatten(1)
        steps = 2.0 ** torch.arange(self.octaves, dtype=x.dtype, device=x.device)
        phase = (x[:, :, None] * steps).flatten(1)
        return torch.cat((x, phase.sin(), phase.cos()), 1)

    def extra_repr(self) -> str:
        """The octaves, for print."""
        return f"octaves={self.octaves}"


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(...) to the same shape."""
        return x * self.factor

    def extra_repr(self) -> str:
        """The factor, for print."""
        return f"factor={self.factor}"


def points_generator(size: NetworkSize, hidden: Sequence[int] = (128,) * 4) -> nn.Sequential:
    """Dense layers with ReLU from (N, latent_dim), which are made four times as wide, to (N, *sample_shape).

    Between modes that do not touch, a generator has to jump, and within each to stay put: ReLU has flat pieces, and
    wide latents and depth make the network steep between them.
    """
    layers: list[nn.Module] = [Scale(_LATENT_SCALE)]
    width = size.latent_dim
    for features in hidden:
        layers += [nn.Linear(width, features), fnn.ReLU(inplace=True)]
        width = features
    layers.append(nn.Linear(width, math.prod(size.sample_shape)))
    if size.bounded:
        layers.append(nn.Tanh())
    return nn.Sequential(*layers, nn.Unflatten(1, size.sample_shape))


def points_discriminator(size: NetworkSize, hidden: Sequence[int] = (128, 128, 128)) -> nn.Sequential:
    """`Octaves`, then dense layers with leaky ReLU and dropout, from (N, *sample_shape) to logits (N, 1)."""
    octaves = Octaves()
    layers: list[nn.Module] = [octaves]
    width = math.prod(size.sample_shape) * (1 + 2 * octaves.octaves)
    for features in hidden:
        layers += [nn.Linear(width, features), activation(size)]
        width = features
    return nn.Sequential(*layers, nn.Linear(width, 1))
