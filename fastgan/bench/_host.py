"""The machine: what a figure depends on, how much memory is free, and how freed memory is kept between runs."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch


def cores() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory for the next tensor; returns False where there is no glibc.

    Otherwise page faults are measured, which all implementations meet alike and which can take many times as long as
    the work.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    trim_threshold, mmap_max = -1, -4  # malloc.h
    # Never give memory back, and take all of it from the heap.
    return bool(mallopt(trim_threshold, -1) and mallopt(mmap_max, 0))


def give_back_memory() -> None:
    """Give the memory that glibc keeps back to the system, before a work that needs nearly all of it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def free_memory(device: str) -> int:
    """Bytes that can still be allocated; half of the memory where the system does not say."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def commit() -> str:
    """The commit that is measured: the variable COMMIT, or that of the clone around fastgan or the current folder."""
    if "COMMIT" in os.environ:
        return os.environ["COMMIT"]
    for folder in (Path(__file__).parents[2], Path.cwd()):
        if not (folder / "csrc" / "library.cpp").exists():
            continue
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:  # no git
            return ""
        if result.returncode == 0:
            return result.stdout.strip()
    return ""


def machine(device: str) -> dict[str, Any]:
    """What a figure depends on: processor, cores, versions, commit, date, load.

    Args:
        device: "cpu" or "cuda"; the entry `device` is the processor's or the GPU's name.

    Returns:
        The entries, for JSON.
    """
    import fastgan

    info = _cpuinfo()
    processor = info.get("model name") or platform.processor() or platform.machine()
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else processor,
        "processor": processor,
        "vendor": vendor(info.get("vendor_id", processor)),
        "cores": cores(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "fastgan": fastgan.build_info(),
        "commit": commit(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2),
        "serial_dropout": dropout_is_serial(),
    }


def dropout_is_serial() -> bool:
    """Whether PyTorch draws dropout one number after the other on this processor.

    With MKL, which torch uses or not by the processor's maker and its own build, it takes one number from its generator
    as the seed of all, and draws on all threads. Otherwise it takes a number for each element. The function tells the
    two apart by the generator's next numbers, and leaves the generator as it was.
    """
    state = torch.get_rng_state()
    following = []
    for elements in (16, 4096):
        torch.manual_seed(0)
        torch.empty(elements).bernoulli_(0.7)
        following.append(torch.rand(4))
    torch.set_rng_state(state)
    return not torch.equal(*following)


def vendor(name: str) -> str:
    """The maker of a processor: Intel, AMD, or `name` itself for another."""
    for short in ("Intel", "AMD"):
        if short.lower() in name.lower():
            return short
    return name


def _cpuinfo() -> dict[str, str]:
    """The entries of the first processor in /proc/cpuinfo; none where there is no such file."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text().split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}
