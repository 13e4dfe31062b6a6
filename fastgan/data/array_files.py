"""`npz:PATH` and `idx:PATH`: arrays in files, which stay in the dtype and the layout of the file."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.arrays import StoredArrays
from fastgan.data.idx import read_idx
from fastgan.data.memory import fit_data, from_array
from fastgan.data.npz import read_npz
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data

__all__ = ["read_idx_data", "read_npz_data"]


def read_npz_data(path: str, options: ReadOptions) -> Data:
    """Read the images or rows of an .npz file; see `fastgan.data.npz.read_npz`.

    Args:
        path: the file.
        options: how to read images.

    Raises:
        ValueError: for a file that cannot be read, unusable arrays, or settings of images for rows.
    """
    return _data(read_npz(path), path, options)


def read_idx_data(path: str, options: ReadOptions) -> Data:
    """Read the images of an IDX file and the labels beside it; see `fastgan.data.idx.read_idx`.

    Args:
        path: the file.
        options: how to read images.

    Raises:
        ValueError: for a file that cannot be read, unusable arrays, or settings of images for rows.
    """
    return _data(read_idx(path), path, options)


def _data(stored: StoredArrays, path: str, options: ReadOptions) -> Data:
    """Arrays as data; a mapped array is read into memory where it fits there, so that a GPU can hold it."""
    samples = stored.samples
    is_fitted = options.image_size != 0 or options.color != "auto"  # then what is kept is made from it
    if isinstance(samples, np.memmap) and isinstance(samples.base, mmap.mmap) and not is_fitted:
        samples = _read(samples) if options.keeps(samples.nbytes) else samples
    data = from_array(samples, stored.labels, path, stored.layout, stored.notes)
    return fit_data(data, options.image_size, options.color, options.background)


def _read(mapped: np.memmap[Any, Any]) -> NDArray[Any]:
    """A mapped array in memory. It is read from the file: pages of the map would count as memory, too."""
    samples: NDArray[Any] = np.fromfile(str(mapped.filename), mapped.dtype, mapped.size, offset=mapped.offset)
    shaped: NDArray[Any] = samples.reshape(mapped.shape, order="C" if mapped.flags.c_contiguous else "F")
    return shaped
