"""Arrays of images or table rows: which dimension is which, what range the values have, and the units to train in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.units import Units

__all__ = ["LAYOUTS", "ArrayForm", "StoredArrays", "array_form", "image_layout", "row_units"]

LAYOUTS = ("hwc", "chw", "hw")

_CHANNELS = (1, 3, 4)
_CHUNK = 2**22  # bytes of an array that are looked at together, so that no copy of it is made


@dataclass(frozen=True)
class StoredArrays:
    """What a file of arrays holds, in the dtypes of the file.

    Attributes:
        samples: (N, ...).
        labels: of any form that `fastgan.data.labels.encode_labels` takes, or None.
        layout: of images: "hwc", "chw" or "hw"; "" where the file does not say.
        notes: what a user should know, a sentence each.
    """

    samples: NDArray[Any]
    labels: NDArray[Any] | None = None
    layout: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ArrayForm:
    """How an array is to be read.

    Attributes:
        layout: of images: "hwc", "chw" or "hw"; "" for table rows.
        units: the conversion between the array's values and the networks' range.
        notes: what was decided, a sentence each.
    """

    layout: str
    units: Units
    notes: list[str] = field(default_factory=list)


def array_form(samples: NDArray[Any], source: str, layout: str = "") -> ArrayForm:
    """Decide how an array is to be read, in one pass over it that copies nothing.

    The range of images is 0..255 for uint8, or 0..1 where these have no other values, as bools; [0, 1] for floats that
    lie there, or else [-1, 1]; and for all others that of the array's smallest and largest value. Table rows are
    standardised by the mean and standard deviation of each column.

    Args:
        samples: (N, F) rows, or images (N, H, W), (N, C, H, W) or (N, H, W, C) of any real dtype or bool.
        source: the array's name in error messages.
        layout: of images: "hwc", "chw" or "hw"; "" decides by the shape.

    Raises:
        ValueError: for another shape, layout or dtype, or values that are not finite.
    """
    if samples.dtype.kind not in "uifb":
        raise ValueError(f"data: expected numbers in {source}, got {samples.dtype}")
    if samples.size == 0 or samples.ndim not in (2, 3, 4):
        raise ValueError(
            f"data: expected samples of shape (N, F), (N, H, W), (N, H, W, C) or (N, C, H, W) "
            f"in {source}, got {samples.shape}"
        )
    if samples.ndim == 2:
        if layout:
            raise ValueError(f"data: expected images for the layout '{layout}' in {source}, got rows {samples.shape}")
        _extremes(samples, source)  # refuses NaN and infinity
        return ArrayForm("", row_units(samples))
    layout, notes = image_layout(samples.shape, source, layout)
    low, high, note = _image_range(samples, source)
    dtype = "uint8" if samples.dtype.kind == "b" else samples.dtype.name
    units = Units([high / 2 - low / 2 or 1.0], [high / 2 + low / 2], low, high, dtype, layout)
    return ArrayForm(layout, units, notes + ([note] if note else []))


def image_layout(shape: tuple[int, ...], source: str, layout: str = "") -> tuple[str, list[str]]:
    """The order of an image array's dimensions, and a note where its shape alone does not tell.

    Three dimensions are "hw". Of four, the channels are those of which there are 1, 3 or 4: the last dimension, "hwc",
    or the second, "chw". If both could be, they are the last, as in image files.

    Args:
        shape: (N, ...).
        source: the array's name in messages.
        layout: the order where it is known, also in capitals and with an n before it; it must fit the shape.

    Raises:
        ValueError: for an unknown layout, one that does not fit, or another number of channels.

    Example:
        >>> image_layout((10, 3, 64, 64), "x")
        ('chw', [])
        >>> image_layout((10, 3, 64, 3), "x")[0]
        'hwc'
    """
    fits = {
        "hw": len(shape) == 3,
        "hwc": len(shape) == 4 and shape[3] in _CHANNELS,
        "chw": len(shape) == 4 and shape[1] in _CHANNELS,
    }
    if layout:
        given = layout.strip().lower().removeprefix("n")
        if given not in LAYOUTS:
            raise ValueError(f"data: expected a layout of {', '.join(LAYOUTS)} in {source}, got '{layout}'")
        if not fits[given]:
            raise ValueError(f"data: expected images of the layout '{layout}' in {source}, got {shape}")
        return given, []
    if not any(fits.values()):
        raise ValueError(f"data: expected images of 1, 3 or 4 channels in {source}, got {shape}")
    if fits["hwc"] and fits["chw"]:
        height, width, channels = shape[1:]
        return "hwc", [
            f"images {shape[1:]} are read as height {height}, width {width} and {channels} channels (layout hwc); "
            "for channels first give the layout chw (an array `layout` in an .npz file)"
        ]
    return next(name for name in LAYOUTS if fits[name]), []


def _parts(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Parts of an array along its first dimension, of some megabytes each, with the index of their first sample."""
    count = max(1, _CHUNK // max(1, array.itemsize * math.prod(array.shape[1:])))
    for first in range(0, len(array), count):
        yield first, array[first : first + count]


def _extremes(array: NDArray[Any], source: str) -> tuple[float, float]:
    """The smallest and largest value, all being finite."""
    low, high = math.inf, -math.inf
    for first, part in _parts(array):
        least, most = float(part.min()), float(part.max())
        if not (math.isfinite(least) and math.isfinite(most)):
            sample = first + int((~np.isfinite(part)).reshape(len(part), -1).any(axis=1).argmax())
            raise ValueError(f"data: expected finite samples in {source}, got NaN or infinity in sample {sample}")
        low, high = min(low, least), max(high, most)
    return low, high


def _image_range(images: NDArray[Any], source: str) -> tuple[float, float, str]:
    """The range that images are scaled from, and a note where it is not that of their dtype."""
    if images.dtype.kind == "b":
        return 0.0, 1.0, ""
    if images.dtype == np.uint8:
        if any(int(part.max()) > 1 for _, part in _parts(images)):  # the first part of most images ends it
            return 0.0, 255.0, ""
        return 0.0, 1.0, "the images, uint8 of 0 and 1 only, are scaled from 0..1"
    low, high = _extremes(images, source)
    if images.dtype.kind == "f" and low >= -1 and high <= 1:
        if low < 0:
            told = f"the images, {images.dtype} of {low:g}..{high:g}, are taken to have the range -1..1"
            return -1.0, 1.0, told if low > -0.5 else ""
        return 0.0, 1.0, f"the images, {images.dtype} in [0, 1], are scaled from 0..1"
    return low, high, f"the images, {images.dtype}, are scaled from their smallest and largest value, {low:g}..{high:g}"


def row_units(rows: NDArray[Any]) -> Units:
    """The units in which each column has mean 0 and standard deviation 1; a constant column is shifted only.

    Args:
        rows: (N, F) finite numbers.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    variance = np.zeros_like(mean)
    for _, part in _parts(rows):
        variance += np.square(part - mean).sum(axis=0)
    std = np.sqrt(variance / len(rows))
    std[std == 0] = 1.0
    dtype = "float64" if rows.dtype.kind in "uib" else rows.dtype.name
    return Units(scale=std.tolist(), offset=mean.tolist(), dtype=dtype)
