"""IDX files, the format of MNIST: arrays behind a header of their type and shape."""

from __future__ import annotations

import gzip
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.arrays import StoredArrays
from fastgan.data.npz import check_memory, expected, usable

__all__ = ["read_idx"]

_HEADER = 4 + 4 * 255  # bytes at most: a magic number, whose last byte is the rank, then 4 bytes a dimension
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str) -> StoredArrays:
    """Read an IDX file of images, gzipped or not, and its labels if their file lies beside it.

    Labels are found by name: `images` is `labels` there, the rank is 1, and dots, hyphens, underscores, capitals and
    `.gz` may differ. So the labels of `train-images.idx3-ubyte` may be in `train-labels-idx1-ubyte.gz`. A file of
    bytes that is not packed is mapped, not read.

    Args:
        path: the file of images.

    Raises:
        ValueError: for a file without an IDX header, or whose length does not match its header.
    """
    source = Path(path)
    images = _array(source)
    wanted = _labels_key(source.name)
    if wanted is None:
        return StoredArrays(images)
    found = sorted((p for p in source.parent.iterdir() if _key(p.name) == wanted), key=lambda p: (len(p.name), p.name))
    if found:
        return StoredArrays(images, _array(found[0]))
    return StoredArrays(images, notes=[f"no labels: no file such as {wanted} lies beside {path}"])


def _key(name: str) -> str:
    """A file's name in lower case, with hyphens for all separators and without `.gz`."""
    return re.sub(r"[._-]+", "-", name.lower().removesuffix(".gz"))


def _labels_key(name: str) -> str | None:
    """The key of the labels' file of a file of images; None where the name does not tell."""
    before, images, behind = _key(name).rpartition("images")
    return f"{before}labels{re.sub(r'idx[0-9]', 'idx1', behind)}" if images else None


def _array(path: Path) -> NDArray[Any]:
    with expected(path, "a readable IDX file"), open(path, "rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    opened: Any = gzip.open if packed else open
    with expected(path, "a readable IDX file"), opened(path, "rb") as file:
        content = file.read(_HEADER)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise ValueError(f"data: expected {path} to start with an IDX header, got {content[:4].hex(' ') or 'nothing'}")
    dtype, rank = np.dtype(_TYPES[content[2]]), content[3]
    first = 4 + 4 * rank
    shape = tuple(int(n) for n in np.frombuffer(content[:first], ">u4", offset=4)) if len(content) >= first else ()
    end = first + math.prod(shape) * dtype.itemsize
    size, content = _content(path, opened, end) if packed else (path.stat().st_size, content)
    if len(shape) != rank or size != end:
        raise ValueError(
            f"data: expected {path} to hold {list(shape)} values of {dtype.itemsize} bytes, as its header says, "
            f"got a file of {'more than ' * (packed and size > end)}{min(size, end) if packed else size} bytes"
        )
    if packed or math.prod(shape) == 0:
        array: NDArray[Any] = np.frombuffer(content[:end], dtype, offset=first).reshape(shape)
    else:
        array = np.memmap(path, dtype, "r", first, shape)
    return usable(array)


def _content(path: Path, opened: Any, end: int) -> tuple[int, bytes]:
    """A packed file's size and content; one byte more than `end` shows that there are more, without unpacking all."""
    check_memory(path, end)
    with expected(path, "a readable IDX file"), opened(path, "rb") as file:
        content = file.read(end + 1)
    return len(content), content
