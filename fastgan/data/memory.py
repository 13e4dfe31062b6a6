"""Training data from arrays of images or table rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.labels import encode_labels
from fastgan.data.samples import Data
from fastgan.data.source import ArraySource, MemorySource, Source, chunks
from fastgan.data.units import Units

__all__ = ["from_array", "source_of", "standardised"]

_CHUNK = 4096  # samples that are checked at a time
# The dtypes that torch computes with.
_KNOWN = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
]  # dtypes that torch computes with


def from_array(samples: NDArray[Any], labels: NDArray[Any] | None, source: str) -> Data:
    """Turn an array of images or table rows into training data; the array itself is used, not a copy.

    Images have the shape (N, H, W), (N, C, H, W) or (N, H, W, C), where C is 1, 3 or 4, and any real dtype. They are
    scaled to [-1, 1]: uint8 from 0..255, floats that already lie in [-1, 1] not at all, everything else from the
    array's smallest and largest value. The columns of a table (N, F) are standardised.

    Args:
        samples: the images or rows.
        labels: (N,) whole numbers or text, one-hot (N, K), or None.
        source: the array's name in error messages, such as a path.

    Raises:
        ValueError: for another shape, values that are not finite numbers, labels that are neither whole numbers nor
            text, or labels of another length.

    Example:
        >>> data = from_array(np.full((10, 28, 28), 255, dtype=np.uint8), None, "white images")
        >>> data.source.dtype, data.sample_shape, data.samples.max()
        (torch.uint8, (1, 28, 28), tensor(1.))
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
    if samples.dtype.kind == "f":
        for part in chunks(len(samples), _CHUNK):
            if not np.isfinite(samples[int(part[0]) : int(part[-1]) + 1]).all():
                raise ValueError(f"data: expected finite samples in {source}, got NaN or infinity")
    codes, names = (None, ()) if labels is None else encode_labels(labels, source)
    units = _columns(samples) if samples.ndim == 2 else _images(samples, source)
    return Data(source_of(samples), None if codes is None else torch.from_numpy(codes), units, names, source)


def source_of(samples: NDArray[Any]) -> Source:
    """The source of an array `samples` (N, ...): a tensor of the same memory where torch knows the dtype, else the array."""
    if isinstance(samples, np.memmap) or samples.dtype.name not in _KNOWN or not samples.dtype.isnative:
        return ArraySource(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on arrays that may not be written to; nothing writes to them
        return MemorySource(torch.from_numpy(samples))


def standardised(rows: NDArray[Any], labels: Tensor | None, name: str = "") -> Data:
    """Table rows with each column shifted to mean 0 and scaled to standard deviation 1.

    Args:
        rows: (N, F) finite numbers; a constant column is shifted only.
        labels: (N,) classes, or None.
        name: what to call the data in messages.
    """
    return Data(source_of(rows), labels, _columns(rows), name=name)


def _columns(rows: NDArray[Any]) -> Units:
    mean, std = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    std[std == 0] = 1.0
    dtype = "float64" if rows.dtype.kind in "ui" else rows.dtype.name
    return Units(scale=std.tolist(), offset=mean.tolist(), dtype=dtype)


def _images(images: NDArray[Any], source: str) -> Units:
    layout = "hw"
    if images.ndim == 4:
        layout = "chw" if images.shape[1] in (1, 3, 4) else "hwc"
    if images.ndim == 4 and images.shape[1 if layout == "chw" else 3] not in (1, 3, 4):
        raise ValueError(f"data: expected images of 1, 3 or 4 channels in {source}, got {images.shape}")
    low, high = float(images.min()), float(images.max())
    if images.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif images.dtype.kind == "f" and -1 <= low and high <= 1:
        low, high = -1.0, 1.0
    return Units([(high - low) / 2 or 1.0], [(high + low) / 2], low, high, images.dtype.name, layout)
