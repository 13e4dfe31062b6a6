"""`folder:PATH`: the images under a folder."""

from __future__ import annotations

from fastgan.data.decoded import image_data
from fastgan.data.fingerprint import of_entries
from fastgan.data.folders import FolderListing, list_folder, shown
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.unchanged import Unchanged

__all__ = ["FolderItems", "read_folder"]


class FolderItems:
    """The files of a folder, each of which must stay as it was when it was listed.

    Args:
        listing: the files.
    """

    def __init__(self, listing: FolderListing) -> None:
        self._listing = listing
        self._files = Unchanged(len(listing.files), listing.path)

    @property
    def fingerprint(self) -> str:
        """Of the files' names below the folder, and their sizes."""
        return of_entries(zip(self._listing.files, self._files.sizes.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self._listing.files)

    def content(self, index: int) -> str:
        """The path of image number `index`.

        Raises:
            ValueError: naming the file, if it changed or vanished since it was listed.
        """
        self._files.check(index)
        return self._listing.path(index)

    def name(self, index: int) -> str:
        """The path of image number `index`, as text."""
        return shown(self._listing.path(index))


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
