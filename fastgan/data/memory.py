"""Training data from arrays of images or table rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.arrays import array_form, row_units
from fastgan.data.fit import check_fit, fit_images, parse_background
from fastgan.data.labels import encode_labels
from fastgan.data.samples import Data
from fastgan.data.source import ArraySource, MemorySource, Source, chunks

__all__ = ["fit_data", "from_array", "source_of", "standardised"]

_CHUNK = 256  # images that are resized at a time
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


def from_array(
    samples: NDArray[Any], labels: NDArray[Any] | None, source: str, layout: str = "", notes: Sequence[str] = ()
) -> Data:
    """Turn an array of images or table rows into training data; the array itself is used, not a copy.

    Images have the shape (N, H, W), (N, C, H, W) or (N, H, W, C), where C is 1, 3 or 4 (which of the two is decided by
    `fastgan.data.arrays.image_layout`), and any real dtype or bool. They are scaled to [-1, 1] from the range that
    `fastgan.data.arrays.array_form` finds. The columns of a table (N, F) are standardised.

    Args:
        samples: the images or rows.
        labels: (N,) whole numbers or text, one-hot (N, K), or None.
        source: the array's name in error messages, such as a path.
        layout: of images: "hwc", "chw" or "hw"; "" decides by the shape.
        notes: what is known already, a sentence each, for `Data.notes`.

    Raises:
        ValueError: for another shape or layout, values that are not finite numbers, labels that are neither whole
            numbers nor text, or labels of another length.

    Example:
        >>> data = from_array(np.full((10, 28, 28), 255, dtype=np.uint8), None, "white images")
        >>> data.source.dtype, data.sample_shape, data.samples.max()
        (torch.uint8, (1, 28, 28), tensor(1.))
        >>> data.units.restore(data.samples).dtype
        dtype('uint8')
    """
    form = array_form(samples, source, layout)
    codes, names = (None, ()) if labels is None else encode_labels(labels, source)
    given = None if codes is None else torch.from_numpy(codes)
    return Data(source_of(samples), given, form.units, names, source, [*notes, *form.notes])


def source_of(samples: NDArray[Any]) -> Source:
    """The source of an array `samples` (N, ...): a tensor of the same memory where torch knows the dtype."""
    if isinstance(samples, np.memmap) or samples.dtype.name not in _KNOWN or not samples.dtype.isnative:
        return ArraySource(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on arrays that may not be written to; nothing writes to them
        return MemorySource(torch.from_numpy(samples))


def fit_data(data: Data, image_size: int = 0, color: str = "auto", background: str = "white") -> Data:
    """Images cropped, resized and converted as those of a folder are; other data are refused.

    Args:
        data: the images.
        image_size: the side in pixels of the centred squares to which they are cropped and resized; 0 keeps the size.
        color: grey or rgb; auto keeps the channels.
        background: white, black or #rrggbb, over which images of 4 channels are composed to become grey or RGB.

    Raises:
        ValueError: for samples that are not images, and an image size or colour; and for settings that are unknown.
        MissingExtraError: to resize images without Pillow.
    """
    check_fit(image_size, color)
    parse_background(background)
    if image_size == 0 and color == "auto":
        return data
    units = data.units
    if not units.layout or units.low is None or units.high is None:
        setting = f"`image_size` {image_size}" if image_size else f"`color` {color}"
        where = f" in {data.name}" if data.name else ""
        raise ValueError(f"data: expected images for {setting}, got samples {data.source.shape}{where}")
    fitted: NDArray[Any] | None = None
    layout = units.layout
    for indices in chunks(len(data), _CHUNK):
        raw = data.source.read(indices).numpy()
        part, layout = fit_images(raw, units.layout, (units.low, units.high), image_size, color, background)
        if fitted is None:
            fitted = np.empty((len(data), *part.shape[1:]), part.dtype)
        fitted[int(indices[0]) : int(indices[-1]) + 1] = part
    assert fitted is not None  # no data are empty
    return Data(source_of(fitted), data.labels, replace(units, layout=layout), data.class_names, data.name, data.notes)


def standardised(rows: NDArray[Any], labels: Tensor | None, name: str = "") -> Data:
    """Table rows with each column shifted to mean 0 and scaled to standard deviation 1.

    Args:
        rows: (N, F) finite numbers; a constant column is shifted only.
        labels: (N,) classes, or None.
        name: what to call the data in messages.
    """
    return Data(source_of(rows), labels, row_units(rows), name=name)
