"""The shapes and settings from which the networks are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from fastgan import nn as fnn
from fastgan.data.table.segments import Segments

__all__ = ["NetworkSize", "activation"]


@dataclass(frozen=True)
class NetworkSize:
    """The shapes of latents and samples, and the settings of the layers.

    Attributes:
        sample_shape: the shape of one sample; (C, H, W) for images.
        latent_dim: length of a latent vector.
        negative_slope: of the leaky ReLUs.
        dropout: probability in the discriminator; in pix2pix that in the generator, whose noise it is.
        bounded: whether samples lie in [-1, 1]; the generator then ends in tanh.
        classes: number of classes, whose labels both networks take as a second argument; 0 for no labels.
        pack: number of samples that D takes as one (PacGAN), joined along their first dimension.
        input_shape: the shape (C, H, W) of the images that G translates and D gets as a second argument; () for a G of
            latents.
        segments: the layout of a row of an encoded table, for the network `tabular`; both networks then take a row's
            condition as a second argument. None for other samples.
        hidden: the widths of the layers of the network `tabular`.
    """

    sample_shape: tuple[int, ...]
    latent_dim: int = 100
    negative_slope: float = 0.2
    dropout: float = 0.3
    bounded: bool = True
    classes: int = 0
    pack: int = 1
    input_shape: tuple[int, ...] = ()
    segments: Segments | None = None
    hidden: tuple[int, ...] = (256, 256)

    @staticmethod
    def from_dict(saved: dict[str, Any]) -> NetworkSize:
        """The size of a dict of `dataclasses.asdict`, also after a way through JSON.

        Args:
            saved: the dict.
        """
        segments = saved["segments"]
        if segments is not None:
            segments = Segments(**{**segments, "widths": tuple(segments["widths"])})
        shapes = {name: tuple(saved[name]) for name in ("sample_shape", "input_shape", "hidden")}
        return NetworkSize(**{**saved, **shapes, "segments": segments})


def nearest_that_work(height: int, width: int) -> str:
    """The end of a message on sides that a network cannot serve: those that it can, and the setting that makes them.

    Args:
        height: the nearest that works.
        width: the nearest that works.
    """
    how = f", by image_size {height}" if height == width else ""
    return f"the nearest that work are {(height, width)}{how}"


def activation(size: NetworkSize, inplace: bool = True) -> nn.Module:
    """A discriminator's activation: leaky ReLU, in one kernel with dropout unless `size.dropout` is 0.

    Args:
        size: with the slope and the dropout probability.
        inplace: whether the layer overwrites its input.
    """
    if size.dropout == 0:
        return fnn.LeakyReLU(size.negative_slope, inplace=inplace)
    return fnn.LeakyReLUDropout(size.negative_slope, size.dropout, inplace=inplace)
