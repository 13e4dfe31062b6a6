"""Pictures of a run: grids of samples and plots of the losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fastgan._support.extras import require
from fastgan._support.files import write_with
from fastgan.train.captions import with_captions

__all__ = ["is_image", "make_grid", "save_curves", "save_figure", "save_picture", "to_pixels"]

_MIN_SIDE = 40  # pixels; smaller images are enlarged by a whole factor until their longer side is at least this
_LINE = 64  # the grey between images


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether `shape`, that of one sample, is an image's: (C, H, W) with C of 1, 3 or 4."""
    return len(shape) == 3 and shape[0] in (1, 3, 4)


def to_pixels(image: Tensor) -> NDArray[np.uint8]:
    """An `image` (C, H, W) in [-1, 1] as grey levels or colours (H, W, C) from 0 to 255."""
    values = image.detach().float().cpu().add(1).mul(127.5).round().clamp(0, 255).byte()
    pixels: NDArray[np.uint8] = values.permute(1, 2, 0).numpy()
    return pixels


def make_grid(images: Iterable[Tensor], count: int, captions: Sequence[str] = ()) -> NDArray[np.uint8]:
    """Arrange images in a nearly square picture (H', W', C). Besides it, memory holds one image at a time.

    Args:
        images: (C, H, W) in [-1, 1], all of one shape: a tensor (N, C, H, W), or any iterable of images.
        count: number of images, at least 1.
        captions: of the images, to write below them, such as their classes; () writes none.

    Raises:
        MissingExtraError: for captions without Pillow or Matplotlib.
    """
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    picture = np.empty((0, 0, 0), np.uint8)
    for i, image in enumerate(images):
        channels, height, width = image.shape
        factor = max(1, math.ceil(_MIN_SIDE / max(height, width)))
        high, wide = height * factor + 2, width * factor + 2
        if i == 0:
            picture = np.zeros((rows * high, columns * wide, channels), np.uint8)
        values = to_pixels(image).repeat(factor, axis=0).repeat(factor, axis=1)
        top, left = i // columns * high, i % columns * wide
        cell = picture[top : top + high, left : left + wide]
        cell[:] = _LINE
        cell[1:-1, 1:-1] = values
    return with_captions(picture, columns, captions) if captions else picture


def save_picture(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a `picture` (H, W, C) to `path`, whose suffix chooses the format.

    Raises:
        MissingExtraError: without Pillow.
        ValueError: for a suffix that is no picture's.
        OSError: if the file cannot be written; an earlier one is untouched.
    """
    picture = picture[..., 0] if picture.shape[2] == 1 else picture
    image_module = require("PIL.Image")
    kind = image_module.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"save_picture: expected the suffix of a picture, such as .png, got '{path.name}'")
    image = image_module.fromarray(picture)
    write_with(path, lambda file: image.save(file, format=kind))


def save_curves(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot both losses and D's probabilities over the steps.

    Args:
        rows: lines of a metrics.jsonl, each with `step`, `loss_d`, `loss_g`, `p_real` and `p_fake`.
        path: the picture to write; its suffix chooses the format.

    Raises:
        MissingExtraError: without matplotlib.
        OSError: if the file cannot be written; an earlier one is untouched.
    """
    # Figure without pyplot has no global state, needs no display, and takes half the time to import.
    figure = require("matplotlib.figure").Figure(figsize=(8, 6), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    steps = [row["step"] for row in rows]
    for panel, names, label in (
        (panels[0], ("loss_d", "loss_g"), "loss"),
        (panels[1], ("p_real", "p_fake"), "mean of D's probability"),
    ):
        for name in names:
            panel.plot(steps, [row[name] for row in rows], label=name)
        panel.set_ylabel(label)
        panel.legend()
        panel.grid(alpha=0.3)
    panels[1].set_xlabel("step")
    save_figure(figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Write a `figure` of matplotlib to `path`, whose suffix chooses the format.

    Raises:
        OSError: if the file cannot be written; an earlier one is untouched.
    """
    write_with(path, lambda file: figure.savefig(file, format=path.suffix[1:].lower(), dpi=100))
