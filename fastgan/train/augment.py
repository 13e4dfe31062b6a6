"""What is done to samples on their way into D: differentiable augmentation, noise, packing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["AUGMENTATIONS", "add_noise", "augment", "check_augment", "pack"]


def _color(x: Tensor) -> Tensor:
    """Brightness, saturation and contrast, each drawn for each image."""
    x = x + (_uniform(x) - 0.5)
    mean = x.mean(1, keepdim=True)
    x = torch.lerp(mean, x, 2 * _uniform(x))
    mean = x.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, x, 0.5 + _uniform(x))


def _translation(x: Tensor) -> Tensor:
    """A shift of up to an eighth of height and width; what comes in is 0."""
    count, _, height, width = x.shape
    rows = torch.arange(height, device=x.device) + _offsets(x, height // 8)
    columns = torch.arange(width, device=x.device) + _offsets(x, width // 8)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None]
    sample = torch.arange(count, device=x.device)[:, None, None]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    return x.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2) * inside


def _cutout(x: Tensor) -> Tensor:
    """A rectangle of half the height and width at a random place becomes 0."""
    height, width = x.shape[2:]
    rows = _in_span(x, height)[:, None, :, None]
    columns = _in_span(x, width)[:, None, None]
    return x.masked_fill(rows & columns, 0)


def _in_span(x: Tensor, length: int) -> Tensor:
    """Which of `length` places lie in a span of half as many with a random middle, (N, length) bool."""
    middle = torch.randint(0, length + 1, (len(x), 1), device=x.device)
    place = torch.arange(length, device=x.device)
    return (place >= middle - length // 4) & (place < middle - length // 4 + length // 2)


def _offsets(x: Tensor, most: int) -> Tensor:
    return torch.randint(-most, most + 1, (len(x), 1), device=x.device)


def _uniform(x: Tensor) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}


def check_augment(policy: str) -> tuple[str, ...]:
    """The names in a policy such as "color,translation"; empty for "".

    Raises:
        ValueError: for a name that does not exist.
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
    """Differentiable augmentation of real and generated images alike (Zhao et al., 2020).

    Args:
        images: (N, C, H, W) in [-1, 1]; results may leave that range, as in the paper.
        policy: names of `AUGMENTATIONS`, with commas between; "" leaves the images alone.

    Returns:
        Images of the same shape, differentiable by the input; draws come from the device's default generator.
    """
    for name in check_augment(policy):
        images = AUGMENTATIONS[name](images)
    return images


def add_noise(x: Tensor, std: Tensor) -> Tensor:
    """Instance noise: Gaussian, of a 0-d tensor's standard deviation (Sønderby et al., 2017)."""
    return torch.addcmul(x, torch.randn_like(x), std.to(x.dtype))


def pack(x: Tensor, count: int) -> Tensor:
    """PacGAN's packing: `count` consecutive samples become one, joined along dimension 1 (Lin et al., 2018).

    (N, C, ...) becomes (N / count, count * C, ...); N is a multiple of `count`.
    """
    return x if count == 1 else x.reshape(len(x) // count, count * x.shape[1], *x.shape[2:])
