"""What a set of image files has in common: one size, grey or RGB, the range of deep values; headers tell most of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastgan.data.formats import UnreadableImageError, opened, pillow, quiet_pillow
from fastgan.data.images import ImageHeader, ImageReader, pixel_values, probe

__all__ = ["Survey", "survey_images", "value_bounds"]

_LOOKED_AT = 20_000  # headers; more are read only where they decide something: the size, or whether all are grey
_DECODED = 256  # deep images whose pixels tell their range
_DEPTHS = (1, 8, 10, 12, 14, 16, 24, 31, 32)  # bits of a pixel that cameras, scanners and masks have


@dataclass(frozen=True)
class Survey:
    """What a set of images has in common.

    Attributes:
        reader: the reader of the set, its `color` grey or rgb and its `ranges` known.
        shape: (H, W, C) of every image that the reader returns.
        unreadable: the images, by index, whose header showed that they cannot be read.
        notes: what a user should know, a sentence each.
    """

    reader: ImageReader
    shape: tuple[int, int, int]
    unreadable: dict[int, UnreadableImageError] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def survey_images(
    count: int, source: Callable[[int], str | bytes], name: Callable[[int], str], reader: ImageReader, workers: int = 0
) -> Survey:
    """Look at the headers of a set of images, and at some pixels if they have more than 8 bits a channel.

    With `reader.image_size`, at most 20,000 headers are read, evenly spread, and all only where these are all grey and
    `color` is auto; without it, all are read, as all sizes must be one. The color auto becomes grey if all images are
    grey, and rgb otherwise. Integers of more than 8 bits without negative ones are scaled from 0 to the largest value
    of the fewest bits (1, 8, 10, 12, 14, 16, 24, 31 or 32) that hold the largest value of up to 256 images; floats from
    [0, 1], [-1, 1] or [0, 255], the first that holds them; other values from the smallest to the largest one of all.

    Args:
        count: number of images, at least one.
        source: the path or content of an image, by its index.
        name: what to call an image in messages, by its index.
        reader: how the images are to be read.
        workers: threads that read files; 0 reads in the calling thread.

    Raises:
        ValueError: where no image can be read, images of several sizes are to keep them, or 16-bit colour images use
            the lower bits only, which Pillow drops.
        MissingExtraError: without Pillow.
    """
    pillow()
    look = _Look(source, name, reader)
    with quiet_pillow(), _mapping(workers) as each:
        spread = _spread(count, _LOOKED_AT if reader.image_size else count)
        look.headers(spread, each)
        if reader.color == "auto" and look.grey == look.count and len(spread) < count:
            look.headers(sorted(set(range(count)) - set(spread)), each)
        if not look.count:
            first = look.unreadable[min(look.unreadable)]
            raise ValueError(f"data: expected images that can be read, got none of {count:,}: {first}") from first
        size = (reader.image_size, reader.image_size) if reader.image_size else look.one_size()
        color = ("grey" if look.grey == look.count else "rgb") if reader.color == "auto" else reader.color
        notes = look.notes(color)
        ranges = {kind: look.bounds(kind, each, notes) for kind in look.deep if kind != "16-bit colour"}
        look.check_deep_colour(each)
    fitted = replace(reader, color=color, ranges=ranges)
    return Survey(fitted, (*size, 1 if color == "grey" else 3), look.unreadable, notes)


def value_bounds(low: float, high: float, whole: bool) -> tuple[float, float] | None:
    """The range that values from `low` to `high` are likely to have, or None where they fill none of those known.

    Args:
        low: their smallest.
        high: their largest.
        whole: whether they are of an integer dtype.
    """
    if whole:
        return (0.0, next(2.0**bits - 1 for bits in _DEPTHS if high < 2**bits)) if low >= 0 else None
    return next(((a, b) for a, b in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)) if a <= low and high <= b), None)


@contextlib.contextmanager
def _mapping(workers: int) -> Iterator[Any]:
    """A function like `map`, with threads if there are workers."""
    if workers == 0:
        yield map
        return
    with ThreadPoolExecutor(workers, "fastgan-images") as pool:
        yield pool.map


def _spread(count: int, most: int) -> list[int]:
    """At most `most` indices below `count`, evenly spread."""
    return list(range(count)) if count <= most else [i * count // most for i in range(most)]


@dataclass
class _Look:
    """What was seen so far."""

    source: Callable[[int], str | bytes]
    name: Callable[[int], str]
    reader: ImageReader
    count: int = 0
    grey: int = 0
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)  # the first image of each size
    examples: dict[str, int] = field(default_factory=dict)  # the first image with transparency, with frames
    deep: dict[str, list[int]] = field(default_factory=dict)
    unreadable: dict[int, UnreadableImageError] = field(default_factory=dict)

    def headers(self, indices: Sequence[int], each: Any) -> None:
        """Read the headers of the images with these `indices`."""

        def read(i: int) -> ImageHeader | UnreadableImageError:
            try:
                return probe(self.source(i), self.name(i))
            except UnreadableImageError as error:
                return error

        for i, header in zip(indices, each(read, indices), strict=True):
            if isinstance(header, UnreadableImageError):
                self.unreadable[i] = header
                continue
            self.count += 1
            self.grey += self.reader.keeps_grey(header)
            self.sizes.setdefault((header.height, header.width), i)
            if header.transparent:
                self.examples.setdefault("transparent", i)
            if header.frames:
                self.examples.setdefault("frames", i)
            if header.deep:
                self.deep.setdefault(header.deep, []).append(i)

    def one_size(self) -> tuple[int, int]:
        """The size of all images."""
        (size, first), *others = self.sizes.items()
        if others:
            other, index = others[0]
            raise ValueError(
                f"data: expected images of one size, as {self.name(first)} of {size}, got {self.name(index)} of "
                f"{other}; --image-size crops and resizes them"
            )
        return size

    def notes(self, color: str) -> list[str]:
        """What is done to these images, a sentence each."""
        notes = []
        if self.reader.color == "auto" and 0 < self.grey < self.count:
            notes.append(
                f"grey and RGB images are mixed: all are read as {color.upper()}; --color grey makes them grey"
            )
        if "transparent" in self.examples:
            name, over = self.name(self.examples["transparent"]), self.reader.background
            notes.append(f"transparent images, {name} first, are composed over {over}; --background sets the colour")
        if "frames" in self.examples:
            name = self.name(self.examples["frames"])
            notes.append(f"of images with several frames or pages, {name} first, the first frame is read")
        return notes

    def _extremes(self, i: int) -> tuple[float, float, bool] | UnreadableImageError:
        """The smallest and largest value of an image, and whether its dtype is an integer."""
        try:
            with opened(self.source(i), self.name(i)) as image:
                values = pixel_values(image)
        except UnreadableImageError as error:
            return error
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            return UnreadableImageError(self.name(i), "with NaN or infinity", "expected finite values")
        return low, high, values.dtype.kind in "ui"

    def _range(self, indices: Sequence[int], each: Any) -> tuple[float, float, bool] | None:
        """The smallest and largest value of several images, and whether all are of integer dtypes."""
        found = []
        for i, extremes in zip(indices, each(self._extremes, indices), strict=True):
            if isinstance(extremes, UnreadableImageError):
                self.unreadable[i] = extremes
            else:
                found.append(extremes)
        if not found:
            return None
        return min(x[0] for x in found), max(x[1] for x in found), all(x[2] for x in found)

    def bounds(self, kind: str, each: Any, notes: list[str]) -> tuple[float, float]:
        """The range of the values of a `kind`; a note says which it is."""
        images = self.deep[kind]
        some = [images[k] for k in _spread(len(images), _DECODED)]
        seen = self._range(some, each)
        if seen is None:
            return 0.0, 1.0  # none can be read
        known = value_bounds(*seen)
        if known is None:
            seen = self._range(images, each) or seen
            known = seen[:2]
        low, high = known
        if (low, high) != (0, 65535):
            notes.append(
                f"{kind} images, {self.name(images[0])} first, are scaled from {low:,.9g}..{high:,.9g}, as their "
                f"values lie in {seen[0]:,.9g}..{seen[1]:,.9g}"
            )
        return known

    def check_deep_colour(self, each: Any) -> None:
        """Refuse images of 16 bits a colour that use the lower bits only: Pillow keeps the upper 8."""
        images = self.deep.get("16-bit colour", [])
        seen = self._range([images[k] for k in _spread(len(images), _DECODED)], each)
        if seen is not None and seen[1] < 64:
            raise ValueError(
                f"data: expected 16 bits a colour to be used, got {self.name(images[0])} and others with values below "
                f"{256 * (int(seen[1]) + 1):,}; Pillow reads the upper 8 bits only: scale the images to 0..65,535 first"
            )
