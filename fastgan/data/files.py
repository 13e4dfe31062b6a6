"""Readers of training data in files: .npz arrays, image folders and IDX (the format of MNIST)."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require

__all__ = ["Arrays", "read_folder", "read_idx", "read_npz"]

Arrays = tuple[NDArray[Any], NDArray[Any] | None]

_IMAGE_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
_IDX_HEADER = 4 + 4 * 255  # bytes at most: a magic number, whose last byte is the rank, then 4 bytes a dimension
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_npz(path: str) -> Arrays:
    """Read the array `samples`, or the only array, of an .npz file, and its array `labels` if it has one.

    Args:
        path: the file.

    Raises:
        ValueError: for a file that is not an .npz, contains pickled objects, lacks `samples`, or is larger than the
            machine's memory when unpacked.
    """
    with _expected(path, "an .npz file of arrays"), zipfile.ZipFile(path) as packed:
        size = sum(member.file_size for member in packed.infolist())
    _check_memory(path, size)
    with _expected(path, "an .npz file of arrays"), np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    labels = arrays.pop("labels", None)
    if "samples" not in arrays and len(arrays) != 1:
        raise ValueError(f"data: expected an array `samples` in {path}, got {', '.join(arrays) or 'none'}")
    return arrays["samples"] if "samples" in arrays else next(iter(arrays.values())), labels


@contextlib.contextmanager
def _expected(path: str | Path, kind: str) -> Iterator[None]:
    """Raise one ValueError in place of the many errors that libraries raise for damaged files and other formats."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"data: expected {path} to be {kind}: {error}") from error


def _check_memory(path: str | Path, size: int) -> None:
    """Refuse what cannot fit into memory before it is unpacked: zip and gzip shrink zeros a thousandfold."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise ValueError(f"data: expected {path} to hold at most this machine's {memory:,} bytes, got {size:,}")


def read_idx(path: str) -> Arrays:
    """Read an IDX file of images, gzipped or not, and its labels if their file lies beside it.

    The labels of `train-images-idx3-ubyte.gz` are in `train-labels-idx1-ubyte.gz`, as in MNIST.

    Args:
        path: the file of images.

    Raises:
        ValueError: for a file without an IDX header, or whose length does not match its header.
    """
    source = Path(path)
    images = _idx_array(source)
    beside = source.with_name(source.name.replace("images-idx3", "labels-idx1"))
    return images, _idx_array(beside) if beside != source and beside.exists() else None


def _idx_array(path: Path) -> NDArray[Any]:
    with _expected(path, "a readable IDX file"), open(path, "rb") as start:
        opened = gzip.open if start.read(2) == b"\x1f\x8b" else open
    with _expected(path, "a readable IDX file"), opened(path, "rb") as file:
        content = file.read(_IDX_HEADER)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise ValueError(f"data: expected {path} to start with an IDX header, got {content[:4].hex(' ') or 'nothing'}")
    dtype, rank = np.dtype(_IDX_TYPES[content[2]]), content[3]
    first = 4 + 4 * rank
    shape = tuple(int(n) for n in np.frombuffer(content[:first], ">u4", offset=4)) if len(content) >= first else ()
    end = first + math.prod(shape) * dtype.itemsize
    _check_memory(path, end)
    with _expected(path, "a readable IDX file"), opened(path, "rb") as file:
        content = file.read(end + 1)  # one byte more than expected shows that there are more, without unpacking all
    if len(shape) != rank or len(content) != end:
        raise ValueError(
            f"data: expected {path} to hold {list(shape)} values of {dtype.itemsize} bytes, as its header says, "
            f"got a file of {'more than ' * (len(content) > end)}{min(len(content), end)} bytes"
        )
    return np.frombuffer(content, dtype, offset=first).reshape(shape).astype(dtype.newbyteorder("="))


def read_folder(path: str, image_size: int = 0, strict: bool = False, color: str = "auto", workers: int = 0) -> Arrays:
    """Read all images under a folder, as uint8 (N, H, W) if they are grey and (N, H, W, 3) if they are RGB.

    Each subfolder with images is a class; classes are numbered in the order of the subfolders' names. If an
    image lies in the folder itself, there are no labels. The first frame of an animated image is read; transparency is
    dropped.

    Args:
        path: the folder.
        image_size: crop each image to a centred square and resize it to this side; 0 keeps the size.
        strict: raise on an unreadable image; otherwise it is skipped, and a warning gives the number of such images.
        color: grey or rgb converts all images; auto is grey if all images are grey and RGB otherwise.
        workers: threads that read images; 0 reads in the calling thread.

    Raises:
        ValueError: for a folder without readable images, images of several sizes, or, if strict, an unreadable one.
        MissingExtraError: without Pillow.
    """
    root = Path(path)
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in _IMAGE_ENDINGS and p.is_file())
    images, kept, broken = [], [], []
    for file, image in zip(files, _read_all(files, image_size, color, workers), strict=True):
        if not isinstance(image, Exception):
            images.append(image)
            kept.append(file)
        elif strict:
            raise ValueError(f"data: expected {file} to be an image: {image}") from image
        else:
            broken.append(file)
    if broken:
        warnings.warn(
            f"data: skipped {len(broken)} of {len(files)} images that cannot be read, {broken[0]} first", stacklevel=2
        )
    if not images:
        raise ValueError(f"data: expected images in {root}, got none that can be read of {len(files)}")
    for file, image in zip(kept, images, strict=True):
        if image.shape[:2] != images[0].shape[:2]:
            raise ValueError(
                f"data: expected images of one size, as {kept[0]} of {images[0].shape[:2]}, got {file} of "
                f"{image.shape[:2]}; --image-size crops and resizes them"
            )
    if any(image.ndim == 3 for image in images):
        images = [np.repeat(x[..., None], 3, axis=2) if x.ndim == 2 else x for x in images]
    folders = [file.relative_to(root).parts[0] if file.parent != root else None for file in kept]
    names = sorted({name for name in folders if name is not None})
    labels = np.array([names.index(f) for f in folders if f is not None]) if None not in folders else None
    return np.stack(images), labels


def _read_all(files: list[Path], size: int, color: str, workers: int) -> Iterator[NDArray[Any] | Exception]:
    """The image of each file, in order, or the error that reading it raised."""

    def read(path: Path) -> NDArray[Any] | Exception:
        try:
            return _read_image(path, size, color)
        except Exception as error:  # Pillow's plug-ins raise errors of many classes
            return error

    if workers == 0:
        yield from map(read, files)
        return
    require("PIL.Image").init()  # imports its plug-ins here, as threads would race to do it
    with ThreadPoolExecutor(workers, "fastgan-images") as pool:
        yield from pool.map(read, files)  # Pillow releases the GIL while it decodes


def _read_image(path: Path, size: int, color: str) -> NDArray[Any]:
    image_module = require("PIL.Image")
    with image_module.open(path) as image:
        if image.mode == "I" or image.mode.startswith("I;16"):  # convert() would clip 16 bits at 255
            image = image_module.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        grey = color == "grey" or (color == "auto" and image.mode in ("1", "L", "LA"))
        image = image.convert("L" if grey else "RGB")
        if size:
            image = require("PIL.ImageOps").fit(image, (size, size), image_module.Resampling.LANCZOS)
        return np.asarray(image)
