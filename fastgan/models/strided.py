"""Strided convolutions without normalisation."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastgan import nn as fnn
from fastgan._support.dtypes import upcast
from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize, activation
from fastgan.models.unnormalised import SMALLEST, BiasLeakyReLU, Logit, leaky_gain, map_sides, map_widths, planes

__all__ = ["strided_discriminator", "strided_generator"]

# Channels of the smallest map, and of the largest at least: from map to map they are halved.
_MOST, _LEAST = 192, 16
# Pixels of an image's longer side from which G draws coarse to fine. FID on one core of an Intel Xeon (AMX, bf16, torch
# 2.13.0, 2026-11-28):
#   OpenMoji's pictures (3x64x64)    4.5 after 880 s without the scales of channels, 3.4 after 300 s with them; with
#                                    transposed convolutions there was a lattice in plain areas
#   MNIST's digits (28x28), 150 s    0.28 without, 0.45 with it (but without scales)
# OpenMoji's FID after 100 s / 200 s was 2.3 / 3.2 with the inward tanh, and 33 / 2.6 with the other one.
_COARSE_TO_FINE = 48
_HIDDEN = 256  # features before D's logit
_STYLE = 128  # features of a style
_STYLE_GAIN = 0.5  # of the scales, whose standard deviation is about that at first
_LAST_GAIN = 0.5  # of G's last layer: most pixels start where tanh is not flat

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def strided_generator(size: NetworkSize) -> nn.Sequential:
    """Convolutions with leaky ReLU from (N, latent_dim) to images.

    A dense layer makes the smallest map, whose shorter side has 4 to 6 pixels, with 192 channels. Each level doubles
    height and width and halves the channels, down to 16 at least: 96, 48 and the image's for 28x28 images. Below 48
    pixels a level is a transposed convolution of stride 2. From there on it enlarges its map before a 3x3 convolution,
    the image is the sum of what a 1x1 convolution makes of each map, and functions of the latents scale the channels of
    the maps. Nothing is normalised. Images of any sides of at least 7 pixels are served.

    Args:
        size: the shapes of latents and images, and the layers' settings.

    Raises:
        ValueError: for samples that are not images, or smaller than 7 pixels.
    """
    widths, sides = _plan(size)
    gain = leaky_gain(size.negative_slope)
    if max(sides[0]) >= _COARSE_TO_FINE:
        body = _CoarseToFine(size.latent_dim, widths, sides, size.negative_slope)
        return nn.Sequential(body, *bound(size.bounded, inward=True))
    layers = _smallest_map(size.latent_dim, widths[-1], sides[-1], size.negative_slope)
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


class _CoarseToFine(nn.Module):
    """Latents (N, latent_dim) to the sum of images (N, C, H, W) of all maps.

    Plain areas come from small maps, lines from large ones, as with the output skips of Karras et al. ("Analyzing and
    Improving the Image Quality of StyleGAN", 2020). Two dense layers make a style of the latents. The channels of each
    map are scaled by linear functions of it, by one for the next map and by another for the image. So a plain area has
    one colour, whatever its size (Karras et al., "A Style-Based Generator Architecture for GANs", 2019).
    """

    def __init__(self, latent_dim: int, widths: list[int], sides: list[tuple[int, int]], negative_slope: float) -> None:
        super().__init__()
        levels = range(len(sides) - 1, 0, -1)
        gain = leaky_gain(negative_slope)
        share = _LAST_GAIN * gain / math.sqrt(len(sides))
        self.sides = [sides[level - 1] for level in levels]
        self.style = nn.Sequential(*_dense(latent_dim, _STYLE, negative_slope), *_dense(_STYLE, _STYLE, negative_slope))
        self.smallest = nn.Sequential(*_smallest_map(latent_dim, widths[-1], sides[-1], negative_slope))
        self.doublings = nn.ModuleList(
            _Doubling(widths[level], widths[level - 1], sides[level - 1], share if level == 1 else gain)
            for level in levels
        )
        # What the last doubling makes is an image.
        after = [BiasLeakyReLU(widths[level - 1], negative_slope, 0.0) for level in levels[:-1]]
        self.activations = nn.ModuleList([*after, nn.Identity()])
        self.images = nn.ModuleList(_drawn(nn.Conv2d(widths[level], widths[0], 1), share) for level in levels)
        self.scales = nn.ModuleList(_scale(widths[level]) for level in levels)
        self.image_scales = nn.ModuleList(_scale(widths[level]) for level in levels)

    def forward(self, latents: Tensor) -> Tensor:
        style = self.style(latents)
        x = self.smallest(latents)
        image = self._image(0, x, style)
        for i, side in enumerate(self.sides):
            x = self.activations[i](self.doublings[i](_scaled(x, self.scales[i](style))))
            image = F.interpolate(image, side, mode="bilinear")
            image = image + (upcast(x) if i + 1 == len(self.sides) else self._image(i + 1, x, style))
        return image

    def _image(self, i: int, x: Tensor, style: Tensor) -> Tensor:
        return upcast(self.images[i](_scaled(x, self.image_scales[i](style))))


class _Doubling(nn.Module):
    """Each pixel becomes 2x2 equal ones, then a 3x3 convolution, as one transposed convolution.

    Its kernel of 4x4 is the one of 3x3 under a box of 2x2. Free kernels leave a lattice in plain areas (Odena et al.,
    "Deconvolution and Checkerboard Artifacts", 2016).
    """

    def __init__(self, in_channels: int, out_channels: int, side: tuple[int, int], gain: float) -> None:
        super().__init__()
        self.side = side
        self.weight = nn.Parameter(torch.randn(in_channels, out_channels, 3, 3) * gain / math.sqrt(9 * in_channels))

    def forward(self, x: Tensor) -> Tensor:
        kernel = F.avg_pool2d(F.pad(self.weight, (1, 1, 1, 1)), 2, stride=1, divisor_override=1)
        height, width = self.side
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)[:, :, :height, :width]

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, {self.side[0]} x {self.side[1]}"


def _smallest_map(latent_dim: int, channels: int, side: tuple[int, int], negative_slope: float) -> list[nn.Module]:
    """A dense layer from latents to the smallest map, and leaky ReLU."""
    dense = _dense(latent_dim, channels * math.prod(side), negative_slope)
    return [*dense, nn.Unflatten(1, (channels, *side))]


def _dense(inputs: int, outputs: int, negative_slope: float) -> list[nn.Module]:
    """A dense layer and leaky ReLU."""
    layer = _drawn(nn.Linear(inputs, outputs), leaky_gain(negative_slope))
    return [layer, fnn.LeakyReLU(negative_slope, inplace=True)]


def _scaled(x: Tensor, scales: Tensor) -> Tensor:
    """A map (N, C, H, W) times the scales (N, C) of its channels."""
    return x * scales[:, :, None, None]


def _scale(channels: int) -> nn.Linear:
    """A style to the scales of channels, which are about 1 at first."""
    layer = _drawn(nn.Linear(_STYLE, channels), _STYLE_GAIN)
    nn.init.ones_(layer.bias)
    return layer


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
