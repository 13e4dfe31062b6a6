"""`npz:PATH` and `idx:PATH`: arrays in files, which stay in the dtype and the layout of the file."""

from __future__ import annotations

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
    stored = read_npz(path)
    data = from_array(stored.samples, stored.labels, path, stored.layout, stored.notes)
    return fit_data(data, options.image_size, options.color, options.background)


def read_idx_data(path: str, options: ReadOptions) -> Data:
    """Read the images of an IDX file and the labels beside it; see `fastgan.data.idx.read_idx`.

    Args:
        path: the file.
        options: how to read images.

    Raises:
        ValueError: for a file that cannot be read, unusable arrays, or settings of images for rows.
    """
    stored = read_idx(path)
    data = from_array(stored.samples, stored.labels, path, stored.layout, stored.notes)
    return fit_data(data, options.image_size, options.color, options.background)
