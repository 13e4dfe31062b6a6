"""`hf:PATH`: a data set of Hugging Face's `datasets`, as its `save_to_disk` writes it. Arrow files stay on the disk."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan.data.decoded import image_data
from fastgan.data.fingerprint import of_entries
from fastgan.data.labels import encode_labels
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.unchanged import Unchanged

__all__ = ["HuggingFaceItems", "read_hf"]

_LABELS = ("label", "labels", "class", "fine_label", "target")


class HuggingFaceItems:
    """The encoded images of a column of a data set.

    Args:
        dataset: of `datasets`.
        column: of images, which are not decoded.
        name: what to call the data in messages.

    Raises:
        MissingExtraError: without `datasets`.
    """

    def __init__(self, dataset: Any, column: str, name: str) -> None:
        image = require("datasets", "data").Image(decode=False)
        self._rows = dataset.select_columns([column]).cast_column(column, image)
        self._column, self._name = column, name
        self._paths = [str(file["filename"]) for file in dataset.cache_files]
        self._files = Unchanged(len(self._paths), self._paths.__getitem__)

    @property
    def fingerprint(self) -> str:
        """Of the Arrow files' names and sizes, and the column."""
        sizes = zip(map(os.path.basename, self._paths), self._files.sizes.tolist(), strict=True)
        return of_entries([*sizes, (self._column, len(self))])

    def __len__(self) -> int:
        return len(self._rows)

    def content(self, index: int) -> str | bytes:
        """The encoded image in row `index`, or the path of its file.

        Raises:
            ValueError: naming an Arrow file that changed since it was opened.
        """
        for i in range(len(self._paths)):  # which of them holds the row is not known
            self._files.check(i)
        cell = self._rows[index][self._column] or {}
        content = cell.get("bytes")
        return content if content is not None else cell.get("path") or b""

    def name(self, index: int) -> str:
        """What to call the image of row `index` in messages."""
        return f"row {index} of {self._name}"


def read_hf(path: str, options: ReadOptions) -> Data:
    """Read the images of a data set of `datasets`, and the classes in its column of labels.

    Args:
        path: the folder; behind it #COLUMN names the column of images where there are several. Of a folder of splits,
            `train` is read.
        options: how to read images.

    Raises:
        ValueError: for a folder that is no such data set, or has no column of images, or several.
        FileNotFoundError: where there is no such folder.
        MissingExtraError: without `datasets`.
    """
    wanted = ""
    if not os.path.exists(path):
        path, _, wanted = path.rpartition("#") if "#" in path else (path, "", "")
    if not os.path.isdir(path):
        raise FileNotFoundError(f"data: expected the folder '{path}' of 'hf:{path}' to exist")
    library = require("datasets", "data")
    try:
        dataset = library.load_from_disk(path)
    except Exception as error:  # datasets and pyarrow raise errors of many classes
        raise ValueError(f"data: expected {path} to be a folder that datasets' save_to_disk wrote: {error}") from error
    notes = []
    if isinstance(dataset, library.DatasetDict):
        split = "train" if "train" in dataset else next(iter(dataset))
        notes = [f"of the splits {', '.join(dataset)} of {path}, {split} is read"] if len(dataset) > 1 else []
        dataset = dataset[split]
    images = [name for name, feature in dataset.features.items() if isinstance(feature, library.Image)]
    if (wanted and wanted not in images) or (len(images) != 1 and not wanted):
        listed = ", ".join(images) or f"none among {', '.join(dataset.features)}"
        raise ValueError(f"data: expected one column of images in {path}, or its name as hf:PATH#COLUMN, got {listed}")
    labels, names = _labels(dataset, library, path, notes)
    items = HuggingFaceItems(dataset, wanted or images[0], path)
    if len(items) == 0:
        raise ValueError(f"data: expected images in {path}, got none")
    return image_data(items, labels, names, options, path, notes)


def _labels(dataset: Any, library: Any, path: str, notes: list[str]) -> tuple[Any, tuple[str, ...]]:
    """The class of each row and the classes' names, or None where there is no column of labels that can be used."""
    known = [name for name, feature in dataset.features.items() if isinstance(feature, library.ClassLabel)]
    found = [name for name in (*_LABELS, *known) if name in known] or [n for n in _LABELS if n in dataset.features]
    if not found:
        return None, ()
    if len(known) > 1:
        notes.append(f"of the columns of classes {', '.join(known)} in {path}, {found[0]} is read")
    feature = dataset.features[found[0]]
    try:
        values = np.asarray(dataset.with_format("numpy")[found[0]])
        codes, names = encode_labels(values, f"the column {found[0]} of {path}")
    except ValueError as error:
        notes.append(f"no labels: {error}")
        return None, ()
    if isinstance(feature, library.ClassLabel):
        names = tuple(feature.names[int(name)] if int(name) >= 0 else "none" for name in names)
    return codes, names
