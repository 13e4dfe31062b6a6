"""Strided convolutions without normalisation."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

from torch import nn

from fastgan import nn as fnn
from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize, activation
from fastgan.models.unnormalised import SMALLEST, BiasLeakyReLU, Logit, leaky_gain, map_sides, map_widths, planes

__all__ = ["strided_discriminator", "strided_generator"]

_MOST, _LEAST = 192, 16  # channels of the smallest map, and of the largest at least: from map to map they are halved
_HIDDEN = 256  # features before D's logit
_LAST_GAIN = 0.5  # of G's last layer: most pixels start where tanh is not flat

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def strided_generator(size: NetworkSize) -> nn.Sequential:
    """Transposed convolutions with leaky ReLU from (N, latent_dim) to images.

    A dense layer makes the smallest map, whose shorter side has 4 to 6 pixels, with 192 channels. Each transposed
    convolution of stride 2 doubles height and width and halves the channels: 96, 48 and the image's for 28x28 images.
    Nothing is normalised, and no layer is skipped. Images of any sides of at least 7 pixels are served.

    Args:
        size: the shapes of latents and images, and the layers' settings.

    Raises:
        ValueError: for samples that are not images, or smaller than 7 pixels.
    """
    widths, sides = _plan(size)
    gain = leaky_gain(size.negative_slope)
    height, width = sides[-1]
    layers: list[nn.Module] = [
        _drawn(nn.Linear(size.latent_dim, widths[-1] * height * width), gain),
        fnn.LeakyReLU(size.negative_slope, inplace=True),
        nn.Unflatten(1, (widths[-1], height, width)),
    ]
    for level in reversed(range(1, len(sides))):
        kernel, last = _kernel(sides[level - 1]), level == 1
        conv = nn.ConvTranspose2d(widths[level], widths[level - 1], kernel, stride=2, padding=1, bias=last)
        layers.append(_drawn(conv, _LAST_GAIN * gain if last else gain))
        if not last:
            layers.append(BiasLeakyReLU(widths[level - 1], size.negative_slope, 0.0))
    return nn.Sequential(*layers, *bound(size.bounded))


def strided_discriminator(size: NetworkSize) -> nn.Sequential:
    """The generator's maps in reverse order, from images to logits (N, 1).

    Convolutions of stride 2 with leaky ReLU halve height and width; a dense layer with leaky ReLU comes before the
    logit.

    Args:
        size: the shape of the images, and the layers' settings.

    Raises:
        ValueError: as `strided_generator`.
    """
    widths, sides = _plan(size)
    gain = leaky_gain(size.negative_slope)
    layers: list[nn.Module] = []
    for side, (before, after) in zip(sides, pairwise(widths), strict=False):
        conv = nn.Conv2d(before, after, _kernel(side), stride=2, padding=1, bias=False)
        layers += [_drawn(conv, gain), BiasLeakyReLU(after, size.negative_slope, size.dropout)]
    dense = nn.Linear(widths[-1] * math.prod(sides[-1]), _HIDDEN)
    return nn.Sequential(*layers, nn.Flatten(), _drawn(dense, gain), activation(size), Logit(_HIDDEN))


def _kernel(side: tuple[int, int]) -> tuple[int, int]:
    """The kernel whose stride of 2 halves these sides, rounded up: 4 pixels for an even one, 3 for an odd one."""
    return 4 - side[0] % 2, 4 - side[1] % 2


def _drawn(layer: Layer, gain: float) -> Layer:
    """The layer with normal weights of standard deviation gain / sqrt(inputs of an output), and no bias at first."""
    if isinstance(layer, nn.ConvTranspose2d):
        inputs = layer.weight[:, 0].numel() / math.prod(layer.stride)
    else:
        inputs = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain / math.sqrt(inputs))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _plan(size: NetworkSize) -> tuple[list[int], list[tuple[int, int]]]:
    """The channels, and the height and width, of the images and of each map."""
    channels, side = planes("strided", size, 2 * SMALLEST - 1)
    sides = map_sides(side)
    return [channels, *map_widths(_MOST, _LEAST, len(sides) - 1)], sides
