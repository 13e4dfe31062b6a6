"""The recipes' networks by name, built to fit the data's shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from torch import nn

from fastgan.models.dense import mlp_discriminator, mlp_generator
from fastgan.models.images import dcgan_discriminator, dcgan_generator, resnet_discriminator, resnet_generator
from fastgan.models.labelled import LabelledDiscriminator, LabelledGenerator
from fastgan.models.points import points_discriminator, points_generator
from fastgan.models.r3gan import r3gan_discriminator, r3gan_generator
from fastgan.models.size import NetworkSize
from fastgan.models.strided import strided_discriminator, strided_generator
from fastgan.models.tables import table_discriminator, table_generator
from fastgan.models.translation import patch_discriminator, unet_generator

__all__ = ["NETWORKS", "TABULAR", "build", "has_batch_statistics", "has_convolutions"]

TABULAR = "tabular"  # the network of encoded tables

Builder = Callable[[NetworkSize], nn.Module]

NETWORKS: dict[str, tuple[Builder, Builder]] = {
    "mlp": (mlp_generator, mlp_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
    "resnet": (resnet_generator, resnet_discriminator),
    "points": (points_generator, points_discriminator),
    "pix2pix": (unet_generator, patch_discriminator),
    TABULAR: (table_generator, table_discriminator),
    "r3gan": (r3gan_generator, r3gan_discriminator),
    "strided": (strided_generator, strided_discriminator),
}


def build(network: str, size: NetworkSize) -> tuple[nn.Module, nn.Module]:
    """Build the generator and the discriminator of a network; with classes, both take labels too.

    The generator of pix2pix takes images, and its discriminator an image and its input.

    Args:
        network: a name in `NETWORKS`.
        size: the shapes of latents and samples, and the layers' settings.

    Raises:
        ValueError: for an unknown name, a sample shape that the network does not support, or the network `tabular`
            without the segments of an encoded table.

    Example:
        >>> import torch
        >>> generator, discriminator = build("dcgan", NetworkSize(sample_shape=(3, 32, 32)))
        >>> images = generator(torch.randn(2, 100))
        >>> images.shape, discriminator(images).shape
        (torch.Size([2, 3, 32, 32]), torch.Size([2, 1]))
    """
    if network not in NETWORKS:
        raise ValueError(f"models: expected one of {', '.join(NETWORKS)}, got '{network}'")
    if size.input_shape and network != "pix2pix":
        raise ValueError(
            f"models: expected the network pix2pix for data with inputs, as of --recipe pix2pix, got '{network}'"
        )
    generator, discriminator = NETWORKS[network]
    if size.segments is not None:
        return generator(size), discriminator(size)
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
    """Whether `module` contains a batch normalisation of torch's, whose outputs depend on the whole batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def has_convolutions(module: nn.Module) -> bool:
    """Whether `module` contains a convolution of torch's, transposed or not."""
    return any(isinstance(m, nn.modules.conv._ConvNd) for m in module.modules())
