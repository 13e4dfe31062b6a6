"""What networks of images without normalisation share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fastgan import functional as FF
from fastgan.models.size import NetworkSize, nearest_that_work

__all__ = ["SMALLEST", "BiasLeakyReLU", "Logit", "leaky_gain", "map_sides", "map_widths", "planes"]

SMALLEST = 4  # pixels of the smallest map's shorter side, at least


class BiasLeakyReLU(nn.Module):
    """Adds a bias (C,) to (N, C, H, W), then leaky ReLU and dropout, in one kernel and in place.

    Args:
        channels: C.
        negative_slope: of the leaky ReLU.
        dropout: its probability while training.
    """

    def __init__(self, channels: int, negative_slope: float, dropout: float) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.negative_slope, self.dropout = negative_slope, dropout

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, C, H, W), overwritten with the result.

        Args:
            x: what a convolution without a bias returned.
        """
        return FF.leaky_relu_dropout(
            x, self.negative_slope, self.dropout, training=self.training, inplace=True, bias=self.bias
        )

    def extra_repr(self) -> str:
        return f"{len(self.bias)}, negative_slope={self.negative_slope}, dropout={self.dropout}"


class Logit(nn.Module):
    """(N, C) to logits (N, 1), a linear layer that autocast leaves in float32.

    The relativistic loss reads differences of logits, whose common size is free and grows: at a logit of 5, bfloat16 is
    exact to 0.016.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels) * channels**-0.5)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """The logits (N, 1).

        Args:
            x: features (N, C).
        """
        return (x * self.weight).sum(1, keepdim=True) + self.bias


def leaky_gain(negative_slope: float) -> float:
    """The factor by which weights are larger before a leaky ReLU, so that it keeps the variance (He et al., 2015).

    Args:
        negative_slope: of the leaky ReLU.
    """
    return math.sqrt(2 / (1 + negative_slope**2))


def planes(network: str, size: NetworkSize, least: int) -> tuple[int, tuple[int, int]]:
    """The channels of the images, and their height and width.

    Args:
        network: its name, for the message.
        size: with the shape of the images.
        least: pixels that height and width must have.

    Raises:
        ValueError: for samples that are not images, or smaller ones.
    """
    if len(size.sample_shape) != 3:
        raise ValueError(f"{network}: expected images (C, H, W), got samples of shape {size.sample_shape}")
    channels, height, width = size.sample_shape
    if min(height, width) < least:
        nearest = nearest_that_work(max(height, least), max(width, least))
        raise ValueError(
            f"{network}: expected images of at least {least} x {least} pixels, got {(height, width)}; {nearest}"
        )
    return channels, (height, width)


def map_sides(largest: tuple[int, int]) -> list[tuple[int, int]]:
    """Heights and widths of maps, halved and rounded up until the shorter side has 4 to 6 pixels.

    Args:
        largest: height and width of the first map.
    """
    sides = [largest]
    while min(sides[-1]) >= 2 * SMALLEST - 1:
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    return sides


def map_widths(most: int, least: int, maps: int) -> list[int]:
    """Channels of maps, from the largest map to the smallest: halved from map to map, but never below the least.

    Args:
        most: channels of the smallest map.
        least: channels that any map has.
        maps: how many.
    """
    return [max(least, most >> level) for level in reversed(range(maps))]
