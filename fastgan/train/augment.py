"""Changes to samples before D sees them: differentiable augmentation, instance noise, packing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["AUGMENTATIONS", "add_noise", "augment", "pack", "parse_augment"]


def _color(x: Tensor) -> Tensor:
    """Change brightness, saturation and contrast by random amounts, drawn for each image."""
    x = x + (_uniform(x) - 0.5)
    mean = x.mean(1, keepdim=True)
    x = torch.lerp(mean, x, 2 * _uniform(x))
    mean = x.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, x, 0.5 + _uniform(x))


def _translation(x: Tensor) -> Tensor:
    """Shift each image by up to an eighth of its height and width; pixels from outside are 0."""
    count, _, height, width = x.shape
    rows = torch.arange(height, device=x.device) + _offsets(x, height // 8)
    columns = torch.arange(width, device=x.device) + _offsets(x, width // 8)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None]
    sample = torch.arange(count, device=x.device)[:, None, None]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    return x.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2) * inside


def _cutout(x: Tensor) -> Tensor:
    """Set a rectangle of half the height and width, at a random place, to 0."""
    height, width = x.shape[2:]
    rows = _in_span(x, height)[:, None, :, None]
    columns = _in_span(x, width)[:, None, None]
    return x.masked_fill(rows & columns, 0)


def _in_span(x: Tensor, length: int) -> Tensor:
    """A bool mask (N, length): True in a span of length // 2 positions around a random centre, cut off at the ends."""
    first = torch.randint(0, length + 1, (len(x), 1), device=x.device) - length // 4
    position = torch.arange(length, device=x.device)
    return (position >= first) & (position < first + length // 2)


def _offsets(x: Tensor, largest: int) -> Tensor:
    return torch.randint(-largest, largest + 1, (len(x), 1), device=x.device)


def _uniform(x: Tensor) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}


def parse_augment(policy: str) -> tuple[str, ...]:
    """Split a `policy` such as "color,translation" into its names; "" gives none.

    Raises:
        ValueError: for a name that is not in `AUGMENTATIONS`.
    """
    names = tuple(name.strip() for name in policy.split(",")) if policy else ()
    for name in names:
        if name not in AUGMENTATIONS:
            raise ValueError(
                f"TrainConfig: expected `augment` to be names among {', '.join(AUGMENTATIONS)}, with commas between, "
                f"got '{policy}'"
            )
    return names


def augment(images: Tensor, policy: str) -> Tensor:
    """Augment real or generated images differentiably (DiffAugment, Zhao et al., 2020).

    Args:
        images: (N, C, H, W) in [-1, 1]; results may leave that range, as in the paper.
        policy: names from `AUGMENTATIONS`, separated by commas; "" changes nothing.

    Returns:
        Images of the same shape, differentiable by the input. Random numbers come from the device's default generator.

    Raises:
        ValueError: for a name that is not in `AUGMENTATIONS`.
    """
    for name in parse_augment(policy):
        images = AUGMENTATIONS[name](images)
    return images


def add_noise(x: Tensor, std: Tensor) -> Tensor:
    """Add Gaussian instance noise to `x`, with the 0-d tensor `std` as standard deviation (Sønderby et al., 2017)."""
    return torch.addcmul(x, torch.randn_like(x), std.to(x.dtype))


def pack(x: Tensor, count: int) -> Tensor:
    """Join each `count` consecutive samples of `x` along dimension 1 (PacGAN, Lin et al., 2018).

    (N, C, ...) becomes (N / count, count * C, ...). N must be a multiple of `count`.
    """
    return x if count == 1 else x.reshape(len(x) // count, count * x.shape[1], *x.shape[2:])
