"""Files that must stay as they were when they were first looked at."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Unchanged"]


class Unchanged:
    """The sizes and times of some files, as they were when this was made.

    Args:
        count: number of files.
        path: the path of each, by its index; a file that cannot be looked at is known as such.
    """

    def __init__(self, count: int, path: Callable[[int], str]) -> None:
        self._path = path
        self._seen = np.empty((count, 2), dtype=np.int64)
        for i in range(count):
            self._seen[i] = _look(path(i))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The size of each file, -1 for one that could not be looked at."""
        return self._seen[:, 0]

    def check(self, index: int) -> None:
        """Compare the file number `index` with what it was.

        Raises:
            ValueError: naming a file that changed or vanished.
        """
        now, then = _look(self._path(index)), tuple(self._seen[index].tolist())
        if now != then:
            path = os.fsencode(self._path(index)).decode("utf-8", "backslashreplace")
            got = "none" if now[0] < 0 else f"{now[0]:,} bytes" if now[0] != then[0] else "a newer file"
            raise ValueError(
                f"data: expected {path} to stay as it was when the data were read, of {then[0]:,} bytes, got {got}"
            )


def _look(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
