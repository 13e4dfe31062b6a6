"""`Source`: raw samples by index, whatever they lie in; and the sources that lie in memory or in a mapped array.

A new kind of data is one class with the members of `Source`. Everything above it, from batches to metrics, reads
samples by their indices and never asks for all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.fingerprint import of_choice, of_tensors
from fastgan.data.unchanged import Unchanged

__all__ = ["ArraySource", "MemorySource", "Source", "View", "chunks", "is_resident", "placed", "to_device"]

# What torch computes with, for each of NumPy's dtypes that it stores but hardly knows.
_WIDER = {"uint16": torch.int32, "uint32": torch.int64, "uint64": torch.float64}


class Source(Protocol):
    """Raw samples, which are read by their indices.

    Attributes:
        shape: of one sample as it is stored: (H, W, C) or (H, W) or (C, H, W) for images, (F,) for rows.
        dtype: of the samples that `read` returns; bytes stay uint8.
        fingerprint: what tells these samples from others: names, sizes and shapes, no path.
        notes: sentences on what was decided, skipped or passed over; reading may append more.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of samples."""

    @property
    def fingerprint(self) -> str:
        """What tells these samples from others."""

    @property
    def notes(self) -> list[str]:
        """Sentences on what was decided, skipped or passed over."""

    def __len__(self) -> int:
        """The number of samples."""

    def read(self, indices: Tensor) -> Tensor:
        """The raw samples (M, *shape) at the `indices`, int64 (M,), a pure function of them."""


class MemorySource:
    """Samples in a tensor, on any device.

    Args:
        samples: (N, ...); dense samples are gathered row by row and keep their memory format.
        fingerprint: what tells them from others; "" takes that of the tensor.

    Attributes:
        samples: the samples.
    """

    def __init__(self, samples: Tensor, fingerprint: str = "") -> None:
        self._fingerprint = fingerprint
        self.samples = samples if _is_dense(samples) else samples.contiguous()
        self.notes: list[str] = []
        # A view as a matrix (N, numbers in a sample), in the order of memory: `index_select` copies whole rows of it,
        # where indexing would copy single numbers.
        width = self.samples[0].numel() if len(samples) else 0
        self._matrix = self.samples.as_strided((len(samples), width), (self.samples.stride(0), 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.samples.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """The samples' dtype."""
        return self.samples.dtype

    @property
    def fingerprint(self) -> str:
        """What tells the samples from others."""
        return self._fingerprint or of_tensors(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, indices: Tensor) -> Tensor:
        """The samples (M, *shape) at the `indices` (M,), which are moved to where the samples are."""
        rows = self._matrix.index_select(0, to_device(indices, self.samples.device))
        return rows.as_strided((len(indices), *self.shape), self.samples.stride())


class ArraySource:
    """Samples in a NumPy array, which may be a map of a file: only what is read comes into memory.

    Unsigned integers of more than 8 bits, which torch hardly knows, are widened as they are read. A mapped file must
    stay as it was.

    Args:
        samples: (N, ...) numbers.

    Attributes:
        samples: the samples.
    """

    def __init__(self, samples: NDArray[Any]) -> None:
        self.samples = samples
        self.notes: list[str] = []
        path = getattr(samples, "filename", None)
        self._file = None if path is None else Unchanged(1, lambda _: str(path))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.samples.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of what `read` returns."""
        return self.read(torch.zeros(0, dtype=torch.int64)).dtype

    @property
    def fingerprint(self) -> str:
        """Of the shape, the dtype and the values."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on arrays that may not be written to; nothing writes to them
            return of_tensors(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, indices: Tensor) -> Tensor:
        """The samples (M, *shape) at the `indices` (M,), copied into memory.

        Raises:
            ValueError: naming a mapped file that changed or vanished.
        """
        if self._file is not None:
            self._file.check(0)  # before the map is touched: reading behind the end of a file kills the process
        rows = np.asarray(self.samples[indices.cpu().numpy()])
        if not rows.dtype.isnative:
            rows = rows.astype(rows.dtype.newbyteorder("="))
        wider = _WIDER.get(rows.dtype.name)
        if wider is not None:
            rows = rows.astype(str(wider).removeprefix("torch."))
        return torch.from_numpy(rows)


class View:
    """Some samples of another source, by their indices; nothing is copied.

    Args:
        base: the other source; a view of a view is one of its base.
        indices: int64 (M,).

    Attributes:
        base: the source that is read.
        indices: of the view's samples in it.
    """

    def __init__(self, base: Source, indices: Tensor) -> None:
        self.base: Source = base.base if isinstance(base, View) else base
        self.indices: Tensor = base.indices[indices.cpu()] if isinstance(base, View) else indices.cpu()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.base.shape

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of samples."""
        return self.base.dtype

    @property
    def notes(self) -> list[str]:
        """Those of the base."""
        return self.base.notes

    @property
    def fingerprint(self) -> str:
        """That of the base, and the indices."""
        return of_choice(self.base.fingerprint, self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, indices: Tensor) -> Tensor:
        """The base's samples at those of the view's indices that `indices` (M,) chooses."""
        return self.base.read(self.indices[indices.cpu()])


def is_resident(source: Source) -> bool:
    """Whether the samples of a `source` lie in memory, so that reading them costs no more than a copy."""
    return isinstance(source.base if isinstance(source, View) else source, MemorySource)


def placed(source: Source, device: torch.device, memory_format: torch.memory_format | None = None) -> Source:
    """A source that lies in memory, moved to where and how batches are wanted; every other source as it is.

    A GPU gets the samples if they take less than half of its free memory; the training needs the rest.

    Args:
        source: any.
        device: where batches are used.
        memory_format: of samples (C, H, W), torch.channels_last or torch.contiguous_format; None leaves it.
    """
    base = source.base if isinstance(source, View) else source
    if not isinstance(base, MemorySource):
        return source
    samples, indices = base.samples, source.indices if isinstance(source, View) else None
    moves = device != samples.device and (device.type != "cuda" or _fits(len(source) * samples[0].nbytes, device))
    if moves and indices is not None:
        samples, indices = base.read(indices), None
    if memory_format is not None:
        samples = samples.contiguous(memory_format=memory_format)
    placed_base = MemorySource(samples.to(device) if moves else samples)
    return placed_base if indices is None else View(placed_base, indices)


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """Copy `x` to the `device`, without waiting for a GPU."""
    if device.type != "cuda" or x.is_cuda:
        return x.to(device)
    # A copy from memory that is not pinned would wait for all work queued before it.
    return x.pin_memory().to(device, non_blocking=True)


def chunks(count: int, size: int) -> Iterator[Tensor]:
    """The indices 0 to `count` - 1 in order, int64, in parts of at most `size`."""
    for first in range(0, count, size):
        yield torch.arange(first, min(first + size, count))


def _is_dense(samples: Tensor) -> bool:
    """Whether the samples lie in memory one after the other, without gaps."""
    channels_last = samples.dim() == 4 and samples.is_contiguous(memory_format=torch.channels_last)
    return samples.is_contiguous() or channels_last


def _fits(count: int, device: torch.device) -> bool:
    """Whether `count` bytes take less than half of a GPU's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return count < free // 2
