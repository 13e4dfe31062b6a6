"""`Data`: a source of samples, their labels, and the conversion between their own units and the network's range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.fingerprint import of_choice
from fastgan.data.labels import encode_labels, listed
from fastgan.data.source import MemorySource, Source, View, chunks
from fastgan.data.units import Units, bytes_as_images

__all__ = ["Data", "Units", "as_source"]

_CHUNK = 4096  # samples that are converted or checked at a time


@dataclass(frozen=True, init=False)
class Data:
    """Samples to train on.

    Args:
        source: where raw samples are read, or a tensor of them (N, ...): images (N, C, H, W) or rows (N, F) of a
            floating dtype, which are used as they are, or images of bytes, which fill the network's range.
        labels: (N,) classes, or None: integers of any dtype and value, bool, whole floats, text, or one-hot (N, K).
        units: the conversion to the network's range; None takes that of the tensor.
        class_names: the classes' names, where `labels` are numbered from 0 in their order; () takes the names from the
            labels.
        name: what to call the data in messages.
        notes: sentences on how the data were read.

    Attributes:
        source: the raw samples.
        labels: (N,) int64, 0 to one less than the number of classes, or None.
        units: the conversion to the network's range and back.
        class_names: of each class; () without labels.
        name: what to call the data in messages.

    Raises:
        TypeError: for a tensor of another dtype than floating point or images of bytes.
        ValueError: for an empty tensor, fewer than two dimensions, NaN or infinity, or labels of another length.

    Example:
        >>> data = Data(torch.full((10, 3, 8, 8), 255, dtype=torch.uint8), ["cat", "dog"] * 5)
        >>> data.source.dtype, data.batch(torch.tensor([0, 3])).max(), data.labels[:3], data.class_names
        (torch.uint8, tensor(1.), tensor([0, 1, 0]), ('cat', 'dog'))
    """

    source: Source
    labels: Tensor | None
    units: Units
    class_names: tuple[str, ...]
    name: str

    def __init__(
        self,
        source: Source | Tensor,
        labels: Any = None,
        units: Units | None = None,
        class_names: Sequence[str] = (),
        name: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        if isinstance(source, Tensor):
            source, found = as_source(source, units)
            units = units or found
        if labels is not None and not class_names:
            codes, class_names = encode_labels(_as_array(labels), name or "the labels")
            labels = torch.from_numpy(codes)
        if labels is not None and labels.shape != (len(source),):
            raise ValueError(f"data: expected labels of shape [{len(source)}], got {list(labels.shape)}")
        given = {"source": source, "labels": labels, "units": units or Units(), "name": name}
        given |= {"class_names": tuple(class_names), "_notes": tuple(notes)}
        for field, value in given.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The network's shape of a sample: (C, H, W) or (F,)."""
        return self.units.sample_shape(self.source.shape)

    @property
    def bounded(self) -> bool:
        """Whether all samples lie in [-1, 1], the range of tanh."""
        return self.units.bounded

    @property
    def fingerprint(self) -> str:
        """What tells these data from others, wherever they lie: the source's, and one of the labels."""
        if self.labels is None:
            return self.source.fingerprint
        return of_choice(self.source.fingerprint, self.labels, "labels")

    @property
    def base_fingerprint(self) -> str:
        """That of all samples, before any of them were chosen, without labels: what a run's data are known by."""
        return self.source.base.fingerprint if isinstance(self.source, View) else self.source.fingerprint

    @property
    def notes(self) -> list[str]:
        """Sentences on what was decided, skipped or passed over; reading may append more."""
        own: tuple[str, ...] = self._notes  # type: ignore[attr-defined]
        return [*own, *self.source.notes]

    @property
    def samples(self) -> Tensor:
        """All samples (N, ...) in the network's range, converted anew by each access: for data that fit in memory."""
        if isinstance(self.source, MemorySource) and self.units.scale == [1.0] and self.units.offset == [0.0]:
            return self.units.normalise(self.source.samples)
        parts = self.batches(_CHUNK)
        first = next(parts)
        whole = first.new_empty(len(self), *first.shape[1:])
        if not first.is_contiguous():  # images that are stored channels last keep that memory format
            whole = whole.to(memory_format=torch.channels_last)
        whole[: len(first)] = first
        position = len(first)
        for part in parts:
            whole[position : position + len(part)] = part
            position += len(part)
        return whole

    def normalise(self, raw: Tensor) -> Tensor:
        """Convert `raw` samples, as the source reads them, to the network's range and shape; see `Units.normalise`."""
        return self.units.normalise(raw)

    def batch(self, indices: Tensor) -> Tensor:
        """The samples (M, ...) at the `indices`, int64 (M,), in the network's range."""
        return self.units.normalise(self.source.read(indices))

    def batches(self, size: int) -> Iterator[Tensor]:
        """All samples in order, in batches of `size`, in the network's range."""
        return (self.batch(indices) for indices in chunks(len(self), size))

    def take(self, chosen: Tensor) -> Data:
        """The samples and labels at the indices `chosen`, int64 (M,), as a view: no sample is read or copied."""
        labels = None if self.labels is None else self.labels[chosen.to(self.labels.device)]
        notes: tuple[str, ...] = self._notes  # type: ignore[attr-defined]
        return Data(View(self.source, chosen), labels, self.units, self.class_names, self.name, notes)

    def with_classes(self, class_names: tuple[str, ...]) -> Data:
        """The same samples, their classes numbered as in `class_names`, which has all of them and perhaps others.

        Raises:
            ValueError: for a class that is not among `class_names`.
        """
        if unknown := [name for name in self.class_names if name not in class_names]:
            raise ValueError(f"data: expected the classes {listed(class_names)}, got {listed(unknown)}")
        if self.labels is None or class_names == self.class_names:
            return self
        number = torch.tensor([class_names.index(name) for name in self.class_names], device=self.labels.device)
        notes: tuple[str, ...] = self._notes  # type: ignore[attr-defined]
        return Data(self.source, number[self.labels], self.units, class_names, self.name, notes)

    def subsample(self, count: int) -> Data:
        """`count` samples chosen at random, the same ones in every call; all samples if there are not as many."""
        return self if len(self) <= count else self.take(_shuffled(len(self))[:count])

    def split(self, fraction: float) -> tuple[Data, Data]:
        """Divide the samples at random into two disjoint parts, the same ones in every call.

        Args:
            fraction: of each class's samples that the second part gets, rounded to whole samples.

        Raises:
            ValueError: where either part would be empty.
        """
        order = _shuffled(len(self))
        classes = torch.zeros(len(order)) if self.labels is None else self.labels.cpu()[order]
        second = torch.zeros(len(order), dtype=torch.bool)
        for label in classes.unique():
            members = (classes == label).nonzero()[:, 0]
            second[members[: round(fraction * len(members))]] = True
        if second.all() or not second.any():
            raise ValueError(f"data: expected samples enough to hold out {fraction} of them, got {len(order)}")
        return self.take(order[~second]), self.take(order[second])


