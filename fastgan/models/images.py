"""Convolutional generators and discriminators for images: DCGAN and residual networks."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fastgan import nn as fnn
from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize, activation, nearest_that_work

__all__ = ["dcgan_discriminator", "dcgan_generator", "resnet_discriminator", "resnet_generator"]

_LARGEST_MAP = 15 * 15  # pixels of G's smallest map, which a dense layer makes


def dcgan_generator(size: NetworkSize) -> nn.Sequential:
    """Transposed convolutions with batch normalisation (Radford et al., 2016) from (N, latent_dim) to images.

    A dense layer makes the smallest map: 4x4 for 32x32 and 64x64 images, 2x2 for 8x8 images. Each 5x5 transposed
    convolution of stride 2 doubles height and width and halves the channels. These are 256, 128, 64 and the image's
    for 32x32 images; for 64x64 images they start at 512.

    Args:
        size: the shapes of latents and images, and the layers' settings.

    Raises:
        ValueError: for samples that are not images, or whose height and width cannot be halved to a small map; the
            message names the nearest that can.
    """
    channels, doublings, (height, width) = _plan("dcgan", size)
    widths = [64 * 2**i for i in reversed(range(doublings))]
    first = widths[0]
    layers: list[nn.Module] = [
        nn.Linear(size.latent_dim, first * height * width, bias=False),
        nn.Unflatten(1, (first, height, width)),
    ]
    for in_channels, out_channels in zip(widths, [*widths[1:], channels], strict=True):
        layers += [
            nn.BatchNorm2d(in_channels),
            fnn.LeakyReLU(size.negative_slope, inplace=True),
            nn.ConvTranspose2d(in_channels, out_channels, 5, stride=2, padding=2, output_padding=1),
        ]
    return nn.Sequential(*layers, *bound(size.bounded))


def dcgan_discriminator(size: NetworkSize) -> nn.Sequential:
    """5x5 convolutions of stride 2 with leaky ReLU and dropout, from images to logits (N, 1).

    Args:
        size: the shape of the images, and the layers' settings.

    Raises:
        ValueError: as `dcgan_generator`.
    """
    channels, doublings, _ = _plan("dcgan", size)
    layers: list[nn.Module] = []
    height, width = size.sample_shape[1:]
    for i in range(max(2, doublings - 1)):  # one less than in G, so that the dense layer sees 8x8 maps
        layers += [nn.Conv2d(channels, 64 * 2**i, 5, stride=2, padding=2), activation(size)]
        channels, height, width = 64 * 2**i, (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, 1))


def resnet_generator(size: NetworkSize) -> nn.Sequential:
    """Residual blocks with batch normalisation from (N, latent_dim) to images.

    The blocks are those of Miyato et al. (2018), appendix B.4. Each doubles height and width and halves the channels,
    from at most 256 down to 32.

    Args:
        size: the shapes of latents and images, and the layers' settings.

    Raises:
        ValueError: for samples that are not images, or whose height and width cannot be halved to a small map; the
            message names the nearest that can.
    """
    channels, doublings, (height, width) = _plan("resnet", size)
    widths = [min(256, 32 * 2**i) for i in reversed(range(doublings + 1))]
    blocks = [_UpBlock(*channels_in_out, size.negative_slope) for channels_in_out in pairwise(widths)]
    layers: list[nn.Module] = [
        nn.Linear(size.latent_dim, widths[0] * height * width),
        nn.Unflatten(1, (widths[0], height, width)),
        *blocks,
        nn.BatchNorm2d(widths[-1]),
        fnn.LeakyReLU(size.negative_slope, inplace=True),
        nn.Conv2d(widths[-1], channels, 3, padding=1),
    ]
    return nn.Sequential(*layers, *bound(size.bounded))


def resnet_discriminator(size: NetworkSize) -> nn.Sequential:
    """Residual blocks with spectral normalisation in every layer, from images to logits (N, 1).

    The maps are halved as often as `resnet_generator` doubles them, with its channels in reverse order. The last maps
    are summed over height and width (Miyato et al., 2018).

    Args:
        size: the shape of the images, and the layers' settings.

    Raises:
        ValueError: as `resnet_generator`.
    """
    channels, doublings, _ = _plan("resnet", size)
    layers: list[nn.Module] = []
    for i in range(doublings + 1):
        out_channels = min(256, 32 * 2**i)
        layers.append(_DownBlock(channels, out_channels, size, first=i == 0, halves=i < doublings))
        channels = out_channels
    return nn.Sequential(*layers, activation(size), _GlobalSumPool2d(), spectral_norm(nn.Linear(channels, 1)))


class _UpBlock(nn.Module):
    """(N, in_channels, H, W) to (N, out_channels, 2 H, 2 W): two convolutions and an upsampling shortcut."""

    def __init__(self, in_channels: int, out_channels: int, negative_slope: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            fnn.LeakyReLU(negative_slope, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),  # the normalisation would cancel a bias
            nn.BatchNorm2d(out_channels),
            fnn.LeakyReLU(negative_slope, inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        # A 1x1 convolution and a nearest-neighbour upsampling commute; this order costs a quarter.
        self.shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.body(x) + self.shortcut(x))


class _DownBlock(nn.Module):
    """(N, in_channels, H, W) to (N, out_channels, H / 2, W / 2); without `halves` H and W stay.

    The first block sees the image itself, so it has no activation before its first convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, size: NetworkSize, first: bool, halves: bool) -> None:
        super().__init__()
        pool: list[nn.Module] = [nn.AvgPool2d(2)] if halves else []
        # Not in place: the shortcut reads the block's input, too.
        before: list[nn.Module] = [] if first else [activation(size, inplace=False)]
        self.body = nn.Sequential(
            *before,
            spectral_norm(nn.Conv2d(in_channels, out_channels, 3, padding=1)),
            activation(size),
            spectral_norm(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
            *pool,
        )
        # A 1x1 convolution and a mean over pixels commute; this order costs a quarter.
        self.shortcut = nn.Sequential(*pool)
        if in_channels != out_channels:
            self.shortcut.append(spectral_norm(nn.Conv2d(in_channels, out_channels, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.body(x) + self.shortcut(x))


class _GlobalSumPool2d(nn.Module):
    """(N, C, H, W) to the sums (N, C) over height and width."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


def _plan(network: str, size: NetworkSize) -> tuple[int, int, tuple[int, int]]:
    """The images' channels, how often G doubles its smallest map, and that map's height and width.

    Images are halved while their sides are even and the map stays at least 4x4. Images smaller than 16 pixels are
    halved twice where their sides allow it: with a single doubling, generated 8x8 digits stayed blurred. A dense layer
    makes the smallest map, so sides whose halving ends above 15x15 pixels are refused.
    """
    if len(size.sample_shape) != 3:
        raise ValueError(f"{network}: expected images (C, H, W), got samples of shape {size.sample_shape}")
    channels, *sides = size.sample_shape
    if not _works(sides[0], sides[1]):
        nearest = _nearest(sides[0]), _nearest(sides[1])
        if not _works(*nearest):
            nearest = max(nearest), max(nearest)
        raise ValueError(
            f"{network}: expected images of even sides that can be halved to a map of at most {_LARGEST_MAP} pixels, "
            f"got {tuple(sides)}; {nearest_that_work(*nearest)}"
        )
    return channels, *_halvings(sides[0], sides[1])


def _works(height: int, width: int) -> bool:
    """Whether a generator can make images of these sides."""
    doublings, smallest = _halvings(height, width)
    return doublings > 0 and smallest[0] * smallest[1] <= _LARGEST_MAP


def _halvings(height: int, width: int) -> tuple[int, tuple[int, int]]:
    """How often both sides are halved, and what is left of them."""
    doublings = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= (4 if doublings < 2 else 8):
        height, width, doublings = height // 2, width // 2, doublings + 1
    return doublings, (height, width)


def _nearest(side: int) -> int:
    """The side nearest to `side`, the smaller of two, that squares can have and whose smallest map is below 8x8."""
    candidates = sorted(range(4, 2 * side + 8), key=lambda other: (abs(other - side), other))
    return next(other for other in candidates if _halvings(other, other)[1][0] < 8 and other % 4 == 0)
