"""The memory that is left, and sizes in words."""

from __future__ import annotations

from pathlib import Path


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


def size_text(size: float) -> str:
    """A number of bytes in words: 1.5 GB, 640 MB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