def as_source(samples: Tensor, units: Units | None = None) -> tuple[MemorySource, Units]:
    """The source of a tensor of samples, and its units.

    Args:
        samples: (N, ...) of a floating dtype; or bytes, which are images (N, H, W), (N, C, H, W) or, where the last
            dimension and not the second is 1, 3 or 4, (N, H, W, C).
        units: the tensor's, where they are known; its dtype may then be any.

    Raises:
        TypeError: for another dtype.
        ValueError: for an empty tensor, fewer than two dimensions, or NaN or infinity.
    """
    if samples.dim() < 2 or samples.numel() == 0:
        raise ValueError(f"data: expected samples of shape (N, ...), got {tuple(samples.shape)}")
    if samples.is_floating_point():
        # Part by part, as the checks make tensors of the samples' size.
        parts = samples.split(_CHUNK)
        if not all(bool(part.isfinite().all()) for part in parts):
            raise ValueError("data: expected finite samples, got NaN or infinity")
        within = units is None and all(bool(part.abs().max() <= 1) for part in parts)
        return MemorySource(samples), units or (Units(low=-1.0, high=1.0) if within else Units())
    if units is not None:
        return MemorySource(samples), units
    if samples.dtype != torch.uint8 or samples.dim() not in (3, 4):
        raise TypeError(f"data: expected samples of a floating dtype, or images of bytes, got {samples.dtype}")
    layout = "hw"
    if samples.dim() == 4:
        layout = "hwc" if samples.shape[1] not in (1, 3, 4) and samples.shape[3] in (1, 3, 4) else "chw"
    return MemorySource(samples), bytes_as_images(layout)


def _as_array(labels: Any) -> NDArray[Any]:
    return labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)


def _shuffled(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))
