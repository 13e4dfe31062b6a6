"""The recipes' generators and discriminators, sized by the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

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
        classes: of the labels that both networks take as a second argument; 0 for none.
        pack: samples that D sees as one, joined along their first dimension.
    """

    sample_shape: tuple[int, ...]
    latent_dim: int = 100
    negative_slope: float = 0.2
    dropout: float = 0.3
    bounded: bool = True
    classes: int = 0
    pack: int = 1


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


def dcgan_generator(size: NetworkSize) -> nn.Sequential:
    """Transposed convolutions with batch normalisation (Radford et al., 2016), (N, latent_dim) to images.

    A dense layer gives the smallest map (4x4 for 32x32 images), and each 5x5 transposed convolution
    of stride 2 doubles it, halving the channels: 256, 128, 64 and the image's.

    Raises:
        ValueError: for samples that are no images, or whose height and width cannot be halved.
    """
    channels, widths, (height, width) = _dcgan_plan(size)
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

    Raises:
        ValueError: as `dcgan_generator`.
    """
    channels, widths, _ = _dcgan_plan(size)
    layers: list[nn.Module] = []
    height, width = size.sample_shape[1:]
    for i in range(max(2, len(widths) - 1)):  # one halving less than G's doublings: the dense layer sees 8x8 maps
        layers += [nn.Conv2d(channels, 64 * 2**i, 5, stride=2, padding=2), _activation(size)]
        channels, height, width = 64 * 2**i, (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, 1))


def _dcgan_plan(size: NetworkSize) -> tuple[int, list[int], tuple[int, int]]:
    """Image channels, G's channels from the smallest map on, and that map's height and width."""
    if len(size.sample_shape) != 3:
        raise ValueError(f"dcgan: expected images (C, H, W), got samples of shape {size.sample_shape}")
    channels, height, width = size.sample_shape
    doublings = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 8:
        height, width, doublings = height // 2, width // 2, doublings + 1
    if doublings == 0:
        raise ValueError(f"dcgan: expected images of even height and width, at least 8, got {size.sample_shape[1:]}")
    return channels, [64 * 2**i for i in reversed(range(doublings))], (height, width)


Builder = Callable[[NetworkSize], nn.Module]

NETWORKS: dict[str, tuple[Builder, Builder]] = {
    "mlp": (mlp_generator, mlp_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
}


class LabelledGenerator(nn.Module):
    """A generator of (latents, labels): `body` sees the latents with one-hot labels appended."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self.classes = body, classes

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """(N, latent_dim) and int64 (N,) to samples."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(latents.dtype)
        return cast(Tensor, self.body(torch.cat((latents, one_hot), 1)))


class LabelledDiscriminator(nn.Module):
    """A discriminator of (samples, labels): `body` sees one-hot labels appended.

    A convolutional body takes them as constant channels, a dense one as further features.
    """

    def __init__(self, body: nn.Module, classes: int, dense: bool) -> None:
        super().__init__()
        self.body, self.classes, self.dense = body, classes, dense

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """(N, ...) and int64 (N,) to logits (N, 1)."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(samples.dtype)
        if self.dense:
            return cast(Tensor, self.body(torch.cat((samples.flatten(1), one_hot), 1)))
        maps = one_hot[:, :, None, None].expand(-1, -1, *samples.shape[2:])
        return cast(Tensor, self.body(torch.cat((samples, maps), 1)))


def build(network: str, size: NetworkSize) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator named `network`; with classes, both take labels too.

    Raises:
        ValueError: for an unknown name, or a sample shape that the network cannot serve.
    """
    if network not in NETWORKS:
        raise ValueError(f"models: expected one of {', '.join(NETWORKS)}, got '{network}'")
    generator, discriminator = NETWORKS[network]
    if size.classes == 0:
        first, *rest = size.sample_shape
        return generator(size), discriminator(replace(size, sample_shape=(first * size.pack, *rest)))
    dense = network == "mlp"
    first, *rest = size.sample_shape
    seen = (math.prod(size.sample_shape) + size.classes,) if dense else (first + size.classes, *rest)
    body_g = generator(replace(size, latent_dim=size.latent_dim + size.classes))
    body_d = discriminator(replace(size, sample_shape=seen))
    return LabelledGenerator(body_g, size.classes), LabelledDiscriminator(body_d, size.classes, dense)


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether some layer mixes the samples of a batch, as batch normalisation does."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())
