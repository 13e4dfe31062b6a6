"""`ReadOptions`: how data are read, whatever they lie in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from fastgan.data.table.options import TableOptions

__all__ = ["ReadOptions", "free_memory"]

_KEPT = 0.25  # the share of the free memory that decoded images may take
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class ReadOptions:
    """How data are read.

    Attributes:
        image_size: crop each image to a centred square and resize it to this side; 0 keeps the size.
        color: grey or rgb converts all images; auto is grey if all images are grey and RGB otherwise.
        background: white, black or #rrggbb, over which transparent images are composed.
        strict: raise on a sample that cannot be read, instead of leaving it out.
        workers: threads that decode images; 0 decodes where images are read.
        exclude: folders that are not data, such as that of the run.
        keep: whether decoded images may be kept in memory, where they fit.
        table: how to read a table.
        conditional: whether the column `label` of a table is the class of a row and no part of it.
        reverse: of pairs, whether the right image, or that of folder B, is the input of the other.
        encoded: whether the rows of a table are encoded by modes and categories, as the network `tabular` takes them.
    """

    image_size: int = 0
    color: str = "auto"
    background: str = "white"
    strict: bool = False
    workers: int = 0
    exclude: tuple[str, ...] = ()
    keep: bool = True
    table: TableOptions = field(default_factory=TableOptions)
    conditional: bool = True
    reverse: bool = False
    encoded: bool = False

    def keeps(self, count: int) -> bool:
        """Whether `count` bytes of decoded images are kept in memory: a quarter of what is free, for all processes."""
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return self.keep and count * processes <= _KEPT * free_memory()


def free_memory() -> int:
    """The bytes that this process can still get: what the machine, or its container if that is less, has free."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            free = min(free, int(limit) - int((_CGROUP / "memory.current").read_text(encoding="ascii")))
    except (OSError, StopIteration, ValueError):
        pass  # another system, or no container
    return max(free, 0)
