"""`tar:PATTERN`: WebDataset's shards, tar files in which the files of a sample lie side by side under one key.

The shards are read in any order: an index of the files' places in them is made once, when the data are read, from the
headers in the archives. So a batch is the same function of its number as for any other data.
"""

from __future__ import annotations

import glob
import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from fastgan._support.extras import require
from fastgan.data.decoded import image_data
from fastgan.data.fingerprint import of_entries
from fastgan.data.formats import image_endings
from fastgan.data.labels import encode_labels
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.unchanged import Unchanged

__all__ = ["ShardItems", "read_tar"]


@dataclass
class _Shard:
    """What lies in one shard, in its order.

    Attributes:
        path: the file.
        keys: of the samples with an image.
        places: offset and size of each image.
        classes: the text of each sample's .cls file; "" where there is none.
        passed_over: how many samples have no image.
    """

    path: str
    keys: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    passed_over: int = 0


class ShardItems:
    """The encoded images in shards; the shards must stay as they were when they were indexed.

    Args:
        shards: what lies in each.
    """

    def __init__(self, shards: list[_Shard]) -> None:
        self._shards = shards
        self._first = np.cumsum([0, *(len(shard.keys) for shard in shards)])
        self._files = Unchanged(len(shards), lambda i: shards[i].path)

    @property
    def fingerprint(self) -> str:
        """Of the shards' names and sizes."""
        names = (os.path.basename(shard.path) for shard in self._shards)
        return of_entries(zip(names, self._files.sizes.tolist(), strict=True))

    def __len__(self) -> int:
        return int(self._first[-1])

    def content(self, index: int) -> bytes:
        """The content of image number `index`.

        Raises:
            ValueError: naming a shard that changed or vanished.
        """
        number, place = self._place(index)
        self._files.check(number)
        shard = self._shards[number]
        offset, size = shard.places[place]
        with open(shard.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)

    def name(self, index: int) -> str:
        """The shard and the key of image number `index`."""
        number, place = self._place(index)
        return f"{self._shards[number].keys[place]} in {self._shards[number].path}"

    def _place(self, index: int) -> tuple[int, int]:
        """The number of an image's shard, and that of the image in it."""
        number = int(np.searchsorted(self._first, index, side="right")) - 1
        return number, index - int(self._first[number])


def read_tar(pattern: str, options: ReadOptions) -> Data:
    """Read the images in WebDataset's shards; a file KEY.cls beside an image holds its class, a number or a text.

    Args:
        pattern: paths with * and ?, or with braces, as faces-{000..099}.tar, all of which must exist.
        options: how to read images.

    Raises:
        ValueError: for a file that is no tar file, is compressed or cut short, or shards without images.
        FileNotFoundError: where a shard is missing, or none fits the pattern.
        MissingExtraError: without Pillow, or for braces without braceexpand.
    """
    paths = _paths(pattern)
    with ThreadPoolExecutor(max(1, options.workers), "fastgan-shards") as pool:
        shards = list(pool.map(_indexed, paths))
    items = ShardItems(shards)
    if len(items) == 0:
        raise ValueError(f"data: expected images in the shards {pattern}, got none in {len(shards):,} shards")
    notes = []
    if missing := sum(shard.passed_over for shard in shards):
        notes.append(f"passed over {missing:,} samples without an image in {pattern}")
    classes = [text for shard in shards for text in shard.classes]
    labels, names = None, tuple[str, ...]()
    counts = Counter(text == "" for text in classes)
    if counts[True] and counts[False]:
        notes.append(
            f"no labels: {counts[True]:,} of {len(classes):,} images in {pattern} have no .cls file beside them"
        )
    elif counts[False]:
        whole = all(text.lstrip("+-").isdecimal() for text in classes)
        values = np.array([int(text) for text in classes], dtype=object) if whole else np.array(classes)
        labels, names = encode_labels(values, pattern)
    return image_data(items, labels, names, options, pattern, notes)


def _paths(pattern: str) -> list[str]:
    """The shards that fit a pattern, in order."""
    expanded = [pattern]
    if "{" in pattern and not os.path.exists(pattern):
        expanded = list(require("braceexpand", "data").braceexpand(pattern))
    paths = []
    for path in expanded:
        found = [path] if os.path.exists(path) else sorted(glob.glob(path))
        if not found:
            raise FileNotFoundError(f"data: expected the shard '{path}' of 'tar:{pattern}' to exist")
        paths += found
    return paths


def _indexed(path: str) -> _Shard:
    """What lies in a shard. Only headers are read, and the .cls files."""
    shard = _Shard(path)
    endings = image_endings()
    try:
        with tarfile.open(path, "r:") as archive:
            for key, members in _samples(archive):
                image = next((m for ending, m in members.items() if f".{ending}" in endings), None)
                if image is None:
                    shard.passed_over += 1
                    continue
                shard.keys.append(key)
                shard.places.append((image.offset_data, image.size))
                text = archive.extractfile(members["cls"]) if "cls" in members else None
                shard.classes.append(text.read().decode().strip() if text is not None else "")
            end = archive.offset
        with open(path, "rb") as file:
            file.seek(end)
            if file.read(512) != bytes(512):  # tarfile takes an archive that stops anywhere between two files
                raise tarfile.ReadError(f"it is cut short at {os.path.getsize(path):,} bytes")
    except (tarfile.TarError, OSError, UnicodeDecodeError) as error:
        hint = "; unpack a compressed one first" if path.endswith(("gz", "bz2", "xz", "zst")) else ""
        raise ValueError(f"data: expected {path} to be a whole tar file{hint}: {error}") from error
    return shard


def _samples(archive: tarfile.TarFile) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """The key of each sample, and its files by ending. A key is the path up to the first dot of the file's name."""
    last, members = "", dict[str, tarfile.TarInfo]()
    for member in archive:
        folder, name = os.path.split(member.name)
        stem, _, ending = name.partition(".")
        if not member.isfile() or not stem or not ending:
            continue
        key = os.path.join(folder, stem)
        if key != last and members:
            yield last, members
        if key != last:
            last, members = key, {}
        members[ending.lower()] = member
    if members:
        yield last, members
