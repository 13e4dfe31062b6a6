"""Captions under the cells of a sample grid: the classes' names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require

__all__ = ["with_captions"]

_FONT_SIZE, _STRIP = 10, 14  # pixels: of the letters, and of the strip under each row of cells
_BEHIND, _LETTERS = 0, 230  # grey levels


def with_captions(picture: NDArray[np.uint8], columns: int, captions: Sequence[str]) -> NDArray[np.uint8]:
    """A grid of images with a caption under each; a caption that is wider than an image is cut.

    Args:
        picture: (H, W, C) of equal cells without gaps, filled row by row.
        columns: number of cells in a row.
        captions: of the cells, in order; there may be fewer than cells.

    Raises:
        MissingExtraError: without Pillow or Matplotlib, whose font is used.
    """
    rows = math.ceil(len(captions) / columns)
    height, width, channels = picture.shape
    high, wide = height // rows, width // columns
    captioned = np.zeros((rows * (high + _STRIP), width, channels), np.uint8)
    for row in range(rows):
        top = row * (high + _STRIP)
        captioned[top : top + high] = picture[row * high : (row + 1) * high]
        strip = captioned[top + high : top + high + _STRIP]
        strip[:] = _strip(captions[row * columns : (row + 1) * columns], wide, width)[..., None]
        if channels == 4:
            strip[..., 3] = 255
    return captioned


def _strip(captions: Sequence[str], wide: int, width: int) -> NDArray[np.uint8]:
    """One line of captions, each centred in its cell: grey levels (_STRIP, width)."""
    image = require("PIL.Image").new("L", (width, _STRIP), _BEHIND)
    draw, font = require("PIL.ImageDraw").Draw(image), _font()
    for i, caption in enumerate(captions):
        text = _cut(" ".join(caption.split()), font, wide - 2)
        left = i * wide + (wide - font.getlength(text)) / 2
        draw.text((left, _STRIP / 2), text, fill=_LETTERS, font=font, anchor="lm")
    return np.asarray(image)


def _cut(text: str, font: Any, wide: int) -> str:
    """As much of the text as fits into the width."""
    if font.getlength(text) <= wide:
        return text
    while text and font.getlength(text + "\u2026") > wide:
        text = text[:-1]
    return text + "\u2026" if text else ""


def _font() -> Any:
    fonts = Path(require("matplotlib").get_data_path(), "fonts", "ttf")
    return require("PIL.ImageFont").truetype(str(fonts / "DejaVuSans.ttf"), _FONT_SIZE)
