"""`prepared:PATH`: data that `fastgan prepare` wrote once, and that training reads from the disk, of any size.

A prepared folder holds `samples.npy`, the raw samples in the order of the data, `labels.npy` if there are labels, and
`data.json`: the version of the format, the shapes, the units, the classes' names and a fingerprint. NumPy reads both
arrays, and maps them with `mmap_mode="r"`. A plain array is chosen because a sample's place in it is a multiplication:
opening it costs the same for any number of samples, nothing is decoded, and the memory that it takes is the system's
cache of files.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from fastgan.data.decoded import DecodedSource
from fastgan.data.inputs import Inputs
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.source import View
from fastgan.data.table.units import read_units
from fastgan.data.unchanged import Unchanged

__all__ = ["VERSION", "PreparedSource", "prepare", "read_prepared"]

VERSION = 1
_ABOUT, _SAMPLES, _LABELS = "data.json", "samples.npy", "labels.npy"
_PART = 256  # samples that are read and written together


class PreparedSource:
    """The samples of a prepared folder, which are read from the file by their places in it.

    They are read rather than mapped: pages of a map would count as the process's own memory until the system needs
    them, and reading behind the end of a map kills the process.

    Args:
        path: samples.npy.
        fingerprint: that of the folder's data.json.

    Raises:
        ValueError: for a file that is no array, or ends before its last sample.
        OSError: for a file that cannot be read.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.fingerprint, self.notes = fingerprint, list[str]()
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - read as long as this lives
        self._unchanged = Unchanged(1, lambda _: str(path))
        version = np.lib.format.read_magic(self._file)
        if version != (1, 0):
            raise ValueError(f"an array of version {version}")
        whole, fortran, self._dtype = np.lib.format.read_array_header_1_0(self._file)
        self._start, self._count, self.shape = self._file.tell(), whole[0], tuple(whole[1:])
        self._bytes = math.prod(self.shape) * self._dtype.itemsize
        size, end = int(self._unchanged.sizes[0]), self._start + self._count * self._bytes
        if fortran or size != end:
            raise ValueError(f"{path} has {size:,} bytes instead of {end:,}")

    @property
    def dtype(self) -> torch.dtype:
        """The samples' dtype."""
        return torch.from_numpy(np.empty(0, self._dtype)).dtype

    def __len__(self) -> int:
        return int(self._count)

    def read(self, indices: Tensor) -> Tensor:
        """The samples (M, *shape) at the `indices` (M,).

        Raises:
            IndexError: for an index that no sample has.
            ValueError: naming the file, if it changed or vanished since it was opened.
        """
        self._unchanged.check(0)
        rows = np.empty((len(indices), self._bytes), np.uint8)
        for row, index in zip(rows, indices.tolist(), strict=True):
            if not 0 <= index < self._count:
                raise IndexError(f"data: expected an index below {self._count}, got {index}")
            os.preadv(self._file.fileno(), [row.data], self._start + index * self._bytes)
        return torch.from_numpy(rows.view(self._dtype).reshape(len(indices), *self.shape))


def read_prepared(path: str, options: ReadOptions) -> Data:
    """Open a folder that `prepare` wrote; the samples stay on the disk.

    Args:
        path: the folder.
        options: which may not ask for another size or colour: the images are prepared.

    Raises:
        ValueError: for a folder that is not prepared data, is of another version or cut short, or other options.
    """
    folder = Path(path)
    about = _about(folder)
    for setting, flag in ((options.image_size, "--image-size"), (options.color != "auto", "--color")):
        if setting and not _fits(about, options):
            raise ValueError(
                f"data: expected no {flag} with prepared data, as {folder} holds samples {about['shape']}; "
                f"fastgan prepare takes it"
            )
    labels = None
    try:
        source = PreparedSource(folder / _SAMPLES, about["fingerprint"])
        found = (len(source), *source.shape), str(source.dtype).removeprefix("torch.")
        _check(folder / _SAMPLES, found, (about["count"], *about["shape"]), about["dtype"])
        if about["class_names"]:
            stored = np.load(folder / _LABELS, allow_pickle=False)
            _check(folder / _LABELS, (stored.shape, stored.dtype.name), (about["count"],), "int64")
            labels = torch.from_numpy(stored)
    except (OSError, ValueError, EOFError) as error:
        if str(error).startswith("data: "):
            raise
        raise ValueError(f"data: expected {folder} to be whole prepared data, got one cut short: {error}") from error
    channels = about.get("input_channels", 0)
    inputs = Inputs("pairs", channels) if channels else None
    return Data(source, labels, read_units(about["units"]), about["class_names"], str(folder), about["notes"], inputs)


def _fits(about: dict[str, Any], options: ReadOptions) -> bool:
    """Whether prepared images are already of the size and the colour that the options ask for."""
    channels, *sides = read_units(about["units"]).sample_shape(tuple(about["shape"]))
    shape = (channels - about.get("input_channels", 0), *sides)
    if len(shape) != 3:
        return False
    size = options.image_size in (0, shape[1]) and options.image_size in (0, shape[2])
    return size and options.color in ("auto", "grey" if shape[0] == 1 else "rgb")


