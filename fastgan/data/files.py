"""Readers of training data in files: image folders and CSV."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.data.tables import read_table

__all__ = ["Arrays", "read_csv", "read_folder"]

Arrays = tuple[NDArray[Any], NDArray[Any] | None]

_IMAGE_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}


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


def read_csv(path: str) -> Arrays:
    """Read a comma-separated table of numbers, with or without a header; the column `label` holds the classes.

    Args:
        path: the file.

    Raises:
        ValueError: for a file that is not a table (see `fastgan.data.tables.read_table`), or a cell that is not a
            finite number; the message gives its line.
    """
    table = read_table(path)
    names = [name.lower() for name in table.names]
    if "label" not in names:
        return table.numbers(range(len(names))), None
    label = names.index("label")
    return table.numbers([i for i in range(len(names)) if i != label]), table.numbers([label])[:, 0]
