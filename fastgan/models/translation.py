"""Networks that translate images: the U-Net and the discriminator of patches of pix2pix (Isola et al., 2017)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from fastgan import nn as fnn
from fastgan.models.bounds import bound
from fastgan.models.size import NetworkSize, activation

__all__ = ["PatchDiscriminator", "UNet", "dropout_noise", "nearest_size", "patch_discriminator", "unet_generator"]

_STEP, _LEAST = 16, 32  # the sides of images to train on are multiples of the first, and at least the second
_SMALL = 128  # pixels; smaller images have networks of half the paper's channels, and a patch of 34 instead of 70
_NOISY = 8  # the decoder has dropout in its maps of at most this many pixels, as the paper's of 256 pixels
_STD = 0.02  # of the first weights, as in the paper


class UNet(nn.Module):
    """Halves images to maps of a few pixels and doubles these again, each joined to its like on the way down.

    As in the paper (section 6.1) convolutions are 4x4 of stride 2, with leaky ReLU on the way down and ReLU on the way
    up. Dropout in the smallest maps of the way up is the only noise. Normalisation is of each image by itself
    (`InstanceNorm2d`): the paper's is batch normalisation of one image, which is the same. So outputs do not depend on
    the batch. The last layer differs from the paper's: it enlarges its map without weights, as a transposed convolution
    drew a lattice into plain areas (Odena et al., 2016), and sees the image itself beside it, so that lines stay sharp.
    It takes images of any sides that are multiples of `step` and at least twice that.

    Args:
        in_channels: of the images that are translated.
        out_channels: of the images that it makes.
        widths: channels of the maps on the way down.
        noisy: the number of layers on the way up, from the smallest map, that have dropout.
        dropout: its probability.
        negative_slope: of the leaky ReLUs.
        bounded: whether it ends in tanh.

    Attributes:
        step: the images' sides are multiples of it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        noisy: int,
        dropout: float,
        negative_slope: float = 0.2,
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.step = 2 ** len(widths)
        first = nn.Conv2d(in_channels, widths[0], 4, 2, 1)
        down: list[nn.Module] = [nn.Sequential(first, fnn.LeakyReLU(negative_slope, inplace=True))]
        for before, after in itertools.pairwise(widths):
            convolution = nn.Conv2d(before, after, 4, 2, 1, bias=False)  # the normalisation would cancel a bias
            norm = nn.InstanceNorm2d(after, affine=True)
            down.append(nn.Sequential(convolution, norm, fnn.LeakyReLU(negative_slope, inplace=True)))
        up: list[nn.Module] = []
        channels = widths[-1]
        for i, after in enumerate(reversed(widths[:-1])):
            doubling = nn.ConvTranspose2d(channels, after, 4, 2, 1, bias=False)
            relu = fnn.LeakyReLUDropout(0.0, dropout, inplace=True) if i < noisy else fnn.ReLU(inplace=True)
            up.append(nn.Sequential(doubling, nn.InstanceNorm2d(after, affine=True), relu))
            channels = 2 * after
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        # OpenMoji's pictures at 64 pixels, colours from grey, 1,370 steps of 4, one seed, 2026-11-27: FID 1.32 (real
        # against real 1.52) and L1 0.0278; 1.66 and 0.0294 with the paper's layer and a moving average of one decay.
        self.enlarge = nn.Upsample(scale_factor=2)
        last = nn.Conv2d(channels + in_channels, out_channels, 3, padding=1)
        self.last = nn.Sequential(last, *bound(bounded))
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Translate `images` (N, in_channels, H, W) to (N, out_channels, H, W)."""
        maps = []
        x = images
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        for layer, met in zip(self.up, reversed(maps[:-1]), strict=True):
            x = torch.cat((layer(x), met), 1)
        return cast(Tensor, self.last(torch.cat((self.enlarge(x), images.to(x.dtype)), 1)))


class PatchDiscriminator(nn.Module):
    """Says of each patch of an image whether it is real, given the input (PatchGAN; Isola et al., 2017, section 3.2.2).

    Args:
        body: maps images with the inputs' channels behind their own to logits (N, 1, h, w).
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        _initialise(self)

    def forward(self, samples: Tensor, inputs: Tensor) -> Tensor:
        """Map `samples` (N, C, H, W) and their `inputs` (N, C', H, W) to logits (N, 1, h, w), one for each patch."""
        return cast(Tensor, self.body(torch.cat((samples, inputs.to(samples.dtype)), 1)))


