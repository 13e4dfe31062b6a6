"""What the shapes of the recipes' networks depend on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from fastgan import nn as fnn

__all__ = ["NetworkSize", "activation"]


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


def activation(size: NetworkSize, inplace: bool = True) -> nn.Module:
    """A discriminator's activation: leaky ReLU, fused with dropout where there is some."""
    if size.dropout == 0:
        return fnn.LeakyReLU(size.negative_slope, inplace=inplace)
    return fnn.LeakyReLUDropout(size.negative_slope, size.dropout, inplace=inplace)
