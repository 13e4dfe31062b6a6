"""`pairs:PATH`: pairs of images for image to image, in one file side by side or in two folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.decoded import decoded_data
from fastgan.data.fingerprint import of_entries
from fastgan.data.fit import fit_images
from fastgan.data.folders import FolderListing, list_folder, shown
from fastgan.data.formats import UnreadableImageError, quiet_pillow
from fastgan.data.images import ImageReader, probe
from fastgan.data.inputs import Inputs
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.survey import Survey, survey_images
from fastgan.data.unchanged import Unchanged

__all__ = ["PairItems", "PairReader", "read_pairs"]

_DOMAINS = ("A", "B")


def read_pairs(path: str, options: ReadOptions) -> Data:
    """Read pairs of images: the left, or that of folder A, is the input of the right, or that of folder B.

    A folder that holds folders A and B has the pairs in files of equal names, whose endings may differ. Any other
    folder has them side by side, each pair in one file whose left half is the input, as the data sets of pix2pix.

    Args:
        path: the folder.
        options: how to read them; `reverse` makes the right, or B, the input.

    Raises:
        ValueError: for a folder without images, one of A and B alone, an image without its other, fewer than two pairs,
            images of a pair that differ in size, a file of odd width, or images of several sizes that are to keep them.
        FileNotFoundError: where there is no such folder.
        MissingExtraError: without Pillow.
    """
    domains = [name for name in _DOMAINS if Path(path, name).is_dir()]
    if len(domains) == 1:
        lacking = "B" if domains == ["A"] else "A"
        raise ValueError(f"data: expected the folders A and B in {shown(path)}, got no folder {lacking}")
    items = _in_two_folders(path, options) if domains else PairItems([_listing(path, options)])
    if len(items) < 2:
        raise ValueError(f"data: expected at least two pairs of images in {shown(path)}, got one")
    _check_sizes(items)
    surveys = [_survey(items, folder, options) for folder in range(len(items.listings))]
    height, width = surveys[0].shape[:2]
    if len(surveys) == 1:
        surveys, width = surveys * 2, width // 2
    if options.image_size:
        height = width = options.image_size
    readers = [replace(found.reader, image_size=0) for found in surveys]
    reader = PairReader(readers[0], readers[1], options.image_size, options.reverse)
    channels = [found.shape[2] for found in surveys]
    unreadable = {i: error for found in surveys for i, error in found.unreadable.items()}
    notes = list(dict.fromkeys([*items.notes, *(note for found in surveys for note in found.notes)]))
    shape = (height, width, sum(channels))
    data = decoded_data(items, reader, shape, unreadable, None, (), options, shown(path), notes)
    inputs = Inputs("pairs", channels[1 if options.reverse else 0])
    return Data(data.source, None, data.units, (), data.name, data.notes, inputs)


class PairItems:
    """The files of pairs, each of which must stay as it was when it was listed.

    Args:
        listings: of one folder whose files hold both images, or of the folders A and B, with as many files in the same
            order.
    """

    def __init__(self, listings: Sequence[FolderListing]) -> None:
        self.listings = list(listings)
        self._files = [Unchanged(len(listing.files), listing.path) for listing in listings]

    @property
    def fingerprint(self) -> str:
        """Of the files' names below the folder, and their sizes."""
        entries = []
        for domain, listing, files in zip(self._domains, self.listings, self._files, strict=True):
            entries += [(domain + name, size) for name, size in zip(listing.files, files.sizes.tolist(), strict=True)]
        return of_entries(entries)

    @property
    def notes(self) -> list[str]:
        """What was passed over, a sentence each."""
        return [note for listing in self.listings for note in listing.notes]

    @property
    def _domains(self) -> list[str]:
        return [f"{name}{os.sep}" for name in _DOMAINS] if len(self.listings) > 1 else [""]

    def __len__(self) -> int:
        return len(self.listings[0].files)

    def content(self, index: int) -> tuple[str, ...]:
        """The paths of pair number `index`, one or two.

        Raises:
            ValueError: naming a file that changed or vanished since it was listed.
        """
        for files in self._files:
            files.check(index)
        return tuple(listing.path(index) for listing in self.listings)

    def name(self, index: int) -> str:
        """What pair number `index` is called: the path of its first file, as text."""
        return shown(self.listings[0].path(index))


