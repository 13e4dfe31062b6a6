"""Files of NumPy arrays: .npz with samples and labels, and .npy with samples."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.arrays import StoredArrays

__all__ = ["check_memory", "expected", "read_npz", "usable"]

_LOCAL_HEADER = 30  # bytes of a member's header in a zip file, before its name and extra field


@contextlib.contextmanager
def expected(path: str | Path, kind: str) -> Iterator[None]:
    """Raise one ValueError in place of the many errors that libraries raise for damaged files and other formats.

    Args:
        path: the file that is read in the block.
        kind: what it should be, such as "an .npz file".

    Raises:
        ValueError: for any error in the block.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"data: expected {path} to be {kind}: {error}") from error


def check_memory(path: str | Path, size: int) -> None:
    """Refuse what cannot fit into memory before it is unpacked: zip and gzip shrink zeros a thousandfold.

    Args:
        path: the file.
        size: bytes that it holds when unpacked.

    Raises:
        ValueError: where the machine has less memory.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise ValueError(f"data: expected {path} to hold at most this machine's {memory:,} bytes, got {size:,}")


def usable(mapped: NDArray[Any]) -> NDArray[Any]:
    """A mapped array as it is, if torch can read it so; else a copy in memory.

    Args:
        mapped: the array.
    """
    if mapped.flags.aligned and mapped.dtype.isnative:
        return mapped
    return np.array(mapped, mapped.dtype.newbyteorder("="))


def read_npz(path: str) -> StoredArrays:
    """Read the arrays of an .npz file, or the samples of an .npy file.

    An .npz holds an array `samples` (or one array of any name), and may hold `labels`, and `layout`: the text hwc, chw
    or hw. Arrays keep their dtypes. Those that are not compressed are mapped, not read.

    Args:
        path: the file.

    Raises:
        ValueError: for another format, pickled objects, an .npz that lacks `samples`, or one that is larger than the
            machine's memory when unpacked.
    """
    if path.lower().endswith(".npy"):
        with expected(path, "an .npy file of an array"):
            return StoredArrays(usable(np.load(path, mmap_mode="r", allow_pickle=False)))
    with expected(path, "an .npz file of arrays"), zipfile.ZipFile(path) as packed:
        members = {member.filename.removesuffix(".npy"): member for member in packed.infolist()}
    others = [name for name in members if name not in ("labels", "layout", "class_names")]
    if "samples" not in members and len(others) != 1:
        raise ValueError(f"data: expected an array `samples` in {path}, got {', '.join(others) or 'none'}")
    wanted = {"samples": "samples" if "samples" in members else others[0], "labels": "labels", "layout": "layout"}
    wanted = {use: name for use, name in wanted.items() if name in members}
    check_memory(path, sum(m.file_size for m in map(members.get, wanted.values()) if m and m.compress_type))
    with expected(path, "an .npz file of arrays"):
        arrays = {use: _member(path, members[name]) for use, name in wanted.items()}
    layout = arrays.get("layout")
    if layout is not None and (layout.size != 1 or layout.dtype.kind not in "US"):
        raise ValueError(f"data: expected the array `layout` of {path} to be a text, got {layout.dtype} {layout.shape}")
    text = "" if layout is None else layout.reshape(-1)[0]
    return StoredArrays(
        arrays["samples"], arrays.get("labels"), text.decode() if isinstance(text, bytes) else str(text)
    )


def _member(path: str, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array; mapped where the zip holds its bytes as they are."""
    with zipfile.ZipFile(path) as packed, packed.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        data = file.tell()
        if member.compress_type or dtype.hasobject or dtype.itemsize == 0 or 0 in shape or not shape:
            file.seek(0)
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            return array.astype(array.dtype.newbyteorder("="), copy=False)
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
    name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    first = member.header_offset + _LOCAL_HEADER + name + extra + data
    mapped = np.memmap(path, dtype, "r", first, shape, "F" if fortran else "C")
    if mapped.nbytes + data != member.file_size:
        raise ValueError(f"expected {member.filename} of {mapped.nbytes + data:,} bytes, got {member.file_size:,}")
    return usable(mapped)
