"""The process that trains: its signals, its number of threads, its device."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import torch

_product_threads = 0


class StopSignals:
    """A context in which the first SIGINT or SIGTERM is only recorded, in `caught`. A second one acts as usual."""

    def __init__(self) -> None:
        self.caught: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self.caught = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def threads(count: int, products_only: bool = False) -> Iterator[None]:
    """Let torch use `count` CPU threads in the block; 0 takes as many as it has.

    With `products_only` only `fastgan.models.products` use them, and torch one thread: a sum or a product of torch's
    own rounds differently with another number of threads. As torch's number, this is a setting of the process: blocks
    in several Python threads at once disturb each other.
    """
    global _product_threads
    before = torch.get_num_threads(), _product_threads
    count = count or _product_threads or before[0]
    torch.set_num_threads(1 if products_only else count)
    _product_threads = count if products_only else 0
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        _product_threads = before[1]


def product_threads() -> int:
    """The CPU threads between which `fastgan.models.products` divide a product; 0 leaves it to torch."""
    return _product_threads


def pick_device(op: str, name: str, processes: int = 1, local_rank: int = 0) -> torch.device:
    """Return the device called `name` for the work called `op`; "auto" is a GPU where there is one.

    A GPU has its number, that of the current one where `name` has none. With several processes, each one uses the GPU
    of its `local_rank` and makes it the current one.

    Raises:
        ValueError: where `name` is no device, where the GPU is not there, or where it has a number and there are
            several processes.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and processes > 1:
        if name != "cuda":
            raise ValueError(f"{op}: expected `device` to be cuda, cpu or auto with several processes, got '{name}'")
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):  # torch knows others, such as mps, which have no kernels
        raise ValueError(f"{op}: expected `device` to be cpu, cuda, cuda:N or auto, got '{name}'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"{op}: expected `device` to be present, got '{name}' with {torch.cuda.device_count()} CUDA devices"
        )
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())  # tensors name their GPU by number
    if device.index is not None and processes > 1:
        torch.cuda.set_device(device)
    return device
