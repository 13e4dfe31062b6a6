"""The recipes' generators and discriminators, sized by the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from fastgan import nn as fnn
from fastgan._network_size import NetworkSize as NetworkSize
from fastgan._network_size import activation
from fastgan.models_images import dcgan_discriminator, dcgan_generator, resnet_discriminator, resnet_generator
from fastgan.models_points import points_discriminator, points_generator

__all__ = [
    "NETWORKS",
    "LabelledDiscriminator",
    "LabelledGenerator",
    "NetworkSize",
    "build",
    "dcgan_discriminator",
    "dcgan_generator",
    "mlp_discriminator",
    "mlp_generator",
    "resnet_discriminator",
    "resnet_generator",
]


def mlp_generator(size: NetworkSize, hidden: Sequence[int] = (128, 128)) -> nn.Sequential:
    """Dense layers with leaky ReLU from (N, latent_dim) to samples (N, ...).

    Args:
        size: of latents and samples, and the settings.
        hidden: features of the hidden layers.
    """
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
    """Dense layers with leaky ReLU and dropout from samples (N, ...) to logits (N, 1).

    Args:
        size: of the samples, and the settings.
        hidden: features of the hidden layers.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(size.sample_shape)
    for features in hidden:
        layers += [nn.Linear(width, features), activation(size)]
        width = features
    return nn.Sequential(*layers, nn.Linear(width, 1))


Builder = Callable[[NetworkSize], nn.Module]

NETWORKS: dict[str, tuple[Builder, Builder]] = {
    "mlp": (mlp_generator, mlp_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
    "resnet": (resnet_generator, resnet_discriminator),
    "points": (points_generator, points_discriminator),
}


class LabelledGenerator(nn.Module):
    """A generator of (latents, labels): `body` sees the latents with one-hot labels appended.

    Args:
        body: a module from (N, latent_dim + classes) to samples.
        classes: how many there are.
    """

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self.classes = body, classes

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """`latents` (N, latent_dim) and `labels` (N,) int64 to samples."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(latents.dtype)
        return cast(Tensor, self.body(torch.cat((latents, one_hot), 1)))


class LabelledDiscriminator(nn.Module):
    """A discriminator of (samples, labels): `body` sees one-hot labels appended.

    A convolutional body takes them as constant channels, a dense one as further features.

    Args:
        body: a module from samples with `classes` more channels or features to logits (N, 1).
        classes: how many there are.
        dense: whether it takes (N, features).
    """

    def __init__(self, body: nn.Module, classes: int, dense: bool) -> None:
        super().__init__()
        self.body, self.classes, self.dense = body, classes, dense

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """`samples` (N, ...) and `labels` (N,) int64 to logits (N, 1)."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(samples.dtype)
        if self.dense:
            return cast(Tensor, self.body(torch.cat((samples.flatten(1), one_hot), 1)))
        maps = one_hot[:, :, None, None].expand(-1, -1, *samples.shape[2:])
        return cast(Tensor, self.body(torch.cat((samples, maps), 1)))


def build(network: str, size: NetworkSize) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator named `network`; with classes, both take labels too.

    Args:
        network: a name in `NETWORKS`.
        size: of latents and samples, and the settings.

    Raises:
        ValueError: for an unknown name, or a sample shape that the network cannot serve.

    Example:
        >>> generator, discriminator = build("dcgan", NetworkSize(sample_shape=(3, 32, 32)))
        >>> images = generator(torch.randn(2, 100))
        >>> images.shape, discriminator(images).shape
        (torch.Size([2, 3, 32, 32]), torch.Size([2, 1]))
    """
    if network not in NETWORKS:
        raise ValueError(f"models: expected one of {', '.join(NETWORKS)}, got '{network}'")
    generator, discriminator = NETWORKS[network]
    if size.classes == 0:
        first, *rest = size.sample_shape
        return generator(size), discriminator(replace(size, sample_shape=(first * size.pack, *rest)))
    dense = network in ("mlp", "points")
    first, *rest = size.sample_shape
    seen = (math.prod(size.sample_shape) + size.classes,) if dense else (first + size.classes, *rest)
    body_g = generator(replace(size, latent_dim=size.latent_dim + size.classes))
    body_d = discriminator(replace(size, sample_shape=seen))
    return LabelledGenerator(body_g, size.classes), LabelledDiscriminator(body_d, size.classes, dense)


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether some layer is one of torch's batch normalisations, which mix the samples of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())
