"""Training data from arrays of images or table rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.samples import Data, Units

__all__ = ["from_array", "standardised"]


def from_array(samples: NDArray[Any], labels: NDArray[Any] | None, source: str) -> Data:
    """Turn an array of images or table rows into training data.

    Images have the shape (N, H, W), (N, C, H, W) or (N, H, W, C), where C is 1, 3 or 4, and any real dtype. They are
    scaled to [-1, 1]: uint8 from 0..255, floats that already lie in [-1, 1] not at all, everything else from the
    array's smallest and largest value. The columns of a table (N, F) are standardised.

    Args:
        samples: the images or rows.
        labels: (N,) whole numbers, or None.
        source: the array's name in error messages, such as a path.

    Raises:
        ValueError: for another shape, values that are not finite numbers, labels that are not whole numbers, or
            labels of another length.

    Example:
        >>> data = from_array(np.full((10, 28, 28), 255, dtype=np.uint8), None, "white images")
        >>> data.samples.shape, data.samples.max()
        (torch.Size([10, 1, 28, 28]), tensor(1.))
        >>> data.units.restore(data.samples).dtype
        dtype('uint8')
    """
    if samples.dtype.kind not in "uif":
        raise ValueError(f"data: expected numbers in {source}, got {samples.dtype}")
    if samples.size == 0 or samples.ndim not in (2, 3, 4):
        raise ValueError(
            f"data: expected samples of shape (N, F), (N, H, W), (N, H, W, C) or (N, C, H, W) "
            f"in {source}, got {samples.shape}"
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"data: expected finite samples in {source}, got NaN or infinity")
    classes = None if labels is None else _classes(labels, source)
    if samples.ndim == 2:
        return standardised(samples, classes)
    return _images(samples, classes, source)


def _classes(labels: NDArray[Any], source: str) -> Tensor:
    """The labels as int64; whole numbers of any dtype are accepted."""
    whole = labels.dtype.kind in "uib" or (labels.dtype.kind == "f" and bool((labels == np.rint(labels)).all()))
    if not whole or not np.isfinite(labels).all():
        got = labels.dtype if labels.dtype.kind not in "f" else labels[labels != np.rint(labels)][:1]
        raise ValueError(f"data: expected labels that are whole numbers in {source}, got {got}")
    return torch.from_numpy(labels.astype(np.int64))


def standardised(rows: NDArray[Any], labels: Tensor | None) -> Data:
    """Table rows with each column shifted to mean 0 and scaled to standard deviation 1.

    Args:
        rows: (N, F) finite numbers; a constant column is shifted only.
        labels: (N,) int64 classes, or None.
    """
    mean, std = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    std[std == 0] = 1.0
    dtype = "float64" if rows.dtype.kind in "ui" else rows.dtype.name
    units = Units(scale=std.tolist(), offset=mean.tolist(), dtype=dtype)
    return Data(torch.from_numpy((rows - mean) / std).float(), labels, units)


def _images(images: NDArray[Any], labels: Tensor | None, source: str) -> Data:
    layout = "hw"
    if images.ndim == 4:
        layout = "chw" if images.shape[1] in (1, 3, 4) else "hwc"
    x = images[:, None] if layout == "hw" else images
    x = np.moveaxis(x, 3, 1) if layout == "hwc" else x
    if x.shape[1] not in (1, 3, 4):
        raise ValueError(f"data: expected images of 1, 3 or 4 channels in {source}, got {images.shape}")
    low, high = float(x.min()), float(x.max())
    if images.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif images.dtype.kind == "f" and -1 <= low and high <= 1:
        low, high = -1.0, 1.0
    scale, offset = (high - low) / 2 or 1.0, (high + low) / 2
    samples = torch.from_numpy((x.astype(np.float64) - offset) / scale).float().clamp_(-1, 1)
    units = Units([scale], [offset], low, high, images.dtype.name, layout)
    return Data(samples, labels, units)
