"""Array files that are written batch by batch, so that memory holds one batch whatever the number of samples."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_npy", "write_npz"]


def write_npy(file: IO[bytes], batches: Iterable[NDArray[Any]], count: int) -> None:
    """Write arrays as one .npy file.

    Args:
        file: an open binary file, which need not be seekable.
        batches: arrays (N, ...) of one dtype, whose first dimensions sum to `count`.
        count: the number of rows, at least 1.
    """
    for i, batch in enumerate(batches):
        if i == 0:
            header = {"descr": np.lib.format.dtype_to_descr(batch.dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (count, *batch.shape[1:])})
        file.write(np.ascontiguousarray(batch).data)


def write_npz(file: IO[bytes], count: int, **arrays: NDArray[Any] | Iterable[NDArray[Any]]) -> None:
    """Write arrays as a compressed .npz file, one after the other.

    Args:
        file: an open binary file that can be seeked.
        count: the number of rows of each array that comes in batches, at least 1.
        arrays: whole arrays, or the batches of each, as `write_npy` takes them.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for name, batches in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(batches, np.ndarray):
                    np.lib.format.write_array(member, batches, allow_pickle=False)
                else:
                    write_npy(member, batches, count)
