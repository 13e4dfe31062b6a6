"""The memory that is left, and sizes in words."""

from __future__ import annotations

from pathlib import Path

import torch


def available_memory() -> int | None:
    """Bytes that this process may still take without swapping, or None where the system does not tell.

    The least of what the machine has and what a container (cgroup v2) may have.
    """
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        pass
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))  # "max" where there is none
        found.append(max(0, limit - int((group / "memory.current").read_text(encoding="ascii"))))
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def keep_freed_memory() -> None:
    """Let glibc keep blocks of up to 31 MiB that are freed, for the next ones, instead of giving them back.

    A block that comes anew from the system is zeroed page by page as it is written. A training step frees and takes the
    same blocks, and had 650 such pages on a wide table. glibc learns from the largest block that was freed (mallopt(3),
    M_MMAP_THRESHOLD), so one of that size is freed; nothing is written to it. Elsewhere this does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def size_text(size: float) -> str:
    """A number of bytes in words: 1.5 GB, 640 MB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
