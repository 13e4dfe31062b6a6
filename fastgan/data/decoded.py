"""Images that lie encoded, in files, shards or tables, and are decoded as they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan._support.extras import require
from fastgan.data.fingerprint import of_choice
from fastgan.data.formats import UnreadableImageError, skipped_note
from fastgan.data.images import ImageReader
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.source import MemorySource, Source, View
from fastgan.data.survey import survey_images
from fastgan.data.units import bytes_as_images

__all__ = ["DecodedSource", "Items", "Reader", "decoded_data", "image_data"]

_PART = 1 << 20  # bytes of the images that are decoded together: their copy is what a peak of memory has besides them
_Image = NDArray[np.uint8] | UnreadableImageError


class Reader(Protocol):
    """Decodes an image."""

    def read(self, source: Any, name: str) -> NDArray[np.uint8]:
        """The pixels (H, W, C).

        Args:
            source: what `Items.content` gives.
            name: what to call it in messages.

        Raises:
            UnreadableImageError: for an image that cannot be decoded.
        """


class Items(Protocol):
    """Encoded images, by index.

    Attributes:
        fingerprint: what tells these images from others: names and sizes, no path.
    """

    @property
    def fingerprint(self) -> str:
        """What tells these images from others."""

    def __len__(self) -> int:
        """The number of images."""

    def content(self, index: int) -> Any:
        """What the reader takes: the path or the content of image number `index`; of a pair in two files both paths.

        Raises:
            ValueError: naming the image, if it changed since it was first looked at.
        """

    def name(self, index: int) -> str:
        """What to call image number `index` in messages."""


class DecodedSource:
    """Images that are decoded each time they are read, by threads if there are workers: Pillow releases the GIL.

    In place of an image that cannot be decoded the next one of its class is read. So a batch is a function of its
    indices, and keeps its size and its labels.

    Args:
        items: the encoded images.
        reader: decodes them.
        shape: of every image that the reader returns, (H, W, C).
        labels: of all items, or None.
        workers: threads; 0 decodes in the calling thread.
        strict: raise on an image that cannot be decoded.
        known: images, by index, that are known to be unreadable.

    Attributes:
        items: as given.
        skipped: the images that could not be decoded so far, by index.
    """

    def __init__(
        self,
        items: Items,
        reader: Reader,
        shape: tuple[int, int, int],
        labels: NDArray[np.int64] | None = None,
        workers: int = 0,
        strict: bool = False,
        known: dict[int, UnreadableImageError] | None = None,
    ) -> None:
        self.items, self.skipped = items, dict(known or {})
        self.dtype = torch.uint8
        self.shape: tuple[int, ...] = shape[:2] if shape[2] == 1 else shape
        self._reader, self._stored, self._labels, self._strict = reader, shape, labels, strict
        self._pool = ThreadPoolExecutor(workers, "fastgan-images") if workers > 1 else None

    @property
    def notes(self) -> list[str]:
        """How many images were skipped so far, and why."""
        if not self.skipped:
            return []
        return [skipped_note([self.skipped[i] for i in sorted(self.skipped)], len(self))]

    @property
    def fingerprint(self) -> str:
        """That of the items, and the images' shape."""
        return f"{self.items.fingerprint}; shape={'x'.join(map(str, self.shape))}"

    def __len__(self) -> int:
        return len(self.items)

    def read(self, indices: Tensor) -> Tensor:
        """The images (M, H, W, C), or (M, H, W) if they are grey, at the `indices` (M,).

        Raises:
            ValueError: for an image that changed; if strict, for one that cannot be decoded; or if none of a class can.
        """
        wanted = indices.tolist()
        pixels = np.empty((len(wanted), *self.shape), np.uint8)
        for position, image in enumerate(self._decoded(wanted)):
            if not isinstance(image, np.ndarray):
                image = self._in_place_of(wanted[position], image)
            pixels[position] = image
        return torch.from_numpy(pixels)

    def readable(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Those images at the `indices` (M,) that can be decoded: their positions among the indices, and the images.

        Raises:
            ValueError: as `read` does for an image that changed or, if strict, cannot be decoded.
        """
        good: list[int] = []
        pixels = np.empty((len(indices), *self.shape), np.uint8)
        for position, image in enumerate(self._decoded(indices.tolist())):
            if isinstance(image, np.ndarray):
                pixels[len(good)] = image
                good.append(position)
        return torch.tensor(good, dtype=torch.int64), torch.from_numpy(pixels[: len(good)])

    def _decoded(self, indices: list[int]) -> Iterator[_Image]:
        """Each image, shaped as `read` has it, or the error that decoding it raised."""
        for image in map(self._decode, indices) if self._pool is None else self._pool.map(self._decode, indices):
            if isinstance(image, UnreadableImageError) and self._strict:
                raise image
            yield image

    def _decode(self, index: int) -> _Image:
        if index in self.skipped:
            return self.skipped[index]
        content, name = self.items.content(index), self.items.name(index)
        try:
            image = self._reader.read(content, name)
            if image.shape != self._stored:
                detail = f"expected {list(self._stored)}, as the others, got {list(image.shape)}"
                raise UnreadableImageError(name, "of another size", detail)
        except UnreadableImageError as error:
            self.skipped[index] = error
            return error
        return image.reshape(self.shape)

    def _in_place_of(self, index: int, error: Any) -> NDArray[np.uint8]:
        """The next image of the same class that can be decoded."""
        for step in range(1, len(self)):
            other = (index + step) % len(self)
            if self._labels is not None and self._labels[other] != self._labels[index]:
                continue
            image = self._decode(other)
            if not isinstance(image, UnreadableImageError):
                return image
        raise ValueError(f"data: expected an image that can be decoded in place of one, got none: {error}")


def image_data(
    items: Items,
    labels: NDArray[np.int64] | None,
    class_names: Sequence[str],
    options: ReadOptions,
    name: str,
    notes: Sequence[str] = (),
) -> Data:
    """Encoded images as training data: decoded into memory where they fit there, else as they are read.

    Args:
        items: the encoded images.
        labels: the class of each, or None.
        class_names: the classes' names.
        options: how to read them.
        name: what to call the data in messages.
        notes: on how they were found.

    Raises:
        ValueError: where no image can be read, images of several sizes are to keep them, or, if strict, for an image
            that cannot be read.
        MissingExtraError: without Pillow.
    """
    reader = ImageReader(options.image_size, options.color, options.background)
    found = survey_images(len(items), items.content, items.name, reader, options.workers)
    said = [*notes, *found.notes]
    return decoded_data(items, found.reader, found.shape, found.unreadable, labels, class_names, options, name, said)


def decoded_data(
    items: Items,
    reader: Reader,
    shape: tuple[int, int, int],
    unreadable: Mapping[int, UnreadableImageError],
    labels: NDArray[np.int64] | None,
    class_names: Sequence[str],
    options: ReadOptions,
    name: str,
    notes: Sequence[str],
) -> Data:
    """Encoded images of which all is known as training data: decoded into memory where they fit there.

    Args:
        items: the encoded images.
        reader: decodes them.
        shape: (H, W, C) of all that it returns.
        unreadable: the images, by index, that are known to be unreadable.
        labels: the class of each, or None.
        class_names: the classes' names.
        options: how to read them.
        name: what to call the data in messages.
        notes: on how they were found.

    Raises:
        ValueError: where no image can be read or, if strict, for an image that cannot be.
        MissingExtraError: without Pillow.
    """
    if options.strict and unreadable:
        raise unreadable[min(unreadable)]
    source = DecodedSource(items, reader, shape, labels, options.workers, options.strict, dict(unreadable))
    kept = np.setdiff1d(np.arange(len(items)), list(unreadable))
    units = bytes_as_images("hw" if shape[2] == 1 else "hwc")
    said = list(notes)
    if not options.keeps(len(kept) * int(np.prod(shape))):
        said.append(
            f"{name}: images are decoded as they are read, as they would fill more than a quarter of the memory"
        )
        return _labelled(View(source, torch.from_numpy(kept)), kept, labels, class_names, units, name, said)
    pixels = torch.empty((len(kept), *source.shape), dtype=torch.uint8)  # what is not written to takes no memory yet
    count, decoded = 0, []
    with _progress(len(kept)) as bar:
        for part in torch.from_numpy(kept).split(max(1, _PART // int(np.prod(shape)))):
            positions, images = source.readable(part)
            pixels[count : count + len(positions)] = images
            count += len(positions)
            decoded.append(part[positions])
            bar.update(len(part))
    if count == 0:
        raise ValueError(f"data: expected images in {name}, got none that can be decoded: {source.notes[0]}")
    good = torch.cat(decoded)
    same = count == len(kept)  # as when images are decoded as they are read
    whole = MemorySource(pixels[:count], source.fingerprint if same else of_choice(source.fingerprint, good))
    return _labelled(whole, good.numpy(), labels, class_names, units, name, [*said, *source.notes])


def _progress(count: int) -> Any:
    """A progress bar on the terminal of the first process, if decoding takes some seconds."""
    hidden = True if os.environ.get("RANK", "0") != "0" else None  # None hides it where there is no terminal
    return require("tqdm").tqdm(total=count, desc="decoding", unit="image", delay=3, leave=False, disable=hidden)


def _labelled(
    source: Source,
    kept: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    class_names: Sequence[str],
    units: Any,
    name: str,
    notes: Sequence[str],
) -> Data:
    """Data whose samples are the items `kept`; classes without a sample are dropped."""
    if labels is None:
        return Data(source, None, units, (), name, notes)
    present, codes = np.unique(labels[kept], return_inverse=True)
    return Data(source, torch.from_numpy(codes), units, [class_names[i] for i in present], name, notes)
