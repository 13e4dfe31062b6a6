"""Atomic writing of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that the file is never seen half written, not even after a power cut.

    Raises:
        OSError: naming `path`, if it cannot be written; an earlier file there is untouched.
    """
    write_with(path, lambda file: file.write(content))


def write_with(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write to `path` what the function `write` writes to the binary file that it is given, as `write_atomic` does.

    Raises:
        OSError: naming `path`, if it cannot be written; an earlier file there is untouched.
    """
    try:
        _replace(path, write)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # makes the rename durable
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files in `folder` of a run that was killed while writing."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
