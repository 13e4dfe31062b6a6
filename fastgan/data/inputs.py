"""The input images of image to image: those of pairs, and those that are made from any images.

Whoever trains a translation needs an input for each target. `INPUTS` makes one from the target itself: its grey levels,
its edges, itself with a hole, its left half, itself at a quarter of its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fastgan._support.random import derive

__all__ = [
    "DOWNSCALE",
    "INPUTS",
    "Inputs",
    "as_channels",
    "draw_holes",
    "enlarged",
    "holes_of",
    "joined_pairs",
    "make_inputs",
]

# What an input is made of, by name.
INPUTS = ("grey", "edges", "mask", "half", "downscale")
DOWNSCALE = 4  # the factor of `downscale`

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's L
# Of gradients of a step of the image's whole range, 2, which Sobel's filter gives 1: below the first no line is drawn,
# and 1 / the second above it a line is black. They were set by the look of eight of OpenMoji's pictures at 64 pixels.
_NO_LINE, _STEEPNESS = 0.08, 2.0


@dataclass(frozen=True)
class Inputs:
    """How the inputs of images are got.

    Args:
        kind: "pairs", whose inputs are stored behind the targets' channels, or one of `INPUTS`.
        channels: of an input.
    """

    kind: str
    channels: int

    @classmethod
    def made(cls, kind: str, target_shape: tuple[int, ...]) -> Inputs:
        """The inputs that are made from targets.

        Args:
            kind: one of `INPUTS`.
            target_shape: (C, H, W) of a target.

        Raises:
            ValueError: for an unknown kind, samples that are not images, images of one channel for grey, or sides that
                are not multiples of 4 for downscale, or odd for half.
        """
        if kind not in INPUTS:
            raise ValueError(f"data: expected inputs from one of {', '.join(INPUTS)}, got '{kind}'")
        if len(target_shape) != 3 or target_shape[0] not in (1, 3):
            raise ValueError(
                f"data: expected images of 1 or 3 channels to make inputs from by '{kind}', got samples {target_shape}"
            )
        channels, height, width = target_shape
        if kind == "grey" and channels == 1:
            raise ValueError("data: expected colour images to make grey inputs from, got images of one channel")
        step = {"half": 2, "downscale": DOWNSCALE}.get(kind, 1)
        if width % step or (kind == "downscale" and height % step):
            raise ValueError(
                f"data: expected sides that are multiples of {step} for '{kind}', got images of {width} x {height}"
            )
        return cls(kind, {"grey": 1, "edges": 1, "mask": channels + 1}.get(kind, channels))

    @property
    def stored(self) -> int:
        """The channels of a stored sample that are its input: 0 where inputs are made from targets."""
        return self.channels if self.kind == "pairs" else 0


def make_inputs(kind: str, targets: Tensor, holes: Tensor | None = None) -> Tensor:
    """Make an input for each target.

    - grey: its luminance, one channel.
    - edges: dark lines on white where the luminance changes, one channel: a drawing of it.
    - mask: the image with 0 in the hole, and a channel that is -1 in the hole and 1 elsewhere.
    - half: the image with 0 in its right half.
    - downscale: the image reduced by 4 (means of 4 x 4 pixels), and enlarged again (bilinear).

    Args:
        kind: one of `INPUTS`.
        targets: (N, C, H, W) in [-1, 1].
        holes: bool (N, 1, H, W), True where an image of `mask` is missing.

    Raises:
        ValueError: for an unknown kind, or `mask` without holes.

    Example:
        >>> red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
        >>> make_inputs("grey", red).unique(), make_inputs("half", red)[0, 0, 0]
        (tensor([-0.4020]), tensor([1., 1., 0., 0.]))
    """
    if kind == "grey":
        return _luminance(targets)
    if kind == "edges":
        return _drawing(_luminance(targets))
    if kind == "half":
        kept = torch.arange(targets.shape[3], device=targets.device) < targets.shape[3] // 2
        return targets * kept.to(targets.dtype)
    if kind == "downscale":
        return enlarged(F.avg_pool2d(targets, DOWNSCALE))
    if kind != "mask" or holes is None:
        raise ValueError(f"data: expected one of {', '.join(INPUTS)}, and holes for mask, got '{kind}'")
    known = (~holes).to(targets.dtype)
    return torch.cat((targets * known, 2 * known - 1), 1)


def joined_pairs(inputs: Tensor, targets: Tensor) -> Tensor:
    """Pairs as they are stored: each input behind its target's channels, (N, C' + C, H, W).

    Args:
        inputs: images (N, C, H, W).
        targets: images (N, C', H, W) of the same dtype.

    Raises:
        ValueError: for tensors that are not images, or of other numbers, sizes or dtypes.
    """
    for what, x in (("inputs", inputs), ("targets", targets)):
        if x.dim() != 4:
            raise ValueError(f"data: expected {what} (N, C, H, W), got {tuple(x.shape)}")
    if len(inputs) != len(targets):
        raise ValueError(f"data: expected an input for each of {len(targets)} targets, got {len(inputs)} inputs")
    if inputs.shape[2:] != targets.shape[2:] or inputs.dtype != targets.dtype:
        found = [f"{x.dtype} {x.shape[3]} x {x.shape[2]}" for x in (inputs, targets)]
        raise ValueError(f"data: expected inputs and targets of one size and dtype, got {found[0]} and {found[1]}")
    return torch.cat((targets, inputs), 1)


def enlarged(images: Tensor) -> Tensor:
    """The `images` (N, C, H, W) enlarged by the factor of `downscale`, bilinear: (N, C, 4 H, 4 W)."""
    return F.interpolate(images, scale_factor=float(DOWNSCALE), mode="bilinear", align_corners=False)


def draw_holes(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Rectangles at random places, whose sides are a quarter to a half of the image's: bool (count, 1, H, W).

    Args:
        count: number of images.
        height: of an image.
        width: of an image.
        generator: of the CPU.
    """
    shares = torch.rand(count, 4, generator=generator)
    inside = []
    for side, (size, place) in ((height, (0, 1)), (width, (2, 3))):
        length = ((0.25 + 0.25 * shares[:, size]) * side).round().clamp_min(1)
        first = (shares[:, place] * (side - length + 1)).floor()
        position = torch.arange(side)
        inside.append((position >= first[:, None]) & (position < (first + length)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def holes_of(indices: Tensor, shape: tuple[int, ...], seed: int) -> Tensor:
    """The hole of each of the samples `indices` (M,), a function of its index and the seed: bool (M, 1, H, W).

    Args:
        indices: int64.
        shape: (C, H, W) of an image.
        seed: of all holes.
    """
    _, height, width = shape
    generators = (torch.Generator().manual_seed(derive(seed, index)) for index in indices.tolist())
    holes = [draw_holes(1, height, width, generator) for generator in generators]
    return torch.cat(holes) if holes else torch.zeros(0, 1, height, width, dtype=torch.bool)


def as_channels(images: Tensor, channels: int) -> Tensor:
    """Inputs as pictures of as many channels as the targets have, to be shown beside them.

    Args:
        images: (N, C, H, W); grey is repeated, colour becomes grey, the channel of `mask` that marks holes is dropped.
        channels: 1 or 3.
    """
    if images.shape[1] in (2, 4):
        images = images[:, :-1]
    if images.shape[1] == channels:
        return images
    return images.expand(-1, channels, -1, -1) if images.shape[1] == 1 else _luminance(images)


def _luminance(images: Tensor) -> Tensor:
    """The grey levels (N, 1, H, W) of images of 1 or 3 channels."""
    if images.shape[1] == 1:
        return images
    red, green, blue = _LUMINANCE
    return red * images[:, :1] + green * images[:, 1:2] + blue * images[:, 2:3]


def _drawing(grey: Tensor) -> Tensor:
    """Dark lines on white, where Sobel's filter (Sobel and Feldman, 1968) finds a change of the grey levels."""
    across = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    filters = torch.stack((across, across.T))[:, None]
    slopes = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), filters)
    steepness = slopes.square().sum(1, keepdim=True).sqrt()
    return 1 - 2 * ((steepness - _NO_LINE) * _STEEPNESS).clamp(0, 1)
