"""Translating images with a trained generator: each by itself, with noise from a seed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastgan.data import Data
from fastgan.data.source import chunks
from fastgan.models.translation import UNet, dropout_noise, nearest_size

__all__ = ["check_images", "served_size", "translate", "translate_data"]

_PART = 64  # inputs that are read together


@torch.no_grad()
def translate(generator: nn.Module, inputs: Tensor, seed: int | None = 0) -> Tensor:
    """The translations (N, C, H, W) of images, float32, on the CPU.

    Each image is translated by itself, and its noise is drawn anew from the seed. So its translation depends on the
    image, the weights and the seed, and not on the images beside it.

    Args:
        generator: in eval mode, on any device.
        inputs: (N, C', H, W) in the network's range.
        seed: of the dropout, which is the generator's noise; None leaves it off.
    """
    device = next((p.device for p in generator.parameters()), inputs.device)
    made = []
    for image in inputs.to(device).split(1):
        with dropout_noise(generator, seed):
            made.append(generator(image).float().cpu())
    return torch.cat(made) if made else torch.empty(0)


def translate_data(generator: nn.Module, data: Data, seed: int | None = 0) -> Tensor:
    """The translations (N, C, H, W) of all inputs of data.

    Args:
        generator: in eval mode.
        data: with inputs.
        seed: of the noise, and of the holes of inputs by `mask`.
    """
    parts = (data.pair_batch(indices, seed or 0)[1] for indices in chunks(len(data), _PART))
    return torch.cat([translate(generator, inputs, seed) for inputs in parts])


def served_size(generator: nn.Module, height: int, width: int, trained: tuple[int, ...]) -> tuple[int, int]:
    """The sides nearest to those given that a generator serves; a network of one's own serves those of its training.

    Args:
        generator: the network.
        height: of an image.
        width: of an image.
        trained: (C, H, W) of the inputs of the training.
    """
    if isinstance(generator, UNet):
        return nearest_size(height, width, generator.step, 2 * generator.step)
    return trained[1], trained[2]


def check_images(generator: nn.Module, images: Tensor, trained: tuple[int, ...]) -> None:
    """Refuse images that a generator cannot translate.

    Args:
        generator: the network.
        images: any tensor.
        trained: (C, H, W) of the inputs of the training.

    Raises:
        ValueError: for other channels, or sides that it does not serve, with the nearest that it does.
    """
    if images.dim() != 4 or images.shape[1] != trained[0]:
        raise ValueError(f"translate: expected images (N, {trained[0]}, H, W), got {tuple(images.shape)}")
    height, width = images.shape[2:]
    nearest = served_size(generator, height, width, trained)
    if nearest != (height, width):
        raise ValueError(
            f"translate: expected images whose sides the network serves, got {width} x {height}; the nearest that "
            f"works is {nearest[1]} x {nearest[0]}"
        )
