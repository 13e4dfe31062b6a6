"""Pictures of a run: grids of samples and plots of the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from fastgan._support.extras import require
from fastgan._support.files import write_with

__all__ = ["is_image", "make_grid", "save_curves", "save_figure", "save_grid"]

_MIN_SIDE = 40  # pixels; smaller images are enlarged by a whole factor until their longer side is at least this


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether `shape`, that of one sample, is an image's: (C, H, W) with C of 1, 3 or 4."""
    return len(shape) == 3 and shape[0] in (1, 3, 4)


def make_grid(images: Tensor, border: int = 1, enlarge: bool = True) -> NDArray[np.uint8]:
    """Arrange images in a nearly square picture (H', W', C).

    Args:
        images: (N, C, H, W) in [-1, 1].
        border: pixels of the grey line around each.
        enlarge: show small images larger, each pixel as a square.
    """
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    factor = max(1, math.ceil(_MIN_SIDE / max(height, width))) if enlarge else 1
    x = images.detach().float().cpu().add(1).mul(127.5).round().clamp(0, 255)
    x = x.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    x = pad(x, (border,) * 4, value=64.0)
    x = pad(x, (0, 0, 0, 0, 0, 0, 0, rows * columns - count))
    x = x.reshape(rows, columns, channels, x.shape[2], x.shape[3]).permute(0, 3, 1, 4, 2)
    picture: NDArray[np.uint8] = x.reshape(rows * x.shape[1], -1, channels).byte().numpy()
    return picture


def save_grid(images: Tensor, path: Path) -> None:
    """Write `images` (N, C, H, W) in [-1, 1] as one picture to `path`, whose suffix chooses the format.

    Raises:
        MissingExtraError: without Pillow.
        ValueError: for a suffix that is no picture's.
        OSError: if the file cannot be written; an earlier one is untouched.
    """
    picture = make_grid(images)
    picture = picture[..., 0] if picture.shape[2] == 1 else picture
    image_module = require("PIL.Image")
    kind = image_module.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"save_grid: expected the suffix of a picture, such as .png, got '{path.name}'")
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
