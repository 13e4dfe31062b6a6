"""Generators and discriminators of the recipes, built to fit the data's shape.

`build` makes a pair by name.
"""

from fastgan.models.dense import mlp_discriminator, mlp_generator
from fastgan.models.images import dcgan_discriminator, dcgan_generator, resnet_discriminator, resnet_generator
from fastgan.models.labelled import LabelledDiscriminator, LabelledGenerator
from fastgan.models.networks import NETWORKS, TABULAR, build, has_batch_statistics, has_convolutions
from fastgan.models.points import points_discriminator, points_generator
from fastgan.models.r3gan import r3gan_discriminator, r3gan_generator
from fastgan.models.size import NetworkSize
from fastgan.models.strided import strided_discriminator, strided_generator
from fastgan.models.tables import TableDiscriminator, TableGenerator, table_discriminator, table_generator
from fastgan.models.translation import PatchDiscriminator, UNet, nearest_size, patch_discriminator, unet_generator

__all__ = [
    "NETWORKS",
    "TABULAR",
    "LabelledDiscriminator",
    "LabelledGenerator",
    "NetworkSize",
    "PatchDiscriminator",
    "TableDiscriminator",
    "TableGenerator",
    "UNet",
    "build",
    "dcgan_discriminator",
    "dcgan_generator",
    "has_batch_statistics",
    "has_convolutions",
    "mlp_discriminator",
    "mlp_generator",
    "nearest_size",
    "patch_discriminator",
    "points_discriminator",
    "points_generator",
    "r3gan_discriminator",
    "r3gan_generator",
    "resnet_discriminator",
    "resnet_generator",
    "strided_discriminator",
    "strided_generator",
    "table_discriminator",
    "table_generator",
    "unet_generator",
]
