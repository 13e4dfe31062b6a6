"""`folder:PATH`: the images under a folder."""

from __future__ import annotations

import os

import numpy as np

from fastgan.data.decoded import image_data
from fastgan.data.fingerprint import of_entries
from fastgan.data.folders import FolderListing, list_folder, shown
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data

__all__ = ["FolderItems", "read_folder"]


class FolderItems:
    """The files of a folder, each of which must stay as it was when it was listed.

    Args:
        listing: the files.
    """

    def __init__(self, listing: FolderListing) -> None:
        self._listing = listing
        # Size and time of each file, (-1, -1) for one that cannot be looked at: reading it says why.
        self._status = np.full((len(listing.files), 2), -1, dtype=np.int64)
        for i in range(len(listing.files)):
            self._status[i] = self._look(i)

    @property
    def fingerprint(self) -> str:
        """Of the files' names below the folder, and their sizes."""
        return of_entries(zip(self._listing.files, self._status[:, 0].tolist(), strict=True))

    def __len__(self) -> int:
        return len(self._listing.files)

    def content(self, index: int) -> str:
        """The path of image number `index`.

        Raises:
            ValueError: naming the file, if it changed or vanished since it was listed.
        """
        now, then = self._look(index), tuple(self._status[index].tolist())
        if now != then:
            what = "it is gone" if now[0] < 0 else f"it has {now[0]:,} bytes" if now[0] != then[0] else "a newer one"
            raise ValueError(
                f"data: expected {self.name(index)} to stay as it was when the data were read, of {then[0]:,} bytes, "
                f"got {what}"
            )
        return self._listing.path(index)

    def name(self, index: int) -> str:
        """The path of image number `index`, as text."""
        return shown(self._listing.path(index))

    def _look(self, index: int) -> tuple[int, int]:
        try:
            status = os.stat(self._listing.path(index))
        except OSError:
            return -1, -1
        return status.st_size, status.st_mtime_ns


def read_folder(path: str, options: ReadOptions) -> Data:
    """Read the images under a folder; its subfolders with images are the classes.

    Args:
        path: the folder.
        options: how to read them.

    Raises:
        ValueError: for a path that is no folder, a folder without images that can be read, images of several sizes that
            are to keep them, or, if strict, an image or a folder that cannot be read.
        FileNotFoundError: where there is no such folder.
        MissingExtraError: without Pillow.
    """
    listing = list_folder(path, options.exclude, options.strict)
    return image_data(FolderItems(listing), listing.labels, listing.class_names, options, shown(path), listing.notes)
