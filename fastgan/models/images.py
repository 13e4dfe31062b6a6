"""Convolutional generators and discriminators of images: DCGAN's and residual ones."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fastgan import nn as fnn
from fastgan.models.size import NetworkSize, activation

__all__ = ["dcgan_discriminator", "dcgan_generator", "resnet_discriminator", "resnet_generator"]


def dcgan_generator(size: NetworkSize) -> nn.Sequential:
    """Transposed convolutions with batch normalisation (Radford et al., 2016), (N, latent_dim) to images.

    A dense layer gives the smallest map (4x4 for 32x32 and 64x64 images, 2x2 for 8x8 ones), and each 5x5
    transposed convolution of stride 2 doubles it, halving the channels: for 32x32 images 256, 128, 64 and
    the image's, for 64x64 ones from 512 on.

    Args:
        size: of latents and images, and the settings.

    Raises:
        ValueError: for samples that are no images, or whose height and width cannot be halved.
    """
    channels, doublings, (height, width) = _plan("dcgan", size)
    widths = [64 * 2**i for i in reversed(range(doublings))]
    first = widths[0]
    layers: list[nn.Module] = [
        nn.Linear(size.latent_dim, first * height * width, bias=False),
        nn.Unflatten(1, (first, height, width)),
    ]
    for features, following in zip(widths, [*widths[1:], channels], strict=True):
        layers += [
            nn.BatchNorm2d(features),
            fnn.LeakyReLU(size.negative_slope, inplace=True),
            nn.ConvTranspose2d(features, following, 5, stride=2, padding=2, output_padding=1),
        ]
    if size.bounded:
        layers.append(nn.Tanh())
    return nn.Sequential(*layers)


def dcgan_discriminator(size: NetworkSize) -> nn.Sequential:
    """5x5 convolutions of stride 2 with leaky ReLU and dropout, from images to logits (N, 1).

    Args:
        size: of the images, and the settings.

    Raises:
        ValueError: as `dcgan_generator`.
    """
    channels, doublings, _ = _plan("dcgan", size)
    layers: list[nn.Module] = []
    height, width = size.sample_shape[1:]
    for i in range(max(2, doublings - 1)):  # one halving less than G's doublings: the dense layer sees 8x8 maps
        layers += [nn.Conv2d(channels, 64 * 2**i, 5, stride=2, padding=2), activation(size)]
        channels, height, width = 64 * 2**i, (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, 1))


def resnet_generator(size: NetworkSize) -> nn.Sequential:
    """Residual blocks with batch normalisation that double the map, (N, latent_dim) to images.

    The blocks are those of Miyato et al. (2018), appendix B.4; channels halve from block to block, from at
    most 256 down to 32.

    Args:
        size: of latents and images, and the settings.

    Raises:
        ValueError: for samples that are no images, or whose height and width cannot be halved.
    """
    channels, doublings, (height, width) = _plan("resnet", size)
    widths = [min(256, 32 * 2**i) for i in reversed(range(doublings + 1))]
    blocks = [_UpBlock(features, following, size.negative_slope) for features, following in pairwise(widths)]
    layers: list[nn.Module] = [
        nn.Linear(size.latent_dim, widths[0] * height * width),
        nn.Unflatten(1, (widths[0], height, width)),
        *blocks,
        nn.BatchNorm2d(widths[-1]),
        fnn.LeakyReLU(size.negative_slope, inplace=True),
        nn.Conv2d(widths[-1], channels, 3, padding=1),
    ]
    if size.bounded:
        layers.append(nn.Tanh())
    return nn.Sequential(*layers)


def resnet_discriminator(size: NetworkSize) -> nn.Sequential:
    """Residual blocks with spectral normalisation in every layer, from images to logits (N, 1).

    As many blocks halve the map as double it in `resnet_generator`, with its channels in reverse; the last
    maps are summed over height and width (Miyato et al., 2018).

    Args:
        size: of the images, and the settings.

    Raises:
        ValueError: as `resnet_generator`.
    """
    features, doublings, _ = _plan("resnet", size)
    layers: list[nn.Module] = []
    for i in range(doublings + 1):
        following = min(256, 32 * 2**i)
        layers.append(_DownBlock(features, following, size, first=i == 0, halves=i < doublings))
        features = following
    return nn.Sequential(*layers, activation(size), _SumOfMaps(), spectral_norm(nn.Linear(features, 1)))


class _UpBlock(nn.Module):
    """(N, features, H, W) to (N, following, 2 H, 2 W): two convolutions beside an upsampling shortcut."""

    def __init__(self, features: int, following: int, negative_slope: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(features),
            fnn.LeakyReLU(negative_slope, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(features, following, 3, padding=1, bias=False),  # a bias would go in the normalisation
            nn.BatchNorm2d(following),
            fnn.LeakyReLU(negative_slope, inplace=True),
            nn.Conv2d(following, following, 3, padding=1),
        )
        # A 1x1 convolution and a nearest-neighbour upsampling commute; this order costs a quarter.
        self.shortcut = nn.Sequential(nn.Conv2d(features, following, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.body(x) + self.shortcut(x))


class _DownBlock(nn.Module):
    """(N, features, H, W) to (N, following, H / 2, W / 2), or H and W as they are where not `halves`.

    The first block sees the image itself, without an activation before it.
    """

    def __init__(self, features: int, following: int, size: NetworkSize, first: bool, halves: bool) -> None:
        super().__init__()
        pool: list[nn.Module] = [nn.AvgPool2d(2)] if halves else []
        # The shortcut reads the block's input too, so this activation must leave it as it is.
        before: list[nn.Module] = [] if first else [activation(size, inplace=False)]
        self.body = nn.Sequential(
            *before,
            spectral_norm(nn.Conv2d(features, following, 3, padding=1)),
            activation(size),
            spectral_norm(nn.Conv2d(following, following, 3, padding=1)),
            *pool,
        )
        # A 1x1 convolution and a mean over pixels commute; this order costs a quarter.
        self.shortcut = nn.Sequential(*pool)
        if features != following:
            self.shortcut.append(spectral_norm(nn.Conv2d(features, following, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.body(x) + self.shortcut(x))


class _SumOfMaps(nn.Module):
    """(N, C, H, W) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


def _plan(network: str, size: NetworkSize) -> tuple[int, int, tuple[int, int]]:
    """Image channels, how often G doubles its smallest map, and that map's height and width.

    Images are halved while that leaves maps of at least 4x4, and small ones twice all the same: with one
    doubling, 8x8 digits stayed blurred.
    """
    if len(size.sample_shape) != 3:
        raise ValueError(f"{network}: expected images (C, H, W), got samples of shape {size.sample_shape}")
    channels, height, width = size.sample_shape
    doublings = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= (4 if doublings < 2 else 8):
        height, width, doublings = height // 2, width // 2, doublings + 1
    if doublings == 0:
        raise ValueError(
            f"{network}: expected images of even height and width, at least 4, got {tuple(size.sample_shape[1:])}"
        )
    return channels, doublings, (height, width)