def _about(folder: Path) -> dict[str, Any]:
    """The contents of data.json, checked."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        if about["format"] != "fastgan prepared data":
            raise ValueError("it is of another program")
        version = about["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(
            f"data: expected {folder} to be a folder that fastgan prepare wrote, with {_ABOUT}: {why}"
        ) from error
    if version != VERSION:
        raise ValueError(
            f"data: expected prepared data of version {VERSION} in {folder}, got version {version}; prepare them anew"
        )
    keys = {"count", "shape", "dtype", "units", "class_names", "fingerprint", "notes"}
    if missing := sorted(keys - about.keys()):
        raise ValueError(f"data: expected {folder / _ABOUT} to be whole, got none of {', '.join(missing)}")
    return dict(about)


def _check(path: Path, found: tuple[tuple[int, ...], str], shape: tuple[int, ...], dtype: str) -> None:
    if found != (shape, dtype):
        raise ValueError(
            f"data: expected {path} to hold {dtype} {list(shape)}, as {_ABOUT} says, got {found[1]} {list(found[0])}"
        )


def prepare(data: Data, out: str | Path, progress: Callable[[int], object] = lambda done: None) -> Path:
    """Write data once as arrays that training reads from the disk.

    Samples are read, and images decoded, part by part: memory does not grow with their number. Images that cannot be
    decoded are left out. The folder appears when it is whole; what an interrupted call left is removed by the next.

    Args:
        data: read with `keep=False`, so that images are not decoded into memory first.
        out: the folder to write; it must not exist.
        progress: called with the number of samples done since the last call.

    Returns:
        The folder.

    Raises:
        ValueError: where `out` exists, another process is writing it, or no sample can be read.
        OSError: where it cannot be written.
    """
    out = Path(out)
    if out.exists():
        raise ValueError(f"data: expected a new folder, got {out}, which exists")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _unfinished(out) as folder:
        kept, digest = _write_samples(data, folder / _SAMPLES, progress)
        labels = None if data.labels is None else data.labels.cpu()[kept].numpy()
        if labels is not None:
            digest.update(labels.tobytes())
            with open(folder / _LABELS, "wb") as file:
                np.save(file, labels)
                _flush(file)
        about = {
            "format": "fastgan prepared data",
            "version": VERSION,
            "count": len(kept),
            "shape": list(data.source.shape),
            "dtype": str(data.source.dtype).removeprefix("torch."),
            "units": data.units.to_dict(),
            "input_channels": data.inputs.stored if data.inputs else 0,
            "class_names": list(data.class_names),
            "notes": data.notes,
            "fingerprint": f"prepared={len(kept)}; digest={digest.hexdigest()[:20]}",
        }
        with open(folder / _ABOUT, "wb") as file:
            file.write((json.dumps(about, indent=2) + "\n").encode())
            _flush(file)
        os.rename(folder, out)
    return out


@contextlib.contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A locked folder beside `out` to write in; it is empty, and is removed unless it was renamed."""
    folder = out.with_name(f".{out.name}.unfinished")
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"data: expected {out} to be written by one process, got another one at it") from None
        for left in folder.iterdir():
            left.unlink()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _write_samples(data: Data, path: Path, progress: Callable[[int], object]) -> tuple[Tensor, Any]:
    """Write the raw samples that can be read; returns their indices, and a hash of their bytes."""
    digest, kept = hashlib.sha256(), []
    dtype = data.source.read(torch.zeros(0, dtype=torch.int64)).numpy().dtype
    source = data.source
    with open(path, "wb") as file:
        _write_header(file, dtype, len(data), source.shape)
        start = file.tell()
        for first in range(0, len(data), _PART):
            part = torch.arange(first, min(first + _PART, len(data)))
            good, raw = _readable(data, part)
            content = raw.contiguous().cpu().numpy()
            digest.update(content.data)
            file.write(content.data)
            kept.append(part[good])
            progress(len(part))
        indices = torch.cat(kept)
        if len(indices) == 0:
            raise ValueError(f"data: expected samples that can be read in {data.name}, got none")
        file.seek(0)
        _write_header(file, dtype, len(indices), source.shape)
        assert file.tell() == start  # NumPy leaves room for the largest number of samples
        _flush(file)
    return indices, digest


def _write_header(file: BinaryIO, dtype: np.dtype[Any], count: int, shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)


def _readable(data: Data, part: Tensor) -> tuple[Tensor, Tensor]:
    """The positions in `part` of the samples that can be read, and those raw samples."""
    base = data.source.base if isinstance(data.source, View) else data.source
    if not isinstance(base, DecodedSource):
        return torch.arange(len(part)), data.source.read(part)
    return base.readable(data.source.indices[part] if isinstance(data.source, View) else part)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
