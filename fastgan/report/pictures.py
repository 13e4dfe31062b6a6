"""Pictures inside the page: data URIs, the frames of the slider, and how many bytes they may take."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fastgan._support.extras import require
from fastgan.train.pictures import to_pixels

__all__ = ["Frame", "cell", "frames"]

_PNG_LIMIT = 24_000  # bytes; a larger picture is a JPEG
_QUALITY = 85  # of a JPEG
_FRAME_SIDE = 720  # pixels at most of a frame's longer side
_CELL_SIDE = 128  # pixels at most of a single sample's longer side
_MOST_FRAMES = 60


@dataclass(frozen=True)
class Frame:
    """A sample grid in the slider.

    Attributes:
        step: the training step of the grid.
        uri: the picture as a data URI.
        width, height: of the picture in pixels.
    """

    step: int
    uri: str
    width: int
    height: int


def frames(grids: Sequence[tuple[int, Path]], budget: int) -> tuple[list[Frame], list[str]]:
    """The sample grids as frames: evenly chosen, the first and last among them, of at most `budget` bytes together.

    Args:
        grids: the step and the picture's path of each.
        budget: bytes of all data URIs together.

    Returns:
        The frames in the order of their steps, and a sentence for each picture that cannot be read.

    Raises:
        MissingExtraError: without Pillow.
    """
    found: dict[int, Frame] = {}
    notes: list[str] = []
    if not grids:
        return [], notes
    last = _frame(*grids[-1], notes)
    size = len(last.uri) if last else _PNG_LIMIT
    count = max(2, min(_MOST_FRAMES, budget // max(size, 1)))
    chosen = _evenly(len(grids), count)
    for i in chosen:
        frame = last if i == len(grids) - 1 else _frame(*grids[i], notes)
        if frame:
            found[frame.step] = frame
    kept = [found[step] for step in sorted(found)]
    while len(kept) > 2 and sum(len(frame.uri) for frame in kept) > budget:  # later grids may compress better
        kept = [kept[i] for i in _evenly(len(kept), len(kept) - max(1, len(kept) // 8))]
    return kept, notes


def _evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of the numbers below `count`, evenly spaced, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    return sorted({round(i * (count - 1) / (wanted - 1)) for i in range(wanted)})


def _frame(step: int, path: Path, notes: list[str]) -> Frame | None:
    try:
        with require("PIL.Image").open(path) as image:
            image.load()
            small = _shrunk(image.convert("L" if image.mode == "L" else "RGB"), _FRAME_SIDE)
    except Exception as error:  # Pillow's plug-ins raise errors of many classes
        notes.append(f"The picture {path.name} cannot be read ({error}).")
        return None
    return Frame(step, _uri(small), small.width, small.height)


def cell(sample: Tensor) -> str:
    """One image as a data URI; the page enlarges it.

    Args:
        sample: (C, H, W) in [-1, 1].

    Raises:
        MissingExtraError: without Pillow.
    """
    picture = to_pixels(sample)
    image = require("PIL.Image").fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    return _uri(_shrunk(image, _CELL_SIDE))


def _shrunk(image: Any, side: int) -> Any:
    if max(image.size) <= side:
        return image
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, require("PIL.Image").Resampling.LANCZOS)


def _uri(image: Any) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    kind = "png"
    if content.tell() > _PNG_LIMIT and image.mode != "RGBA":
        content, kind = io.BytesIO(), "jpeg"
        image.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