@dataclass(frozen=True)
class PairReader:
    """Reads both images of a pair.

    Attributes:
        first: reads the left, or that of folder A, or the whole file.
        second: reads that of folder B.
        image_size: the side in pixels of the centred squares to which both are cropped and resized; 0 keeps the size.
        reverse: whether the first is the target.
    """

    first: ImageReader
    second: ImageReader
    image_size: int = 0
    reverse: bool = False

    def read(self, source: Any, name: str) -> NDArray[np.uint8]:
        """The target and behind its channels the input, uint8 (H, W, C).

        Args:
            source: one path of a file with both side by side, or two.
            name: what to call the pair in messages.

        Raises:
            UnreadableImageError: for a file that is not an image or is damaged.
            MissingExtraError: without Pillow.
        """
        if len(source) == 2:
            images = [r.read(path, shown(path)) for r, path in zip((self.first, self.second), source, strict=True)]
        else:
            whole = self.first.read(source[0], name)
            images = [whole[:, : whole.shape[1] // 2], whole[:, whole.shape[1] // 2 :]]
        if images[0].shape[:2] != images[1].shape[:2]:
            detail = f"expected one size, got {_size(images[0].shape)} and {_size(images[1].shape)}"
            raise UnreadableImageError(name, "whose pair is of another size", detail)
        if self.image_size:
            images = [fit_images(image[None], "hwc", (0, 255), self.image_size)[0][0] for image in images]
        return np.concatenate(images if self.reverse else images[::-1], axis=2)


def _listing(path: str, options: ReadOptions) -> FolderListing:
    """The images under a folder; class folders are only parts of their names."""
    try:
        found = list_folder(path, options.exclude, options.strict)
    except ValueError as error:  # which may name another folder to pass
        raise ValueError(str(error).replace("folder:", "pairs:")) from error
    return replace(found, labels=None, class_names=())


def _in_two_folders(path: str, options: ReadOptions) -> PairItems:
    """The pairs of the folders A and B: files of equal names below them, whatever their endings."""
    listings = [_listing(os.path.join(path, name), options) for name in _DOMAINS]
    stems: list[dict[str, int]] = []
    for listing in listings:
        own: dict[str, int] = {}
        for i, file in enumerate(listing.files):
            other = own.setdefault(os.path.splitext(file)[0], i)
            if other != i:
                both = f"{shown(listing.path(other))} and {shown(listing.path(i))}"
                raise ValueError(f"data: expected one image of each name in a folder of pairs, got {both}")
        stems.append(own)
    for (own, others), listing, missing in zip((stems, stems[::-1]), listings, ("B", "A"), strict=True):
        if lonely := [i for stem, i in own.items() if stem not in others]:
            counts = " and ".join(f"{len(one.files):,} in {name}" for one, name in zip(listings, _DOMAINS, strict=True))
            raise ValueError(
                f"data: expected an image of the same name in A and in B for each pair, got {counts}: none in "
                f"{missing} for {shown(listing.path(lonely[0]))}"
            )
    order = [stems[1][stem] for stem in stems[0]]
    return PairItems([listings[0], listings[1].keep(order)])


def _check_sizes(items: PairItems) -> None:
    """Refuse a pair of two sizes, and a file that cannot be cut into two of one size; only headers are read."""
    with quiet_pillow():
        for i in range(len(items)):
            paths = [listing.path(i) for listing in items.listings]
            try:
                sizes = [(header.height, header.width) for header in (probe(path, shown(path)) for path in paths)]
            except UnreadableImageError:
                continue  # the survey counts it
            if len(sizes) == 2 and sizes[0] != sizes[1]:
                found = " and ".join(f"{shown(p)} of {_size(size)}" for p, size in zip(paths, sizes, strict=True))
                raise ValueError(f"data: expected both images of a pair of one size, got {found}")
            if len(sizes) == 1 and sizes[0][1] % 2:
                raise ValueError(
                    f"data: expected two images of one width side by side in each file, got {shown(paths[0])} of "
                    f"{_size(sizes[0])}; images in files of their own belong in folders A and B"
                )


def _survey(items: PairItems, folder: int, options: ReadOptions) -> Survey:
    """What the files of one of the folders have in common."""
    listing = items.listings[folder]
    reader = ImageReader(options.image_size, options.color, options.background)
    return survey_images(len(items), listing.path, lambda i: shown(listing.path(i)), reader, options.workers)


def _size(shape: Sequence[int]) -> str:
    """The size of an image (H, W, ...) as width x height."""
    return f"{shape[1]} x {shape[0]}"
