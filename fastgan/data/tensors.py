"""The source of a tensor of samples, and what its values mean."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan.data.source import MemorySource
from fastgan.data.units import Units, bytes_as_images

__all__ = ["as_source"]

_CHUNK = 4096  # samples that are checked at a time


def as_source(samples: Tensor, units: Units | None = None) -> tuple[MemorySource, Units]:
    """The source of a tensor of samples, and its units.

    Args:
        samples: (N, ...) of a floating dtype; or bytes, which are images (N, H, W), (N, C, H, W) or, where the last
            dimension and not the second is 1, 3 or 4, (N, H, W, C).
        units: the tensor's, where they are known; its dtype may then be any.

    Raises:
        TypeError: for another dtype.
        ValueError: for an empty tensor, fewer than two dimensions, or NaN or infinity.
    """
    if samples.dim() < 2 or samples.numel() == 0:
        raise ValueError(f"data: expected samples of shape (N, ...), got {tuple(samples.shape)}")
    if samples.is_floating_point():
        # Part by part, as the checks make tensors of the samples' size.
        parts = samples.split(_CHUNK)
        if not all(bool(part.isfinite().all()) for part in parts):
            raise ValueError("data: expected finite samples, got NaN or infinity")
        within = units is None and all(bool(part.abs().max() <= 1) for part in parts)
        return MemorySource(samples), units or (Units(low=-1.0, high=1.0) if within else Units())
    if units is not None:
        return MemorySource(samples), units
    if samples.dtype != torch.uint8 or samples.dim() not in (3, 4):
        raise TypeError(f"data: expected samples of a floating dtype, or images of bytes, got {samples.dtype}")
    layout = "hw"
    if samples.dim() == 4:
        layout = "hwc" if samples.shape[1] not in (1, 3, 4) and samples.shape[3] in (1, 3, 4) else "chw"
    return MemorySource(samples), bytes_as_images(layout)