def unet_generator(size: NetworkSize) -> UNet:
    """The `UNet` for images of a size: it halves them while both sides are even, to 2 pixels at least.

    Its maps have 64 channels for images of 128 pixels and more, 32 for smaller ones, doubled by each halving up to
    eight times that.

    Args:
        size: the shapes of inputs and samples, and the layers' settings.

    Raises:
        ValueError: for data without inputs, and sizes that it does not serve, with the nearest that it does.
    """
    height, width = _check("pix2pix", size)
    halvings, short = 0, min(height, width)
    while height % 2 == 0 and width % 2 == 0 and min(height, width) > 2:
        height, width, halvings = height // 2, width // 2, halvings + 1
    first = _first_width(short)
    widths = [first * min(8, 2**i) for i in range(halvings)]
    sides = [min(height, width) * 2 ** (i + 1) for i in range(halvings - 1)]
    noisy = max(1, sum(side <= _NOISY for side in sides))
    channels = size.input_shape[0], size.sample_shape[0]
    return UNet(*channels, widths, noisy, size.dropout, size.negative_slope, size.bounded)


def patch_discriminator(size: NetworkSize) -> PatchDiscriminator:
    """The `PatchDiscriminator` for images of a size: patches of 70 pixels, or of 34 for images smaller than 128.

    It has no dropout, which is the generator's.

    Args:
        size: the shapes of inputs and samples, and the layers' settings.

    Raises:
        ValueError: as `unet_generator`.
    """
    short = min(_check("pix2pix", size))
    plain = NetworkSize(size.sample_shape, negative_slope=size.negative_slope, dropout=0.0)
    first = _first_width(short)
    widths = [first * 2**i for i in range(3 if short < _SMALL else 4)]
    layers: list[nn.Module] = [
        nn.Conv2d(size.sample_shape[0] * size.pack + size.input_shape[0], first, 4, 2, 1),
        activation(plain),
    ]
    for before, after in itertools.pairwise(widths):
        stride = 1 if after == widths[-1] else 2
        layers += [nn.Conv2d(before, after, 4, stride, 1, bias=False), nn.InstanceNorm2d(after, affine=True)]
        layers.append(activation(plain))
    return PatchDiscriminator(nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1)))


def nearest_size(height: int, width: int, step: int, least: int) -> tuple[int, int]:
    """The height and width nearest to those given that are multiples of `step` and at least `least`.

    Args:
        height: of an image.
        width: of an image.
        step: what both are multiples of.
        least: a multiple of `step`.

    Example:
        >>> nearest_size(100, 20, 16, 32)
        (96, 32)
    """
    return max(least, round(height / step) * step), max(least, round(width / step) * step)


@contextlib.contextmanager
def dropout_noise(generator: nn.Module, seed: int | None) -> Iterator[None]:
    """Let the dropout of a generator in eval mode draw from a seed in the block; global generators stay as they were.

    Args:
        generator: a network whose dropout is its noise.
        seed: of the masks; None leaves dropout off.
    """
    if seed is None:
        yield
        return
    kinds = (fnn.LeakyReLUDropout, nn.modules.dropout._DropoutNd)
    layers = [(module, module.training) for module in generator.modules() if isinstance(module, kinds)]
    device = next((p.device for p in generator.parameters()), torch.device("cpu"))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for module, _ in layers:
            module.training = True
        try:
            yield
        finally:
            for module, training in layers:
                module.training = training


def _first_width(short: int) -> int:
    return 32 if short < _SMALL else 64


def _check(network: str, size: NetworkSize) -> tuple[int, int]:
    """The images' height and width, if the network serves them."""
    if not size.input_shape:
        raise ValueError(
            f"{network}: expected images with inputs, as of pairs:PATH or made by --from, got data without inputs"
        )
    height, width = size.sample_shape[1:]
    nearest = nearest_size(height, width, _STEP, _LEAST)
    if nearest != (height, width):
        raise ValueError(
            f"{network}: expected images whose sides are multiples of {_STEP} and at least {_LEAST}, got {width} x "
            f"{height}; the nearest that works is {nearest[1]} x {nearest[0]}, as --image-size {min(nearest)} makes "
            "squares"
        )
    return height, width


def _initialise(network: nn.Module) -> None:
    """Draw the weights of convolutions as in the paper; biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, _STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
